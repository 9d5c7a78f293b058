-- The eight tables of the TPC-H specification. Money is in cents, discount and tax are in hundredths, so that both engines
-- add exactly; a revenue of "price times (1 - discount)" is therefore in hundredths of a cent.
CREATE TABLE region (
    r_regionkey integer NOT NULL PRIMARY KEY,
    r_name text NOT NULL,
    r_comment text
);
CREATE TABLE nation (
    n_nationkey integer NOT NULL PRIMARY KEY,
    n_name text NOT NULL,
    n_regionkey integer NOT NULL,
    n_comment text
);
CREATE INDEX ix_nation_by_region ON nation (n_regionkey);
CREATE TABLE supplier (
    s_suppkey integer NOT NULL PRIMARY KEY,
    s_name text NOT NULL,
    s_address text NOT NULL,
    s_nationkey integer NOT NULL,
    s_phone text NOT NULL,
    s_acctbal bigint NOT NULL,
    s_comment text NOT NULL
);
CREATE INDEX ix_supplier_by_nation ON supplier (s_nationkey);
CREATE TABLE part (
    p_partkey integer NOT NULL PRIMARY KEY,
    p_name text NOT NULL,
    p_mfgr text NOT NULL,
    p_brand text NOT NULL,
    p_type text NOT NULL,
    p_size integer NOT NULL,
    p_container text NOT NULL,
    p_retailprice bigint NOT NULL,
    p_comment text NOT NULL
);
CREATE INDEX ix_part_by_brand ON part (p_brand, p_type, p_size);
CREATE TABLE partsupp (
    ps_partkey integer NOT NULL,
    ps_suppkey integer NOT NULL,
    ps_availqty integer NOT NULL,
    ps_supplycost bigint NOT NULL,
    ps_comment text NOT NULL,
    PRIMARY KEY (ps_partkey, ps_suppkey)
);
CREATE INDEX ix_partsupp_by_supplier ON partsupp (ps_suppkey);
CREATE TABLE customer (
    c_custkey integer NOT NULL PRIMARY KEY,
    c_name text NOT NULL,
    c_address text NOT NULL,
    c_nationkey integer NOT NULL,
    c_phone text NOT NULL,
    c_acctbal bigint NOT NULL,
    c_mktsegment text NOT NULL,
    c_comment text NOT NULL
);
CREATE INDEX ix_customer_by_nation ON customer (c_nationkey);
CREATE TABLE orders (
    o_orderkey integer NOT NULL PRIMARY KEY,
    o_custkey integer NOT NULL,
    o_orderstatus text NOT NULL,
    o_totalprice bigint NOT NULL,
    o_orderdate date NOT NULL,
    o_orderpriority text NOT NULL,
    o_clerk text NOT NULL,
    o_shippriority integer NOT NULL,
    o_comment text NOT NULL
);
CREATE INDEX ix_orders_by_customer ON orders (o_custkey);
CREATE INDEX ix_orders_by_date ON orders (o_orderdate);
CREATE TABLE lineitem (
    l_orderkey integer NOT NULL,
    l_partkey integer NOT NULL,
    l_suppkey integer NOT NULL,
    l_linenumber integer NOT NULL,
    l_quantity integer NOT NULL,
    l_extendedprice bigint NOT NULL,
    l_discount integer NOT NULL,
    l_tax integer NOT NULL,
    l_returnflag text NOT NULL,
    l_linestatus text NOT NULL,
    l_shipdate date NOT NULL,
    l_commitdate date NOT NULL,
    l_receiptdate date NOT NULL,
    l_shipinstruct text NOT NULL,
    l_shipmode text NOT NULL,
    l_comment text NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber)
);
CREATE INDEX ix_lineitem_by_part ON lineitem (l_partkey, l_suppkey);
CREATE INDEX ix_lineitem_by_supplier ON lineitem (l_suppkey);
CREATE INDEX ix_lineitem_by_shipdate ON lineitem (l_shipdate);

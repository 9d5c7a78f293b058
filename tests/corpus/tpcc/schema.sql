-- A wholesaler: warehouses with districts, customers who order lines of items, stock by warehouse, payments.
-- Money is in cents and rates in basis points, so that both engines add exactly.
CREATE TABLE warehouse (
    w_id integer NOT NULL PRIMARY KEY,
    name text NOT NULL,
    city text,
    region text,
    tax integer NOT NULL,
    ytd bigint NOT NULL
);
CREATE TABLE district (
    w_id integer NOT NULL,
    d_id integer NOT NULL,
    name text NOT NULL,
    tax integer NOT NULL,
    ytd bigint NOT NULL,
    next_o_id integer NOT NULL,
    PRIMARY KEY (w_id, d_id)
);
CREATE TABLE customer (
    w_id integer NOT NULL,
    d_id integer NOT NULL,
    c_id integer NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    email text,
    credit text NOT NULL,
    credit_limit bigint NOT NULL,
    discount integer NOT NULL,
    balance bigint NOT NULL,
    paid bigint NOT NULL,
    payments integer NOT NULL,
    deliveries integer NOT NULL,
    since timestamp NOT NULL,
    referred_by integer,
    PRIMARY KEY (w_id, d_id, c_id)
);
CREATE INDEX ix_customer_by_name ON customer (last_name);
CREATE INDEX ix_customer_by_referrer ON customer (w_id, d_id, referred_by);
CREATE TABLE item (
    i_id integer NOT NULL PRIMARY KEY,
    title text NOT NULL,
    price integer NOT NULL,
    category text,
    weight double precision NOT NULL
);
CREATE INDEX ix_item_by_category ON item (category);
CREATE TABLE stock (
    w_id integer NOT NULL,
    i_id integer NOT NULL,
    quantity integer NOT NULL,
    ytd integer NOT NULL,
    order_count integer NOT NULL,
    remote_count integer NOT NULL,
    PRIMARY KEY (w_id, i_id)
);
CREATE INDEX ix_stock_by_item ON stock (i_id);
CREATE TABLE orders (
    w_id integer NOT NULL,
    d_id integer NOT NULL,
    o_id integer NOT NULL,
    c_id integer,
    entered timestamp NOT NULL,
    carrier integer,
    line_count integer NOT NULL,
    all_local boolean NOT NULL,
    PRIMARY KEY (w_id, d_id, o_id)
);
CREATE INDEX ix_orders_by_customer ON orders (w_id, d_id, c_id);
CREATE INDEX ix_orders_by_carrier ON orders (carrier);
CREATE TABLE new_order (
    w_id integer NOT NULL,
    d_id integer NOT NULL,
    o_id integer NOT NULL,
    PRIMARY KEY (w_id, d_id, o_id)
);
CREATE TABLE order_line (
    w_id integer NOT NULL,
    d_id integer NOT NULL,
    o_id integer NOT NULL,
    line_no integer NOT NULL,
    i_id integer,
    supply_w_id integer NOT NULL,
    quantity integer NOT NULL,
    amount bigint NOT NULL,
    delivered timestamp,
    PRIMARY KEY (w_id, d_id, o_id, line_no)
);
CREATE INDEX ix_order_line_by_item ON order_line (i_id);
CREATE INDEX ix_order_line_by_supply ON order_line (supply_w_id, i_id);
CREATE TABLE history (
    h_id integer NOT NULL PRIMARY KEY,
    w_id integer NOT NULL,
    d_id integer NOT NULL,
    c_w_id integer NOT NULL,
    c_d_id integer NOT NULL,
    c_id integer,
    paid_at timestamp NOT NULL,
    amount bigint NOT NULL,
    note text
);
CREATE INDEX ix_history_by_customer ON history (c_w_id, c_d_id, c_id);
CREATE INDEX ix_history_by_district ON history (w_id, d_id);

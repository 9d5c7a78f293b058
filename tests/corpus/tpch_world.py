"""The TPC-H tables: a generator of our own, refresh streams and updates.

Owns: the value domains that the 22 queries ask about. Names of regions, nations, segments, priorities, ship modes and the
proportions of the tables are facts of the public specification; the values that the queries name are drawn more often than
there, so that small data has answers. Promises: the same size and seed give the same rows and the same transactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from types import MappingProxyType
from typing import Any

from tests.corpus.rows import Row, Rows, Shape, Step, shape

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "region": shape("r_regionkey r_name r_comment"),
        "nation": shape("n_nationkey n_name n_regionkey n_comment"),
        "supplier": shape("s_suppkey s_name s_address s_nationkey s_phone s_acctbal s_comment"),
        "part": shape("p_partkey p_name p_mfgr p_brand p_type p_size p_container p_retailprice p_comment"),
        "partsupp": shape("ps_partkey ps_suppkey ps_availqty ps_supplycost ps_comment", 2),
        "customer": shape("c_custkey c_name c_address c_nationkey c_phone c_acctbal c_mktsegment c_comment"),
        "orders": shape(
            "o_orderkey o_custkey o_orderstatus o_totalprice o_orderdate o_orderpriority o_clerk o_shippriority o_comment"
        ),
        "lineitem": shape(
            "l_orderkey l_linenumber l_partkey l_suppkey l_quantity l_extendedprice l_discount l_tax l_returnflag "
            "l_linestatus l_shipdate l_commitdate l_receiptdate l_shipinstruct l_shipmode l_comment",
            2,
        ),
    }
)
REGIONS = ("AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST")
NATIONS = (
    ("ALGERIA", 0),
    ("ARGENTINA", 1),
    ("BRAZIL", 1),
    ("CANADA", 1),
    ("EGYPT", 4),
    ("ETHIOPIA", 0),
    ("FRANCE", 3),
    ("GERMANY", 3),
    ("INDIA", 2),
    ("INDONESIA", 2),
    ("IRAN", 4),
    ("IRAQ", 4),
    ("JAPAN", 2),
    ("JORDAN", 4),
    ("KENYA", 0),
    ("MOROCCO", 0),
    ("MOZAMBIQUE", 0),
    ("PERU", 1),
    ("CHINA", 2),
    ("ROMANIA", 3),
    ("SAUDI ARABIA", 4),
    ("VIETNAM", 2),
    ("RUSSIA", 3),
    ("UNITED KINGDOM", 3),
    ("UNITED STATES", 1),
)
ASKED_NATIONS = (2, 3, 6, 7, 8, 18, 20)
SEGMENTS = ("AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY")
PRIORITIES = ("1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW")
MODES = ("AIR", "REG AIR", "MAIL", "SHIP", "RAIL", "TRUCK", "FOB")
INSTRUCTIONS = ("DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN")
BRANDS = ("Brand#12", "Brand#23", "Brand#34", "Brand#45", "Brand#51")
TYPES = (
    "ECONOMY ANODIZED STEEL",
    "PROMO BURNISHED COPPER",
    "LARGE PLATED BRASS",
    "MEDIUM POLISHED TIN",
    "SMALL BRUSHED BRASS",
)
CONTAINERS = ("SM CASE", "SM BOX", "MED BAG", "MED BOX", "LG CASE", "LG PACK", "JUMBO JAR")
SIZES = (3, 9, 14, 15, 19, 23, 36, 45, 49)
COLOURS = ("green", "forest", "azure", "linen", "peach")
FIRST_DAY = date(1992, 1, 1)
ORDER_DAYS = 2405
CURRENT_DAY = "1995-06-17"
ROWS_FOR_SCALE_ONE = 8_660_000


def generate(size: int, random: Random) -> Rows:
    """About `size` rows over all tables, in the proportions of the specification."""
    rows, scale = Rows(SHAPES, random), size / ROWS_FOR_SCALE_ONE
    for key, name in enumerate(REGIONS):
        rows.load("region", key, name, None)
    for key, (name, region) in enumerate(NATIONS):
        rows.load("nation", key, name, region, None)
    for key in range(1, max(8, int(10_000 * scale)) + 1):
        rows.load("supplier", key, *_supplier(random, key))
    for key in range(1, max(20, int(200_000 * scale)) + 1):
        rows.load("part", key, *_part(random))
        for supplier in random.sample(list(rows.tables["supplier"]), 4):
            rows.load("partsupp", key, *supplier, random.randrange(1, 100), random.randrange(100, 100_000), "")
    for key in range(1, max(15, int(150_000 * scale)) + 1):
        rows.load("customer", key, *_customer(random, key))
    parts = list(rows.tables["partsupp"])
    for key in range(1, max(30, int(1_500_000 * scale)) + 1):
        order, lines = _order(rows, key, parts)
        rows.load("orders", *order)
        for line in lines:
            rows.load("lineitem", *line)
    return rows


def _nation(random: Random) -> int:
    return random.choice(ASKED_NATIONS) if random.random() < 0.8 else random.randrange(len(NATIONS))


def _phone(random: Random, nation: int) -> str:
    return f"{nation + 10}-{random.randrange(100, 999)}"


def _supplier(random: Random, key: int) -> tuple[Any, ...]:
    nation = _nation(random)
    comment = random.choice(("prompt", "slow", "Customer some Complaints"))
    return (f"Supplier#{key}", "somewhere", nation, _phone(random, nation), random.randrange(-99_999, 999_999), comment)


def _part(random: Random) -> tuple[Any, ...]:
    name = f"{random.choice(COLOURS)} {random.choice(COLOURS)}"
    kind = (random.choice(BRANDS), random.choice(TYPES), random.choice(SIZES), random.choice(CONTAINERS))
    return (name, "Manufacturer#1", *kind, random.randrange(90_000, 200_000), "")


def _customer(random: Random, key: int) -> tuple[Any, ...]:
    nation = _nation(random)
    money = random.randrange(-99_999, 999_999)
    return (f"Customer#{key}", "elsewhere", nation, _phone(random, nation), money, random.choice(SEGMENTS), "")


def _order(rows: Rows, key: int, parts: list[Any]) -> tuple[tuple[Any, ...], list[tuple[Any, ...]]]:
    """An order and its lines. A third of the customers never orders."""
    random, customers = rows.random, len(rows.tables["customer"])
    buyer = random.randrange(1, customers + 1)
    buyer -= buyer % 3 == 0
    ordered = FIRST_DAY + timedelta(days=random.randrange(ORDER_DAYS))
    lines = [_line(random, key, number, ordered, random.choice(parts)) for number in range(1, random.randrange(2, 7))]
    states = {line[9] for line in lines}
    status = "P" if len(states) > 1 else states.pop()
    comment = random.choice(("", "", "some special wishes and requests"))
    total = sum(line[5] for line in lines)
    about = (ordered.isoformat(), random.choice(PRIORITIES), "Clerk#1", 0, comment)
    return (key, buyer, status, total, *about), lines


def _line(random: Random, order: int, number: int, ordered: date, part: tuple[int, int]) -> tuple[Any, ...]:
    quantity = random.randrange(1, 51)
    shipped = ordered + timedelta(days=random.randrange(1, 122))
    promised = ordered + timedelta(days=random.randrange(30, 91))
    received = shipped + timedelta(days=random.randrange(1, 31))
    flag = random.choice("RA") if received.isoformat() <= CURRENT_DAY else "N"
    status = "O" if shipped.isoformat() > CURRENT_DAY else "F"
    money = (quantity * random.randrange(9_000, 20_000), random.randrange(11), random.randrange(9))
    days = (shipped.isoformat(), promised.isoformat(), received.isoformat())
    how = (random.choice(INSTRUCTIONS), random.choice(MODES), "")
    return (order, number, *part, quantity, *money, flag, status, *days, *how)


def refresh_in(rows: Rows) -> None:
    """RF1: a new order with its lines."""
    key = rows.next_number("orders")
    parts = [rows.key_of("partsupp", row) for row in (rows.pick("partsupp"), rows.pick("partsupp")) if row is not None]
    if parts and rows.tables["customer"]:
        order, lines = _order(rows, key, parts)
        rows.insert("orders", *order)
        for line in lines:
            rows.insert("lineitem", *line)


def refresh_out(rows: Rows) -> None:
    """RF2: an order goes with its lines."""
    order = rows.pick("orders")
    if order is not None:
        rows.delete("orders", (order["o_orderkey"],))
        rows.delete_where("lineitem", {"l_orderkey": order["o_orderkey"]})


def _forget(table: str) -> Step:
    def step(rows: Rows) -> None:
        row = rows.pick(table)
        if row is not None:
            rows.delete(table, rows.key_of(table, row))

    return step


def _change(table: str, *columns: str) -> Step:
    """A row takes columns of another row of its table; both exist already, so every value is possible."""

    def step(rows: Rows) -> None:
        row, other = rows.pick(table), rows.pick(table)
        if row is not None and other is not None:
            rows.update(table, rows.key_of(table, row), **{name: other[name] for name in columns})

    return step


def reprice(rows: Rows) -> None:
    """A supplier asks another price and has another quantity."""
    offer: Row | None = rows.pick("partsupp")
    if offer is not None:
        cost, left = rows.random.randrange(100, 100_000), rows.random.randrange(1, 100)
        rows.update("partsupp", rows.key_of("partsupp", offer), ps_supplycost=cost, ps_availqty=left)


UPDATES: tuple[tuple[float, Step], ...] = (
    (3, reprice),
    (3, _change("lineitem", "l_quantity", "l_extendedprice", "l_discount")),
    (2, _change("lineitem", "l_shipdate", "l_commitdate", "l_receiptdate", "l_returnflag", "l_linestatus")),
    (2, _change("lineitem", "l_partkey", "l_suppkey")),
    (1, _change("lineitem", "l_shipmode", "l_shipinstruct")),
    (1, _change("lineitem", "l_orderkey", "l_linenumber")),
    (2, _change("orders", "o_custkey")),
    (2, _change("orders", "o_orderdate", "o_orderpriority", "o_orderstatus")),
    (1, _change("orders", "o_comment", "o_totalprice")),
    (2, _change("customer", "c_acctbal", "c_mktsegment")),
    (1, _change("customer", "c_nationkey", "c_phone")),
    (1, _change("supplier", "s_nationkey", "s_comment")),
    (1, _change("part", "p_name", "p_type")),
    (1, _change("part", "p_brand", "p_size", "p_container")),
    (0.2, _change("nation", "n_regionkey")),
)
DELETES: tuple[tuple[float, Step], ...] = (
    (6, refresh_out),
    (4, _forget("lineitem")),
    (2, _forget("orders")),
    (2, _forget("partsupp")),
    (0.5, _forget("part")),
    (0.5, _forget("customer")),
    (0.3, _forget("supplier")),
)
REFRESH: tuple[tuple[float, Step], ...] = ((10, refresh_in), (10, refresh_out))


def _scaled(steps: tuple[tuple[float, Step], ...], factor: float) -> tuple[tuple[float, Step], ...]:
    return tuple((weight * factor, step) for weight, step in steps)


STEPS: Mapping[str, tuple[tuple[float, Step], ...]] = MappingProxyType(
    {
        "mixed": (*REFRESH, *UPDATES, *_scaled(DELETES, 0.5)),
        "deletes": (*_scaled(REFRESH, 0.1), *DELETES),
        "updates": (*_scaled(REFRESH, 0.1), *UPDATES),
        "business": (*REFRESH, *_scaled(UPDATES, 0.2)),
    }
)

"""The wholesaler: a generator and a stream of transactions over the tables of ``tpcc/schema.sql``.

Owns: what a warehouse's day looks like, and what it never should but does: keys that change, rows that vanish under others,
values that become NULL. Promises: the same size and seed give the same rows and the same transactions.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from types import MappingProxyType
from typing import Any

from tests.corpus.rows import Row, Rows, Shape, Step, shape

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "warehouse": shape("w_id name city region tax ytd"),
        "district": shape("w_id d_id name tax ytd next_o_id", 2),
        "customer": shape(
            "w_id d_id c_id first_name last_name email credit credit_limit discount balance paid payments deliveries since "
            "referred_by",
            3,
        ),
        "item": shape("i_id title price category weight"),
        "stock": shape("w_id i_id quantity ytd order_count remote_count", 2),
        "orders": shape("w_id d_id o_id c_id entered carrier line_count all_local", 3),
        "new_order": shape("w_id d_id o_id", 3),
        "order_line": shape("w_id d_id o_id line_no i_id supply_w_id quantity amount delivered", 4),
        "history": shape("h_id w_id d_id c_w_id c_d_id c_id paid_at amount note"),
    }
)
SYLLABLES = ("BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "ING")
CATEGORIES = ("books", "tools", "toys", "food", None)
REGIONS = ("north", "south", "east", None)
CITIES = ("Ayr", "Bonn", "Cork", None)
WORDS = ("amber", "bolt", "crane", "drum", "anvil", "fern")


def generate(size: int, random: Random) -> Rows:
    """About `size` rows over all tables."""
    rows = Rows(SHAPES, random)
    warehouses = max(3, min(20, size // 2000))
    per_warehouse = 3 if size < 5000 else 10
    for w_id in range(1, warehouses + 1):
        rows.load("warehouse", w_id, f"house {w_id % 7}", random.choice(CITIES), random.choice(REGIONS), 500 + w_id, 0)
        for d_id in range(1, per_warehouse + 1):
            rows.load("district", w_id, d_id, f"district {d_id % 4}", random.randrange(0, 900, 100), 0, 1)
    for i_id in range(1, max(8, size * 6 // 100)):
        _item(rows, i_id)
        for w_id in random.sample(range(1, warehouses + 1), 3):
            counts = (random.randrange(2, 101), random.randrange(30), random.randrange(10), random.randrange(3))
            rows.load("stock", w_id, i_id, *counts)
    _add_customers(rows, size * 12 // 100)
    _add_orders(rows, size * 13 // 100)
    for h_id in range(1, size // 10):
        customer = _pick(rows, "customer")
        rows.load("history", h_id, *_payment(rows, customer), random.randrange(100, 500_000), _note(random))
    rows.take()
    return rows


def _item(rows: Rows, i_id: int) -> None:
    random = rows.random
    title = f"{random.choice(WORDS)} {random.choice(WORDS)}"
    category, weight = random.choice(CATEGORIES), random.randrange(1, 80) / 4
    rows.load("item", i_id, title, random.choice((random.randrange(100, 10_000), 4200)), category, weight)


def _add_customers(rows: Rows, count: int) -> None:
    districts = list(rows.tables["district"])
    for number in range(count):
        w_id, d_id = districts[number % len(districts)]
        rows.load(
            "customer", w_id, d_id, number // len(districts) + 1, *_person(rows.random, number // len(districts) + 1)
        )


def _person(random: Random, c_id: int) -> tuple[Any, ...]:
    last = random.choice(SYLLABLES[:4]) + random.choice(SYLLABLES[3:5]) + random.choice(SYLLABLES[7:])
    email = random.choice((None, f" {last.title()}@example.org", "shared@example.org", f"{last}{c_id}@example.org"))
    credit, balance = random.choice(("GC", "GC", "BC")), random.randrange(-150_000, 100_000, 500)
    referrer = random.randrange(1, c_id) if c_id > 1 and random.random() < 0.6 else None
    figures = (
        random.choice((50_000, 100_000)),
        random.randrange(0, 5_001, 500),
        balance,
        random.randrange(0, 90_000, 100),
    )
    return (random.choice(WORDS), last, email, credit, *figures, 1, 0, _time(random, 2020), referrer)


def _time(random: Random, year: int = 2026) -> str:
    day, hour = random.randrange(1, 29), random.randrange(24)
    return f"{year}-{random.randrange(1, 6):02}-{day:02} {hour:02}:{random.randrange(0, 60, 20):02}:00"


def _note(random: Random) -> str | None:
    return random.choice((None, "", "cash", "late", "card"))


def _payment(rows: Rows, customer: Row) -> tuple[Any, ...]:
    home = (customer["w_id"], customer["d_id"])
    paid_in = home if rows.random.random() < 0.8 else rows.key_of("district", _pick(rows, "district"))
    known = customer["c_id"] if rows.random.random() < 0.95 else None
    return (*paid_in, *home, known, _time(rows.random))


def _pick(rows: Rows, table: str) -> Row:
    row = rows.pick(table)
    assert row is not None, f"{table} is empty"
    return row


def _add_orders(rows: Rows, count: int) -> None:
    random = rows.random
    customers = list(rows.tables["customer"])
    # The last items are never ordered.
    items = list(rows.tables["item"])[: -max(2, len(rows.tables["item"]) // 10)]
    houses = [w_id for (w_id,) in rows.tables["warehouse"]]
    for _ in range(count):
        w_id, d_id, c_id = random.choice(customers)
        district = rows.tables["district"][w_id, d_id]
        o_id = district["next_o_id"]
        district["next_o_id"] += 1
        is_open, lines = random.random() < 0.2, random.randrange(1, 6)
        supply = [w_id if random.random() < 0.9 else random.choice(houses) for _ in range(lines)]
        entered, buyer = _time(random), c_id if random.random() < 0.95 else None
        carrier = None if is_open else random.randrange(1, 6)
        rows.load("orders", w_id, d_id, o_id, buyer, entered, carrier, lines, all(s == w_id for s in supply))
        if is_open:
            rows.load("new_order", w_id, d_id, o_id)
        for line_no, from_w in enumerate(supply, start=1):
            _load_line(rows, (w_id, d_id, o_id, line_no), random.choice(items)[0], from_w, None if is_open else entered)


def _load_line(rows: Rows, key: tuple[int, ...], i_id: int, supply_w_id: int, delivered: str | None) -> None:
    quantity = rows.random.randrange(1, 11)
    amount = quantity * rows.tables["item"][i_id,]["price"] - rows.random.choice((0, 0, -300, 500))
    rows.load(
        "order_line", *key, i_id if rows.random.random() < 0.97 else None, supply_w_id, quantity, amount, delivered
    )


def new_order(rows: Rows) -> None:
    """A customer orders a few items."""
    random, customer, item = rows.random, rows.pick("customer"), rows.pick("item")
    if customer is None or item is None:
        return
    w_id, d_id = customer["w_id"], customer["d_id"]
    district = rows.tables["district"].get((w_id, d_id))
    o_id = district["next_o_id"] if district else random.randrange(1, 1000)
    rows.update("district", (w_id, d_id), next_o_id=o_id + 1)
    lines = random.randrange(1, 5)
    if not rows.insert("orders", w_id, d_id, o_id, customer["c_id"], _time(random), None, lines, random.random() < 0.9):
        return
    rows.insert("new_order", w_id, d_id, o_id)
    for line_no in range(1, lines + 1):
        stock = rows.pick("stock")
        if stock is None:
            return
        quantity = random.randrange(1, 11)
        known = rows.tables["item"].get((stock["i_id"],))
        amount = quantity * known["price"] if known else 0
        rows.insert("order_line", w_id, d_id, o_id, line_no, stock["i_id"], stock["w_id"], quantity, amount, None)
        changes = {"ytd": stock["ytd"] + quantity, "order_count": stock["order_count"] + 1}
        left = stock["quantity"] - quantity
        key = rows.key_of("stock", stock)
        rows.update("stock", key, quantity=left if left >= 10 else left + 91, **changes)


def payment(rows: Rows) -> None:
    """A customer pays, sometimes far from home."""
    customer, district = rows.pick("customer"), rows.pick("district")
    if customer is None or district is None:
        return
    amount = rows.random.randrange(100, 500_000)
    h_id = rows.next_number("history")
    values = _payment(rows, customer)
    rows.insert("history", h_id, *values, amount, _note(rows.random))
    house = rows.tables["warehouse"].get(values[:1])
    if house is not None:
        rows.update("warehouse", values[:1], ytd=house["ytd"] + amount)
    paid_in = rows.tables["district"].get(values[:2])
    if paid_in is not None:
        rows.update("district", values[:2], ytd=paid_in["ytd"] + amount)
    changes = {"paid": customer["paid"] + amount, "payments": customer["payments"] + 1}
    rows.update("customer", rows.key_of("customer", customer), balance=customer["balance"] - amount, **changes)


def deliver(rows: Rows) -> None:
    """An open order is handed to a carrier."""
    waiting = rows.pick("new_order")
    if waiting is None:
        return
    key = rows.key_of("new_order", waiting)
    rows.delete("new_order", key)
    rows.update("orders", key, carrier=rows.random.randrange(1, 6))
    rows.update_where("order_line", waiting, delivered=_time(rows.random))
    order = rows.tables["orders"].get(key)
    buyer = rows.tables["customer"].get((*key[:2], order["c_id"])) if order else None
    if buyer is not None:
        rows.update("customer", rows.key_of("customer", buyer), balance=buyer["balance"] + 1000, deliveries=2)


def cancel_order(rows: Rows) -> None:
    """An order goes with all that belongs to it."""
    order = rows.pick("orders")
    if order is not None:
        key = rows.key_of("orders", order)
        rows.delete_where("order_line", dict(zip(("w_id", "d_id", "o_id"), key, strict=True)))
        rows.delete("new_order", key)
        rows.delete("orders", key)


def _forget(table: str) -> Step:
    def step(rows: Rows) -> None:
        row = rows.pick(table)
        if row is not None:
            rows.delete(table, rows.key_of(table, row))

    return step


def _change(table: str, **choices: Any) -> Step:
    """One row changes: each named column to a value that its function draws."""

    def step(rows: Rows) -> None:
        row = rows.pick(table)
        if row is not None:
            drawn = {name: draw(rows, row) for name, draw in choices.items()}
            rows.update(table, rows.key_of(table, row), **drawn)

    return step


def _one_of(*values: Any) -> Any:
    return lambda rows, row: rows.random.choice(values)


def _near(table: str, column: str, *, null: float = 0.0) -> Any:
    """The same column of another row of `table`, or NULL now and then."""

    def draw(rows: Rows, row: Row) -> Any:
        other = rows.pick(table)
        return None if other is None or rows.random.random() < null else other[column]

    return draw


def join_customer(rows: Rows) -> None:
    """A new customer."""
    district = rows.pick("district")
    if district is not None:
        key = rows.key_of("district", district)
        neighbours = rows.matching("customer", {"w_id": key[0], "d_id": key[1]})
        c_id = max((row["c_id"] for row in neighbours), default=0) + 1
        rows.insert("customer", *key, c_id, *_person(rows.random, c_id))


def list_item(rows: Rows) -> None:
    """A new item, in stock somewhere."""
    i_id, random = rows.next_number("item"), rows.random
    house = rows.pick("warehouse")
    rows.insert(
        "item", i_id, "new " + random.choice(WORDS), random.randrange(100, 10_000), random.choice(CATEGORIES), 2.5
    )
    if house is not None:
        rows.insert("stock", house["w_id"], i_id, random.randrange(5, 60), 0, 0, 0)


def reopen_district(rows: Rows) -> None:
    """A district vanishes or comes back, whatever refers to it."""
    customer = _pick(rows, "customer") if rows.tables["customer"] else None
    if customer is not None:
        key = (customer["w_id"], customer["d_id"])
        if key in rows.tables["district"] and len(rows.tables["district"]) > 4:
            rows.delete("district", key)
        else:
            rows.insert("district", *key, "again", 100, 0, 500)


def mark_item_lines(rows: Rows) -> None:
    """One statement changes every line of an item."""
    line = rows.pick("order_line")
    if line is not None and line["i_id"] is not None:
        rows.update_where(
            "order_line", {"i_id": line["i_id"], "w_id": line["w_id"]}, quantity=rows.random.randrange(1, 11)
        )


UPDATES: tuple[tuple[float, Step], ...] = (
    (3, _change("item", price=lambda rows, row: max(100, row["price"] + rows.random.randrange(-500, 500)))),
    (2, _change("item", category=_one_of(*CATEGORIES), title=_one_of("anvil fern", "bolt", "crane amber"))),
    (1, _change("item", i_id=lambda rows, row: row["i_id"] + 5000)),
    (3, _change("stock", quantity=lambda rows, row: rows.random.randrange(5, 101))),
    (1, _change("stock", w_id=_near("warehouse", "w_id"))),
    (3, _change("orders", c_id=_near("customer", "c_id", null=0.3))),
    (1, _change("orders", o_id=lambda rows, row: row["o_id"] + 3000)),
    (2, _change("orders", carrier=_one_of(None, 1, 2, 3, 4), all_local=_one_of(True, False))),
    (3, _change("order_line", i_id=_near("item", "i_id", null=0.2))),
    (2, _change("order_line", amount=_one_of(0, 1200, 1_000_000), supply_w_id=_near("warehouse", "w_id"))),
    (2, _change("order_line", o_id=_near("orders", "o_id"))),
    (1, _change("order_line", delivered=_one_of(None, "2026-05-01 10:00:00"))),
    (2, _change("history", c_id=_near("customer", "c_id", null=0.3), amount=_one_of(100, 250_000, 450_000))),
    (1, _change("history", note=_one_of(None, "", "card"), c_w_id=_near("warehouse", "w_id"))),
    (
        3,
        _change(
            "customer",
            email=_one_of(None, "shared@example.org", "x@y"),
            referred_by=_near("customer", "c_id", null=0.4),
        ),
    ),
    (2, _change("customer", balance=_one_of(0, -200_000, 5_000), credit=_one_of("GC", "BC"))),
    (1, _change("customer", last_name=_near("customer", "last_name"))),
    (1, _change("customer", d_id=_near("district", "d_id"))),
    (0.5, _change("warehouse", region=_one_of(*REGIONS), city=_one_of(*CITIES), tax=_one_of(0, 700))),
    (0.5, _change("district", name=_one_of("a", "b"), tax=_one_of(0, 100))),
    (1, _change("orders", line_count=lambda rows, row: row["line_count"])),
    (1, mark_item_lines),
)
DELETES: tuple[tuple[float, Step], ...] = (
    (4, cancel_order),
    (2, _forget("orders")),
    (4, _forget("order_line")),
    (3, _forget("history")),
    (2, _forget("customer")),
    (1, _forget("item")),
    (2, _forget("stock")),
    (1, _forget("new_order")),
    (0.5, reopen_district),
)
BUSINESS: tuple[tuple[float, Step], ...] = (
    (12, new_order),
    (10, payment),
    (6, deliver),
    (2, join_customer),
    (1, list_item),
)


def _scaled(steps: tuple[tuple[float, Step], ...], factor: float) -> tuple[tuple[float, Step], ...]:
    return tuple((weight * factor, step) for weight, step in steps)


STEPS: Mapping[str, tuple[tuple[float, Step], ...]] = MappingProxyType(
    {
        "mixed": (*BUSINESS, *_scaled(UPDATES, 0.5), *_scaled(DELETES, 0.5)),
        "deletes": (*_scaled(BUSINESS, 0.1), *DELETES),
        "updates": (*_scaled(BUSINESS, 0.1), *UPDATES),
        "business": (*BUSINESS, *_scaled(DELETES, 0.1)),
    }
)

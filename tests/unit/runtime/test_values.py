"""Values as the ledger stores them, and as people are shown them."""

import datetime
import decimal
import math
import uuid

from tidemark.runtime.values import hash_key, pack, show, unpack

VALUES = (
    None,
    True,
    7,
    -(2**63),
    1.5,
    'it\'s "text" with ü',
    b"\x00\xff",
    decimal.Decimal("1.50"),
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    datetime.date(2026, 1, 2),
    datetime.time(1, 2, 3),
    uuid.UUID(int=5),
    [1, None, "x"],
    math.inf,
    "no UTF-8: \udcff",
)


def test_values_read_back_with_their_types() -> None:
    again = unpack(pack(VALUES))
    assert again == VALUES
    assert [type(value) for value in again] == [type(value) for value in VALUES]
    assert math.isnan(unpack(pack([math.nan]))[0])
    assert len(hash_key(pack(VALUES))) == 32
    assert len(hash_key(pack(["typed, and in no database: \ud800"]))) == 32


def test_values_are_shown_as_they_are_stored() -> None:
    assert [show(value) for value in (None, 3, "a'b", b"\x01")] == ["NULL", "3", '"a\'b"', "x'01'"]

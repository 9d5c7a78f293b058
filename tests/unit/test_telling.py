"""Counts and names for messages: the likeliest name first, and not too many."""

from tidemark.telling import tell_count, tell_near


def test_what_was_meant_comes_first() -> None:
    assert tell_near("is_canceled", ["id", "customer_id", "is_cancelled"]) == "is_cancelled, customer_id, id"
    assert tell_near("POSTS", ["aunts", "Posts"]).startswith("Posts")
    assert tell_near("zzz", ["b", "a", "b"]) == "a, b"


def test_a_long_list_is_cut_and_an_empty_one_is_empty() -> None:
    many = [f"table_{number:02}" for number in range(40)]
    assert tell_near("tabel_39", many).split(", ")[0] == "table_39"
    assert tell_near("nothing like it", many) == f"{', '.join(many[:8])}, …"
    assert tell_near("x", []) == ""


def test_one_thing_is_not_called_many() -> None:
    assert [tell_count(count, "row") for count in (0, 1, 2, 3000)] == ["0 rows", "1 row", "2 rows", "3,000 rows"]

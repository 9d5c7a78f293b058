"""Frozen values as plain data."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from tidemark.plain import as_data


@dataclass(frozen=True)
class Nothing:
    """Has no fields."""


@dataclass(frozen=True)
class Leaf:
    text: str | None
    number: float


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    pairs: tuple[tuple[str, tuple[Leaf, ...]], ...]
    by_name: dict[str, Leaf]
    several: list[Nothing]
    words: frozenset[str]


TREE = Tree(
    (Leaf("a", 1.5), Leaf(None, 0)), (("b", (Leaf("c", 2),)),), {"d": Leaf("e", 3)}, [Nothing()], frozenset("fg")
)


def test_it_is_what_the_standard_library_makes_of_it() -> None:
    assert as_data(TREE) == asdict(TREE)
    assert _kinds(as_data(TREE)) == _kinds(asdict(TREE))
    assert list(as_data(TREE)) == [one.name for one in fields(TREE)]


def test_what_it_gives_can_be_changed() -> None:
    data, before = as_data(TREE), asdict(TREE)
    data["by_name"]["d"]["text"] = "other"
    data["several"].append("more")
    assert asdict(TREE) == before


def _kinds(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _kinds(one) for name, one in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data), [_kinds(one) for one in data]
    return type(data)

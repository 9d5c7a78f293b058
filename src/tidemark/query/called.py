"""Functions in FROM: which may stand there, what columns their rows have, and their form in a resolved tree.

Owns: the list of such functions on each engine. Promises: the rows of a function on the list depend on its arguments alone and
are the same in every session; what is not listed is refused with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Place, Refusal
from tidemark.model import Routine
from tidemark.query.functions import SQLITE_DETERMINISTIC, function_name
from tidemark.query.parse import place_of

ORDINALITY = "ordinality"


@dataclass(frozen=True)
class RowFunction:
    """What is known of a function: its columns' own names (empty = one, called like the item), the column of which no two rows of
    a call share a value, and columns that depend on more than the arguments. A `single` one gives one row at most."""

    columns: tuple[str, ...] = ()
    unique: str | None = None
    unstable: tuple[str, ...] = ()
    single: bool = False


_RECORDS = ("json_to_record", "json_to_recordset", "jsonb_to_record", "jsonb_to_recordset")
"""Functions whose columns and types the query says itself."""
POPULATED = {name.replace("_to_", "_populate_"): name for name in _RECORDS}
"""Functions whose columns are those of a type, and what says them itself."""
_PAIRS = RowFunction(("key", "value"))
_POSTGRES = {
    "unnest": RowFunction(),
    "generate_series": RowFunction(),
    "generate_subscripts": RowFunction(),
    "regexp_split_to_table": RowFunction(),
    "regexp_matches": RowFunction(),
    "string_to_table": RowFunction(),
    "json_array_elements": RowFunction(("value",)),
    "json_array_elements_text": RowFunction(("value",)),
    "jsonb_array_elements": RowFunction(("value",)),
    "jsonb_array_elements_text": RowFunction(("value",)),
    # The text of a json may have a key twice; a jsonb has it once.
    "json_each": _PAIRS,
    "json_each_text": _PAIRS,
    "jsonb_each": RowFunction(("key", "value"), "key"),
    "jsonb_each_text": RowFunction(("key", "value"), "key"),
    "json_object_keys": RowFunction(),
    "jsonb_object_keys": RowFunction(),
    "jsonb_path_query": RowFunction(),
    **{name: RowFunction(single=not name.endswith("set")) for name in _RECORDS},
}
_TREE = RowFunction(
    ("key", "value", "type", "atom", "id", "parent", "fullkey", "path"),
    # How SQLite numbers elements has changed from version to version, and writers bring their own.
    unstable=("id", "parent"),
)
_SQLITE = {"json_each": _TREE, "json_tree": _TREE}
_KNOWN: dict[str, Mapping[str, RowFunction]] = {"sqlite": _SQLITE, "postgres": _POSTGRES}


_TYPES = "TEXT VARCHAR CHAR SMALLINT INT BIGINT DECIMAL FLOAT DOUBLE BOOLEAN UUID JSON JSONB"
_READ_ALIKE = frozenset(exp.DataType.Type[name] for name in _TYPES.split(" "))
"""Types whose values are read from a document without the session's settings."""


@dataclass(frozen=True)
class Call:
    """A function in FROM as it was written: its name, arguments, alias and names of columns as identifiers."""

    name: str
    arguments: tuple[exp.Expression, ...]
    alias: exp.Identifier | None
    columns: tuple[exp.Expression, ...]
    numbered: bool


def call_of(node: exp.Expression, dialect: Dialect) -> Call | None:
    """The function that the item of FROM is, with or without LATERAL; None for any other item."""
    inner = node.this if isinstance(node, exp.Lateral | exp.Table) else node
    if node.args.get("rows_from"):
        raise Refusal(
            Code.UNSUPPORTED,
            "ROWS FROM is not kept true.",
            instead="one function, or unnest of several arrays",
            place=place_of(node, dialect),
        )
    if not isinstance(inner, exp.Unnest | exp.Anonymous):
        return None
    known = {"this", "alias", "ordinality"} | ({"view", "outer"} if isinstance(node, exp.Lateral) else set())
    known |= {"expressions", "offset"} if isinstance(node, exp.Unnest) else set()
    schema = node.args.get("db")
    pinned = schema is not None and schema.name.lower() == "pg_catalog" and dialect.has_schemas
    extra = [key for key, value in node.args.items() if value and key not in known and not (key == "db" and pinned)]
    if extra:
        raise Refusal(
            Code.UNSUPPORTED,
            "A function of this form in FROM is not kept true.",
            instead="a plain call of one function with an alias",
            place=place_of(node, dialect),
        )
    written = node.args.get("alias")
    columns = list(written.args.get("columns") or ()) if written is not None else []
    offset = inner.args.get("offset") if isinstance(inner, exp.Unnest) else None
    columns += [offset] if isinstance(offset, exp.Identifier) else []
    name = "unnest" if isinstance(inner, exp.Unnest) else str(function_name(inner))
    alias = written.this if written is not None else None
    numbered = bool(offset or node.args.get("ordinality"))
    return Call(name, tuple(inner.expressions), alias, tuple(columns), numbered)


def known_function(
    call: Call, node: exp.Expression, dialect: Dialect, routines: Mapping[str, Routine] = MappingProxyType({})
) -> RowFunction:
    """What is known of a function, of the user's `routines` too. Raises `Refusal` where its rows may depend on more than its
    arguments, or nothing is known."""
    found = _KNOWN[dialect.name].get(call.name)
    place = place_of(node, dialect)
    own = routines.get(call.name)
    if found is None and own is not None and own.columns is not None:
        found = _of_the_user(call, own, place)
    if found is None:
        raise _UNKNOWN[dialect.name](call.name, place)
    if any(argument.find(exp.Select) is not None for argument in call.arguments):
        raise Refusal(
            Code.SUBQUERY_SHAPE,
            f"A subquery gives {call.name} in FROM what its rows are made of.",
            instead="the rows of the subquery itself in FROM",
            place=place,
        )
    _require_plain_types(call, place)
    return found


def _unknown_to_sqlite(name: str, place: Place) -> Refusal:
    if name in SQLITE_DETERMINISTIC:
        return Refusal(Code.PARSE, f"{name} gives one value and no rows.", instead="json_each, json_tree", place=place)
    return Refusal(
        Code.UNSUPPORTED,
        f"{name} is no table-valued function that every SQLite has: other connections may not have it.",
        instead="json_each or json_tree, or a table of its own for the rows",
        place=place,
    )


def _unknown_to_postgres(name: str, place: Place) -> Refusal:
    if name in POPULATED:
        return Refusal(
            Code.UNSUPPORTED,
            f"What {name} makes of a type of the user's is not kept true.",
            instead=f"{POPULATED[name]}(…) AS x(a_name its_type, …)",
            place=place,
        )
    return Refusal(
        Code.UNSUPPORTED,
        f"The function {name} in FROM is not kept true.",
        instead=f"one of: {', '.join(sorted(_POSTGRES))}; or a table of its own for the rows",
        place=place,
    )


_UNKNOWN: dict[str, Callable[[str, Place], Refusal]] = {"sqlite": _unknown_to_sqlite, "postgres": _unknown_to_postgres}


def _require_plain_types(call: Call, place: Place) -> None:
    """Values of the types that are said of columns are read alike in every session."""
    typed = [one for one in call.columns if isinstance(one, exp.ColumnDef)]
    if not typed and call.name not in _RECORDS:
        return
    if call.name not in _RECORDS or len(typed) < len(call.columns) or not typed or call.numbered:
        raise Refusal(
            Code.UNSUPPORTED,
            f"{call.name} with types of its columns is not kept true.",
            instead="the names alone, and CAST where they are read",
            place=place,
        )
    for one in typed:
        kind = one.args.get("kind")
        while isinstance(kind, exp.DataType) and kind.this == exp.DataType.Type.ARRAY and kind.expressions:
            kind = kind.expressions[0]
        if not isinstance(kind, exp.DataType) or kind.this not in _READ_ALIKE:
            raise Refusal(
                Code.SESSION_DEPENDENT,
                f"What {call.name} makes of a text in {one.name} may depend on who asks.",
                instead="text for its type, and CAST where it is read",
                place=place,
            )


def _of_the_user(call: Call, own: Routine, place: Place) -> RowFunction:
    if not own.immutable:
        raise Refusal(
            Code.VOLATILE,
            f"{call.name} may give other rows at another time: it is not declared IMMUTABLE.",
            instead=f"ALTER FUNCTION {call.name} IMMUTABLE, if its rows depend on nothing but its arguments; "
            "or a table of its own for the rows",
            place=place,
        )
    columns = own.columns or ()
    return RowFunction(columns if all(columns) else ())


@dataclass(frozen=True)
class Opened:
    """The item in a resolved tree: the names of its columns, the unique and the unstable ones among them, and whether its rows
    are numbered."""

    columns: tuple[str, ...]
    unique: str | None
    numbered: bool
    unstable: tuple[str, ...]
    types: tuple[exp.DataType, ...] = ()
    single: bool = False


def name_columns(call: Call, function: RowFunction, written: str, named: list[str], dialect: Dialect) -> Opened:
    """The columns of an item that is called `written`; `named` are those that the user gave a name."""
    own = function.columns or (written,) * max(1, len(call.arguments) if call.name == "unnest" else 1)
    own += (ORDINALITY,) if call.numbered else ()
    # An array of rows has as many columns as the user says; whether that is all of them, the server knows.
    columns = (*named, *own[len(named) :])
    place = unique_of(call.name, len(call.arguments), dialect)
    unique = columns[place] if place is not None else None
    types = tuple(one.args["kind"] for one in call.columns if isinstance(one, exp.ColumnDef))
    told = columns[-1] if call.numbered else unique
    return Opened(columns, told, call.numbered, function.unstable, types, function.single)


def unique_of(name: str, arguments: int, dialect: Dialect) -> int | None:
    """The place of the column of which no two rows of one call share a value; None where there is none."""
    known = _KNOWN[dialect.name].get(name)
    if known is not None and known.unique is not None:
        return known.columns.index(known.unique)
    # Steps of one; those of intervals may go back.
    return 0 if name == "generate_series" and arguments == 2 else None


def put_in_place(node: exp.Expression, call: Call, alias: str, opened: Opened, dialect: Dialect) -> None:
    """The item in its one form, in the place of the one that the user wrote."""
    columns: list[exp.Expression] = []
    if dialect.language.columns_are_renamed:
        columns = [exp.to_identifier(name, quoted=True) for name in opened.columns]
        if opened.types:
            pairs = zip(columns, opened.types, strict=True)
            columns = [exp.ColumnDef(this=name, kind=kind.copy()) for name, kind in pairs]
    called = exp.Anonymous(this=call.name, expressions=list(call.arguments))
    item = exp.Table(
        this=called,
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True), columns=columns),
        ordinality=opened.numbered or None,
    )
    item.meta.update(node.meta)
    node.replace(item)


def gives_rows(name: str, dialect: Dialect) -> bool:
    """Whether a function is one of those that stand in FROM."""
    return name in _KNOWN[dialect.name]


def gives_one_column(name: str, dialect: Dialect, routines: Mapping[str, Routine]) -> bool:
    """Whether a function gives rows of one column, which are values by themselves."""
    known = _KNOWN[dialect.name].get(name)
    own = routines.get(name)
    if known is not None:
        return len(known.columns) <= 1
    return own is not None and own.columns is not None and len(own.columns) <= 1


def in_from(name: str, dialect: Dialect, routines: Mapping[str, Routine]) -> str:
    """What to write in the place of a function that gives rows where one value is wanted."""
    known = _KNOWN[dialect.name].get(name)
    wanted = "x" if gives_one_column(name, dialect, routines) else f"x.{known.columns[0] if known else 'a_column'}"
    return f"FROM …, {name}(…) AS x, and {wanted} in its place"


def unstable_columns(name: str, dialect: Dialect) -> tuple[str, ...]:
    """Columns of a function's rows that depend on more than its arguments."""
    found = _KNOWN[dialect.name].get(name)
    return found.unstable if found is not None else ()

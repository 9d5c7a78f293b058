"""Which functions may stand in a declaration, and which are refused and why.

Owns: the names of aggregates, SQLite's deterministic functions, names that are volatile everywhere.
Promises: what is not listed is refused; on PostgreSQL the server itself judges volatility afterwards
(`Session.describe` cannot know), so the list there is only of names that are surely wrong.
"""

from __future__ import annotations

import re
from collections.abc import Container

from sqlglot import exp

from tidemark.query.nodes import nodes_of

LINEAR_AGGREGATES: frozenset[str] = frozenset(
    {"count", "sum", "avg", "min", "max", "bool_or", "bool_and", "every", "total"}
)
"""Aggregates with a rule in `maintenance.aggregates`."""

OTHER_AGGREGATES: frozenset[str] = frozenset(
    [
        "array_agg",
        "string_agg",
        "group_concat",
        "json_agg",
        "jsonb_agg",
        "json_object_agg",
        "jsonb_object_agg",
        "json_group_array",
        "json_group_object",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "variance",
        "var_pop",
        "var_samp",
        "corr",
        "covar_pop",
        "covar_samp",
        "regr_avgx",
        "regr_avgy",
        "regr_count",
        "regr_intercept",
        "regr_r2",
        "regr_slope",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
        "bit_and",
        "bit_or",
        "bit_xor",
        "any_value",
        "range_agg",
        "range_intersect_agg",
        "xmlagg",
        "json_agg_strict",
        "jsonb_agg_strict",
        "json_object_agg_strict",
        "json_object_agg_unique",
        "json_object_agg_unique_strict",
        "jsonb_object_agg_strict",
        "jsonb_object_agg_unique",
        "jsonb_object_agg_unique_strict",
        "jsonb_group_array",
        "jsonb_group_object",
        "median",
        "percentile",
    ]
)
"""Aggregates that are computed again, never added up."""

IN_ORDER: frozenset[str] = frozenset(
    [
        "array_agg",
        "string_agg",
        "group_concat",
        "json_agg",
        "jsonb_agg",
        "json_agg_strict",
        "jsonb_agg_strict",
        "json_group_array",
        "jsonb_group_array",
        "json_object_agg",
        "json_object_agg_strict",
        "json_object_agg_unique",
        "json_object_agg_unique_strict",
        "json_group_object",
        "jsonb_group_object",
        "xmlagg",
    ]
)
"""Aggregates whose value depends on the order of the rows."""

LAST_WINS: frozenset[str] = frozenset({"jsonb_object_agg", "jsonb_object_agg_strict"})
"""Aggregates whose value depends on the order of the rows where the first argument is the same."""

WINDOW_ONLY: frozenset[str] = frozenset(
    [
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
    ]
)
"""Functions that only stand with OVER."""

VOLATILE: frozenset[str] = frozenset(
    [
        "random",
        "randomblob",
        "changes",
        "total_changes",
        "last_insert_rowid",
        "now",
        "current_timestamp",
        "current_date",
        "current_time",
        "localtime",
        "localtimestamp",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
        "timeofday",
        "gen_random_uuid",
        "uuid_generate_v4",
        "uuidv4",
        "uuidv7",
        "setval",
        "nextval",
        "currval",
        "lastval",
        "txid_current",
        "pg_current_xact_id",
        "pg_current_snapshot",
        "random_normal",
        "pg_backend_pid",
        "unixepoch_now",
        "load_extension",
        "sqlite_offset",
    ]
)
"""Functions whose value changes by itself."""

CLOCK_OF_UTC: dict[str, dict[str, str]] = {
    "sqlite": {},
    "postgres": {"current_date": "(now() AT TIME ZONE 'UTC')::date", "localtimestamp": "now() AT TIME ZONE 'UTC'"},
}
"""By engine, what is read from the clock in the session's time zone, and the same in one that is nobody's."""

SESSION: frozenset[str] = frozenset(
    [
        "current_user",
        "session_user",
        "user",
        "current_role",
        "current_setting",
        "current_schema",
        "current_schemas",
        "current_catalog",
        "current_database",
        "inet_client_addr",
        "pg_typeof",
    ]
)
"""Functions whose value depends on who asks."""

SQLITE_DETERMINISTIC: frozenset[str] = frozenset(
    [
        "abs",
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "ceil",
        "ceiling",
        "char",
        "coalesce",
        "concat",
        "concat_ws",
        "cos",
        "cosh",
        "date",
        "datetime",
        "degrees",
        "exp",
        "floor",
        "format",
        "glob",
        "hex",
        "if",
        "ifnull",
        "iif",
        "instr",
        "json",
        "json_array",
        "json_array_length",
        "json_extract",
        "json_object",
        "json_patch",
        "json_remove",
        "json_replace",
        "json_set",
        "json_type",
        "json_valid",
        "json_insert",
        "json_quote",
        "julianday",
        "length",
        "like",
        "likelihood",
        "likely",
        "unlikely",
        "ln",
        "log",
        "log10",
        "log2",
        "lower",
        "ltrim",
        "max",
        "min",
        "mod",
        "nullif",
        "octet_length",
        "pi",
        "pow",
        "power",
        "printf",
        "quote",
        "radians",
        "replace",
        "round",
        "rtrim",
        "sign",
        "sin",
        "sinh",
        "soundex",
        "sqrt",
        "strftime",
        "substr",
        "substring",
        "tan",
        "tanh",
        "time",
        "timediff",
        "trim",
        "trunc",
        "typeof",
        "unhex",
        "unicode",
        "unixepoch",
        "upper",
        "zeroblob",
    ]
)
"""SQLite's built-in deterministic functions. An application's own are unknown to other connections' triggers."""

SQLITE_OPTIONAL: frozenset[str] = frozenset(
    [
        *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "sin", "sinh", "tan", "tanh"),
        *(
            "ceil",
            "ceiling",
            "degrees",
            "exp",
            "floor",
            "ln",
            "log",
            "log10",
            "log2",
            "mod",
            "pi",
            "pow",
            "power",
            "radians",
        ),
        *("sqrt", "trunc", "soundex"),
        *("concat", "concat_ws", "if", "octet_length", "timediff", "unhex"),
    ]
)
"""Those that SQLite may be compiled without, and those that came after the version that is required: who writes may have none, or
one of its own in its place, as some applications give themselves."""

SQLITE_TIME: frozenset[str] = frozenset(["date", "time", "datetime", "julianday", "strftime", "unixepoch", "timediff"])
"""SQLite functions that read the clock without an argument, or with 'now'."""

CLOCK_WORDS = re.compile(r"\b(now|today|tomorrow|yesterday)\b", re.IGNORECASE)
"""Words that PostgreSQL reads from the clock in a literal of a time type."""

TIME_TYPES = ("date", "time", "timestamp")
"""Beginnings of the names of PostgreSQL's time types."""

TIME_ARGUMENT = {"strftime": 1}
"""Index of the time value among a time function's arguments, where it is not the first."""


_NAMES: dict[type[exp.Expr], str] = {
    **{kind: kind.key for kind in (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)},
    exp.GroupConcat: "string_agg",
    exp.CurrentDate: "current_date",
    exp.CurrentTime: "current_time",
    exp.CurrentTimestamp: "current_timestamp",
    exp.Localtime: "localtime",
    exp.Localtimestamp: "localtimestamp",
    exp.CurrentUser: "current_user",
    exp.SessionUser: "session_user",
    exp.CurrentCatalog: "current_catalog",
    exp.CurrentSchema: "current_schema",
}
"""Calls that are no `exp.Anonymous`: the plain aggregates, and functions that are called without parentheses."""


def is_like(node: exp.Expression) -> bool:
    """Whether a node is LIKE, as an operator or as a call."""
    return isinstance(node, exp.Like) or function_name(node) == "like"


def function_name(node: exp.Expr) -> str | None:
    """The lower-case name when `node` is a call of a function, else None."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    return _NAMES.get(type(node))


AGGREGATE = "aggregate"
"""On a call: it is one of an aggregate of the user's."""
_HYPOTHETICAL = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})


def mark_aggregates(tree: exp.Expression, own: Container[str]) -> None:
    """Tell calls of the user's aggregates from those of functions."""
    for node in nodes_of(tree, exp.Anonymous):
        if function_name(node) in own:
            node.meta[AGGREGATE] = True


def is_aggregate(node: exp.Expr) -> bool:
    """True for a call of an aggregate (SQLite's MIN and MAX of several arguments are scalar functions)."""
    name = function_name(node)
    if name is None:
        return False
    if isinstance(node, exp.Anonymous) and node.meta_get(AGGREGATE):
        return True
    if name in _HYPOTHETICAL:
        return isinstance(node.parent, exp.WithinGroup)
    if isinstance(node, exp.Min | exp.Max):
        return not node.expressions
    return name in LINEAR_AGGREGATES or name in OTHER_AGGREGATES

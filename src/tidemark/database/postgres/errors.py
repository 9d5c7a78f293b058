"""What PostgreSQL's errors mean for us.

Owns: `translate`. Promises: an error of the driver becomes a `Conflict`, a `Refusal` or a `Fault` with the server's own
sentence in it, on one line and without a password.
"""

from __future__ import annotations

import re

import psycopg

from tidemark.database.session import Cancelled, Conflict, Exhausted, Taken, TooLong, Unacceptable
from tidemark.database.urls import Address
from tidemark.dialect import POSTGRESQL
from tidemark.errors import Code, Fault, Place, Refusal

_CANCELLED = "57014"
# Cardinality, data exception, integrity, a raised exception, a view's check option: the rows are to blame.
_UNACCEPTABLE = ("21", "22", "23", "P0", "44")
# A limit of the program: a row is too long for an index.
_TOO_LONG = "54000"
_OF_ITS_OWN = "each of its values as a column of its own"
_OF_ANOTHER = (
    "What this session had is not there any more, as where a pooler gives each transaction another connection."
)
_DISK_FULL = "53100"
# Resources that run out, files that cannot be read or written, pages that are damaged.
_EXHAUSTED = ("53", "58", "XX001", "XX002")
_LOCKED = "55P03"
# Serialization failure, deadlock, what was prepared is not there, or is already: gone, and worth another try.
_TRANSIENT = frozenset({"40001", "40P01", "26000", "42P05"})
# What PostgreSQL calls an internal error is an object that somebody changed or dropped while we read about it.
_CHANGED = re.compile("tuple concurrently |could not open relation with OID |cache lookup failed for ")
_NAME_TAKEN = frozenset({"42P07", "42710", "42723", "42P06"})
_REFUSED = {
    "42P01": (Code.UNKNOWN_TABLE, "name a table or view that this role sees on its search_path"),
    "3F000": (Code.UNKNOWN_TABLE, "name a schema of this database"),
    "42703": (Code.UNKNOWN_COLUMN, "name a column of the tables in the query"),
    "42702": (Code.UNKNOWN_COLUMN, "say of which table the column is"),
    "42P10": (Code.UNKNOWN_COLUMN, "name a column of the query"),
    "0A000": (Code.UNSUPPORTED, "write it in another way"),
    "25006": (Code.READ_ONLY, "connect to the primary server, in a session that may write"),
    "2BP01": (Code.DROP_NOT_ALLOWED, "drop what depends on it first"),
    "42701": (Code.DECLARATION, "give each column a name of its own with AS"),
}
_NAMED = re.compile(r'permission denied for (?P<kind>[\w ]+?) (?P<quote>"?)(?P<name>.+?)(?P=quote)$')
_OWNED = re.compile(r'must be owner of (?P<kind>[\w ]+?) (?P<quote>"?)(?P<name>.+?)(?P=quote)$')
_GRANTS = {
    "table": "SELECT, TRIGGER ON",
    "view": "SELECT ON",
    "sequence": "USAGE ON SEQUENCE",
    "schema": "USAGE, CREATE ON SCHEMA",
    "database": "CREATE, TEMPORARY ON DATABASE",
    "function": "EXECUTE ON FUNCTION",
    "type": "USAGE ON TYPE",
}


def translate(error: psycopg.Error, address: Address, role: str, query: str | None = None, shift: int = 0) -> Exception:
    """What to raise for `error`. `query` is the user's text, if that is what failed; it begins after `shift` characters."""
    said = address.hide(error.diag.message_primary or str(error) or type(error).__name__)
    found = _of_others(error, f"{address.label}: {said}") or _of_users(error, address, said, role, query, shift)
    if found is not None:
        return found
    if is_lost(error):
        return Fault(
            f"the connection to {address.label} was lost: {said}",
            left_behind="the transaction was either committed whole or not at all",
        )
    return _of_statement(error, address, said)


def _of_others(error: psycopg.Error, told: str) -> Exception | None:
    """What somebody else is the cause of, so that trying again may do."""
    state, said = error.sqlstate or "", error.diag.message_primary or ""
    if state == _CANCELLED and "statement timeout" in said:
        return TooLong(told)
    if state == _CANCELLED:
        return Cancelled(told)
    if state == _LOCKED:
        return Taken(told)
    if state in _TRANSIENT:
        return Conflict(told)
    if state == "XX000" and _CHANGED.match(said) or state == "23505" and error.diag.schema_name == "pg_catalog":
        return Conflict(told)
    return None


def _of_users(
    error: psycopg.Error, address: Address, said: str, role: str, query: str | None, shift: int
) -> Refusal | None:
    """What the user can act on."""
    state, hint = error.sqlstate or "", address.hide(error.diag.message_hint or "")
    if state == "42501":
        return Refusal(Code.PRIVILEGE, f"PostgreSQL says: {said}.", instead=_grant(said, role))
    if state in _NAME_TAKEN:
        return Refusal(
            Code.NAME_TAKEN,
            f"PostgreSQL says: {said}.",
            instead="choose another name, or remove the object that has it",
        )
    if state in ("3F000", "42P01") and '"pg_temp' in said:
        return Refusal(Code.UNSUPPORTED, _OF_ANOTHER, instead="name the server's own address, not that of a pooler")
    if state in _REFUSED:
        code, instead = _REFUSED[state]
        detail = address.hide(error.diag.message_detail or "")
        reason = f"PostgreSQL says: {said}" + (f" ({detail})." if detail else ".")
        return Refusal(code, reason, instead=hint or instead, place=_place(error, query, shift))
    if state.startswith("42"):
        return Refusal(
            Code.PARSE,
            f"PostgreSQL says: {said}.",
            instead=hint or (_OF_ITS_OWN if "pseudo-type record" in said else "write a query that PostgreSQL accepts"),
            place=_place(error, query, shift),
        )
    return None


def _of_statement(error: psycopg.Error, address: Address, said: str) -> Exception:
    """What the statement, its data or the server's room was the cause of; it left nothing behind."""
    state, detail = error.sqlstate or "", address.hide(error.diag.message_detail or "")
    whole = f"{said} ({detail})" if detail else said
    if state.startswith(_UNACCEPTABLE):
        return Unacceptable(f"{address.label}: {whole}", left_behind="the transaction was rolled back")
    if state == _TOO_LONG:
        cause = (
            f"{address.label}: {whole}; what identifies a row has to fit into an index, which takes 2,704 bytes of it"
        )
        return Unacceptable(cause, left_behind="the transaction was rolled back")
    if state == _DISK_FULL:
        cause = f"no room is left on a disk of the server of {address.label}: {whole}"
        return Exhausted(cause, left_behind="the transaction was rolled back; make room first")
    if state.startswith(_EXHAUSTED):
        return Exhausted(f"{address.label}: {whole}", left_behind="the transaction was rolled back")
    return Fault(f"{address.label}: {whole}", left_behind="the transaction was rolled back")


def is_lost(error: psycopg.Error) -> bool:
    """True when the connection is gone."""
    state = error.sqlstate or ""
    return state.startswith(("08", "57P", "25P03", "25P04")) or (
        not state and isinstance(error, psycopg.OperationalError)
    )


def explain_connection(error: psycopg.Error, address: Address) -> Fault:
    """The fault for a connection that could not be had."""
    said = address.hide(str(error)) or type(error).__name__
    return Fault(f"cannot connect to {address.label}: {said.removeprefix('connection failed: ')}")


def _grant(said: str, role: str) -> str:
    who = POSTGRESQL.quote(role) if role else "the role that Tidemark connects as"
    if (owned := _OWNED.search(said)) is not None:
        return f"connect as the owner of {owned['name']}, or run: GRANT <its owner> TO {who}"
    denied = _NAMED.search(said)
    if denied is None:
        return f"give {who} the right that is missing"
    kind, name = denied["kind"], denied["name"]
    if kind == "schema" and name == POSTGRESQL.schema or kind in ("table", "sequence") and name.startswith("_"):
        return (
            "connect as the role that applied, or as a member of it; a role that only looks (doctor, history, serve) wants: "
            f"GRANT USAGE ON SCHEMA {POSTGRESQL.schema} TO {who}; "
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {POSTGRESQL.schema} TO {who}"
        )
    privileges = _GRANTS.get(kind, "SELECT, TRIGGER ON")
    return f"run as its owner: GRANT {privileges} {POSTGRESQL.quote(name)} TO {who}"


def _place(error: psycopg.Error, query: str | None, shift: int) -> Place | None:
    position = error.diag.statement_position
    if query is None or position is None or not position.isdigit():
        return None
    offset = int(position) - 1 - shift
    if not 0 <= offset <= len(query):
        return None
    before = query[:offset]
    word = re.match(r'"(?:[^"]|"")*"|[\w.]+|\S?', query[offset:])
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"), word.group() if word else "")

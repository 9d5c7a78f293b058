"""The statements of the ledger: named, with a purpose, the same ones on both engines."""

import re
from pathlib import Path

import pytest

import tidemark.runtime
from tidemark.dialect import POSTGRESQL, SQLITE
from tidemark.errors import Fault
from tidemark.names import ledger
from tidemark.runtime.statements import find_statement, load_statements, parse_statements

RUNTIME = Path(tidemark.runtime.__file__).parent
ALONE = re.compile(r"^(fact|warn|drop)_|^create_(schema|clock)$")


def test_what_a_part_says_both_engines_have_and_no_text_lacks() -> None:
    parts = [
        set(re.findall(r"^-- part: (\w+)", path.read_text(), re.MULTILINE))
        for path in sorted(RUNTIME.glob("facts.*.sql"))
    ]
    assert len(parts) == 2 and parts[0] == parts[1]
    shared = "\n".join(path.read_text() for path in RUNTIME.rglob("*.sql"))
    assert all(f"{{{part}}}" in shared for part in parts[0])


def test_both_engines_have_the_same_statements_each_with_a_purpose() -> None:
    sqlite, postgres = (load_statements(name) for name in ("sqlite", "postgres"))
    mine, other = ({name for name in found if not ALONE.match(name)} for found in (sqlite, postgres))
    assert mine == other
    for statement in (*sqlite.values(), *postgres.values()):
        # Several in one text stand apart on lines of their own.
        assert statement.purpose and all(";" not in step for step in statement.text.split("\n;\n"))
        assert statement.text


def test_every_statement_that_the_code_names_is_there_and_every_one_there_is_named() -> None:
    code = "\n".join(path.read_text() for path in RUNTIME.parent.rglob("*.py"))
    for engine in ("sqlite", "postgres"):
        for name in load_statements(engine):
            assert f'"{name}"' in code or re.match(r"^(fact|warn|create)_", name), name
    for name in re.findall(r'ledger\.(?:run|value|all|text)\(\s*"(\w+)"', code):
        assert name in load_statements("sqlite") and name in load_statements("postgres"), name


def test_the_ledger_uses_the_names_that_everyone_else_uses() -> None:
    for dialect in (SQLITE, POSTGRESQL):
        text = " ".join(one.text for one in load_statements(dialect.name).values())
        for table in ("meta", "derived", "checkpoint", "run", "drift", "lease"):
            assert f"CREATE TABLE {ledger(dialect, table).replace(chr(34), '')} (" in text


@pytest.mark.parametrize(
    "text", ["-- name: a\n-- why\n", "-- name: a\nSELECT 1;\n", "-- name: a\n-- w\nX;\n-- name: a\n-- w\nY;\n"]
)
def test_a_bad_statement_file_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="'a'"):
        parse_statements(text)


def test_what_statements_have_in_common_is_written_once() -> None:
    text = "-- part: who\n-- w\nSELECT 1 AS n\n\n-- name: a\n-- w\nWITH x AS ({who}) TABLE x;\n-- name: b\n-- w\n{who} {other};\n"
    found = {name: statement.text for name, statement in parse_statements(text).items()}
    assert found == {"a": "WITH x AS (SELECT 1 AS n) TABLE x", "b": "SELECT 1 AS n {other}"}


def test_an_unknown_statement_is_a_fault() -> None:
    with pytest.raises(Fault):
        find_statement("sqlite", "nonsense")

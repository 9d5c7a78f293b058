"""A database and a definitions file, asked through the command line; and a picture of the database, to see that nothing changed.

Owns: `Town`. Promises: `refused` and `failed` hold every problem against the same four demands: the exit code, the family and
code, one sentence with a hint, and a database that is as it was.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.findings.place import connect
from tidemark.cli import main
from tidemark.errors import Code, Exit


@dataclass
class Town:
    """`url` is the database, `folder` where the definitions are."""

    url: str
    folder: Path

    @property
    def is_sqlite(self) -> bool:
        """True on SQLite."""
        return self.url.startswith("sqlite:")

    def run(self, *statements: str) -> None:
        """Run statements as a plain client."""
        with contextlib.closing(connect(self.url)) as client:
            for statement in statements:
                client.execute(statement)

    def rows(self, query: str) -> list[Any]:
        """Every row of a query."""
        with contextlib.closing(connect(self.url)) as client:
            return list(client.execute(query).fetchall())

    def stored(self) -> list[Any]:
        """Every row of the store of the derived table that `declare` names, which readers do not see while it is filled."""
        return self.rows(f"SELECT * FROM {'tidemark_derived_one' if self.is_sqlite else 'tidemark.derived_one'}")

    def declare(self, query: str, name: str = "derived_one", **options: Any) -> None:
        """Write definitions with one derived table."""
        words = "".join(f", {option}={value!r}" for option, value in options.items())
        text = f"from tidemark import Project\nproject = Project('town')\nproject.derive({name!r}, query={query!r}{words})\n"
        (self.folder / "derived.py").write_text(text, encoding="utf-8")

    def ask(self, command: str, *words: str, url: str | None = None) -> tuple[int, dict[str, Any]]:
        """The exit code and the JSON answer of a command."""
        out = io.StringIO()
        where = ["--database", url or self.url, "--definitions", str(self.folder / "derived.py"), "--json"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = main([command, *words, *where])
        return code, json.loads(out.getvalue())

    def picture(self) -> list[str]:
        """Every object and every row of the database."""
        if self.is_sqlite:
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as client:
                objects = client.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2").fetchall()
                names = [name.replace('"', '""') for type_, name, _ in objects if type_ == "table"]
                rows = [(name, row) for name in names for row in client.execute(f'SELECT * FROM "{name}"').fetchall()]
                return [str(found) for found in (*objects, *rows)]
        with psycopg.connect(self.url, autocommit=True) as client:
            found = [str(row) for row in client.execute(_OBJECTS).fetchall()]
            for schema, name in client.execute(_TABLES).fetchall():
                texts = client.execute(
                    sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(schema, name))
                )
                found += [f"{schema}.{name} {row}" for row in texts.fetchall()]
            return found

    def refused(
        self, code: Code, *words: str, place: str | None = None, command: tuple[str, ...] = ("apply", "--yes")
    ) -> str:
        """Both `plan` and the command are refused for that reason; gives the reason. `place` stands in the text pointed at."""
        before = self.picture()
        for typed in (("plan",), command):
            exit_code, answer = self.ask(*typed)
            error = answer.get("error", {})
            assert (exit_code, error.get("family"), error.get("code")) == (Exit.REFUSED, "refusal", code.value), answer
            _check_sentence(error["reason"], error["instead"], words)
            if place is not None:
                assert error["place"] is not None and place in error["place"]["text"], error
        assert self.picture() == before
        return str(error["reason"])

    def failed(self, *words: str, command: tuple[str, ...] = ("apply", "--yes"), url: str | None = None) -> str:
        """The command fails with a fault and exit code 1; gives the cause."""
        exit_code, answer = self.ask(*command, url=url)
        error = answer.get("error", {})
        assert (exit_code, error.get("family")) == (Exit.ERROR, "fault"), answer
        assert "report it" not in error["cause"] and error["left_behind"]
        _check_sentence(error["cause"], "-", words)
        return str(error["cause"])

    def fine(self, command: str, *words: str) -> dict[str, Any]:
        """The command ends with 0; gives its answer."""
        exit_code, answer = self.ask(command, *words)
        assert exit_code == Exit.OK, answer
        return answer


def _check_sentence(reason: str, instead: str, words: tuple[str, ...]) -> None:
    assert 10 <= len(reason) <= 400 and instead, (reason, instead)
    assert not re.search(r"Traceback|\bobject at 0x|\bNone\b|sqlite3\.|psycopg\.", reason), reason
    for word in words:
        assert word.lower() in f"{reason} {instead}".lower(), (word, reason, instead)


_TABLES = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_temp'
ORDER BY 1, 2"""
_OBJECTS = """SELECT n.nspname, c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT nspname, '', 'schema' FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
UNION ALL SELECT tgrelid::regclass::text, tgname, 'trigger' FROM pg_trigger
UNION ALL SELECT pronamespace::regnamespace::text, proname, 'function' FROM pg_proc
WHERE pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
ORDER BY 1, 2, 3"""

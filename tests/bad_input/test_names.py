"""Names that bite: quotes, spaces, unicode, reserved words, percent, colon, and as long as names can be.

A plain run takes every other name on each engine, and those that one takes are not those of the other; another turn changes
them over.
"""

import pytest

from tests.bad_input.town import Town
from tests.kit.size import in_turn
from tidemark.errors import Code

HOSTILE = (
    "with space",
    'double " quote',
    "single ' quote",
    "percent %s %d %(x)s %",
    "colon :name ::text :0",
    "semi;colon",
    "-- dashes",
    "/* comment */",
    "select",
    "Grüße 潮 🌊",
    "UPPER lower",
    "back\\slash \\x41",
    "dollar $1 $$ $tidemark$",
    "a.b",
    "[bracket]",
    "`tick`",
    "{brace} {0}",
    "new\nline",
    "rowid",
    "old",
    "new",
    "n",
    "excluded",
    "r",
    "v0",
    "k0",
    "s",
    "u",
    "d",
    "w",
    "x",
    "t",
    "b",
    "taken",
    "written",
    "deltas",
    "xid",
    "weight",
    "id",
)
FRESHNESS = pytest.mark.parametrize("freshness", ["commit", "tick"])


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@FRESHNESS
def test_hostile_names_everywhere(town: Town, freshness: str) -> None:
    """As table, columns, alias, output and derived table; install, write, verify, explain and remove."""
    text = "from tidemark import Project\nproject = Project('hostile')\n"
    queries: dict[str, str] = {}
    taken = [name for number, name in enumerate(HOSTILE) if in_turn(number + town.is_sqlite, 3)]
    # Every name meets the triggers that compute; a third of them is enough for those that only log.
    names = taken if freshness == "commit" else taken[::3]
    for name in names:
        table, column, other = quoted(name), quoted(name), quoted(name + " too")
        town.run(
            f"DROP TABLE IF EXISTS {table}",
            f"CREATE TABLE {table} (number INTEGER PRIMARY KEY, {column} INTEGER, {other} INTEGER)",
            f"INSERT INTO {table} VALUES (1, 1, 5), (2, 1, 6), (3, NULL, 7)",
        )
        queries[name + " out"] = (
            f"SELECT {table}.{column} AS {column}, count(*) AS {quoted(name + ' n')}, max({other}) AS {other} "
            f"FROM {table} GROUP BY {table}.{column}"
        )
        text += f"project.derive({name + ' out'!r}, query={queries[name + ' out']!r}, freshness={freshness!r})\n"
    (town.folder / "derived.py").write_text(text, encoding="utf-8")
    town.fine("plan", "--explain")
    town.fine("apply", "--yes")
    assert town.fine("plan")["changes"] is False
    for name in names:
        table, column, other = quoted(name), quoted(name), quoted(name + " too")
        town.run(
            f"INSERT INTO {table} VALUES (4, 2, 8), (5, NULL, 9)",
            f"UPDATE {table} SET {column} = 2 WHERE number = 1",
            f"DELETE FROM {table} WHERE {other} = 6",
        )
    town.fine("tick")
    for public, query in queries.items():
        assert sorted(town.rows(f"SELECT * FROM {quoted(public)}"), key=str) == sorted(town.rows(query), key=str), (
            public
        )
    assert town.fine("verify")["clean"] is True
    for command in ("status", "sql", "history", "doctor"):
        town.fine(command)
    town.fine("explain", names[0] + " out")
    before = set(town.picture())
    town.fine("uninstall", "--yes")
    assert set(town.picture()) <= before


@FRESHNESS
def test_names_as_long_as_names_can_be(town: Town, freshness: str) -> None:
    """Two derived tables over two sources whose long names begin alike get objects of their own."""
    long = "l" * 62
    for end in ("1", "2"):
        town.run(
            f"CREATE TABLE {long}{end} (id INTEGER PRIMARY KEY, {'c' * 62}{end} INTEGER)",
            f"INSERT INTO {long}{end} VALUES (1, {end})",
        )
    text = "from tidemark import Project\nproject = Project('long')\n"
    for end in ("1", "2"):
        query = f"SELECT {'c' * 62}{end}, count(*) AS n FROM {long}{end} GROUP BY 1"
        text += f"project.derive({'d' * 62 + end!r}, query={query!r}, freshness={freshness!r})\n"
    (town.folder / "derived.py").write_text(text)
    town.fine("apply", "--yes")
    for end in ("1", "2"):
        town.run(f"INSERT INTO {long}{end} VALUES (2, 7), (3, 7)")
    town.fine("tick")
    assert sorted(town.rows(f"SELECT * FROM {'d' * 62}2")) == [(2, 1), (7, 2)]
    assert town.fine("verify")["clean"] is True
    assert town.fine("plan")["changes"] is False
    town.fine("uninstall", "--yes")


def test_a_name_of_64_bytes_is_refused_where_it_stands(town: Town) -> None:
    for name in ("x" * 64, "ü" * 32):
        town.declare("SELECT id, v FROM t", name=name)
        town.refused(Code.NAME, "63", "derived.py:3")


@pytest.mark.parametrize("name", ["", " ", "_mine", "tidemark_x", "sqlite_x", "pg_x", "counts_g2", "a\0b"])
def test_a_name_that_no_derived_table_can_have(town: Town, name: str) -> None:
    town.declare("SELECT id, v FROM t", name=name)
    town.refused(Code.NAME)


def test_two_tables_that_differ_by_case_only(pg: Town) -> None:
    pg.run('CREATE TABLE "T" (id int PRIMARY KEY, "V" int, v int)', 'INSERT INTO "T" VALUES (1, 2, 3)')
    pg.declare('SELECT "V", v, count(*) AS n FROM "T" GROUP BY "V", v', name="Derived")
    pg.fine("apply", "--yes")
    pg.run('INSERT INTO "T" VALUES (2, 2, 3), (3, 3, 2)')
    assert sorted(pg.rows('SELECT * FROM "Derived"')) == [(2, 3, 2), (3, 2, 1)]
    assert pg.fine("verify")["clean"] is True


def test_names_ignore_case_on_sqlite(lite: Town) -> None:
    lite.run('CREATE TABLE "MiXed" ("Id" INTEGER PRIMARY KEY, "VaL" INTEGER)', "INSERT INTO mixed VALUES (1, 2)")
    lite.declare("SELECT VAL AS val, count(*) AS n FROM mixed GROUP BY val")
    lite.fine("apply", "--yes")
    lite.run("INSERT INTO MIXED VALUES (2, 2)")
    assert lite.rows("SELECT * FROM derived_one") == [(2, 2)]
    assert lite.fine("verify")["clean"] is True


@pytest.mark.parametrize("name", ["ctid", "xmin", "tableoid"])
def test_keys_called_as_columns_of_the_system(pg: Town, name: str) -> None:
    """No table of PostgreSQL can have such a column: refused, and the refusal names it."""
    pg.declare(f"SELECT v AS {name}, count(*) AS n FROM t GROUP BY v")
    code, answer = pg.ask("apply", "--yes")
    assert code == 5 and name in answer["error"]["reason"] and answer["error"]["instead"], answer

"""The first file: what ``tidemark init`` writes.

Owns: the example and where it goes. Promises: never overwrites a file and never writes a password; tables of the database, if
it can be read, are named in the example.
"""

from __future__ import annotations

from pathlib import Path

from tidemark.cli.outcome import Outcome
from tidemark.cli.settings import Settings
from tidemark.database.open import open_session
from tidemark.errors import Code, Refusal

EXAMPLE = '''"""Derived tables of this application. See them with `tidemark plan`, make them true with `tidemark apply`."""

from tidemark import Project

project = Project("{project}")

# Tables of the database: {tables}
#
# project.derive(
#     "thread_stats",
#     key="thread_id",
#     query="""
#         SELECT thread_id, count(*) AS post_count, max(created_at) AS last_post_at
#         FROM posts
#         GROUP BY thread_id
#     """,
# )
'''


def write_start(settings: Settings, typed_database: str | None) -> Outcome:
    """Write the definitions file and, where there is a ``pyproject.toml``, the settings. Raises `Refusal` when it is there."""
    file = settings.folder / settings.definitions
    if file.suffix != ".py":
        raise Refusal(Code.DEFINITIONS, f"{settings.definitions} is no file", instead="say --definitions derived.py")
    if file.exists():
        raise Refusal(Code.DEFINITIONS, f"{file} is there already", instead="edit it, then run `tidemark plan`")
    tables = _list_tables(settings.database)
    file.write_text(EXAMPLE.format(project=Path.cwd().name.replace('"', ""), tables=tables), encoding="utf-8")
    wrote = [str(file)]
    noted = _write_settings(settings, typed_database)
    if noted is not None:
        wrote.append(noted)
    database = "" if settings.database else " and name the database (--database or TIDEMARK_DATABASE)"
    text = f"wrote {' and '.join(wrote)}. Next: edit {file.name}{database}, then tidemark plan"
    return Outcome(text, {"wrote": wrote, "tables": tables})


def _list_tables(database: str | None) -> str:
    if database is None:
        return "name the database to see them here"
    session = open_session(database, role="reader")
    try:
        return ", ".join(sorted(table.label for table in session.catalog().tables.values())) or "none yet"
    finally:
        session.close()


def _write_settings(settings: Settings, typed_database: str | None) -> str | None:
    """Add ``[tool.tidemark]`` to the ``pyproject.toml`` here, when it has none; give the file's name."""
    file = settings.folder / "pyproject.toml"
    if not file.is_file() or "[tool.tidemark]" in file.read_text(encoding="utf-8"):
        return None
    lines = ["", "[tool.tidemark]", f'definitions = "{settings.definitions}"']
    # An address with a name and a password in it does not belong into a file that is shared.
    if typed_database is not None and "@" not in typed_database:
        lines.append(f"database = '{typed_database}'")
    with file.open("a", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    return str(file)

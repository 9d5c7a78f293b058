"""PostgreSQL: the order of flushes, shared by every derived table at commit freshness.

Owns: ``_flushes``, the list of them, and ``_flush_all``, which calls those of a transaction in one fixed order. Promises: two
transactions that touch the same derived tables lock their rows in the same order, what is read before what reads it: the flush of
a table that reads another one's rows may be called for by the flush of that one. What is flushed does not depend on the order:
every remembered row has its own deferred trigger.

Partitioned sources that a flush reads are locked, for reading only, before the first stored row is: a transaction that
truncates a leaf would otherwise wait for our rows while we wait for its leaf.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.model import Table
from tidemark.render.postgres_triggers import dollar
from tidemark.render.statements import Store
from tidemark.script import Piece

_WEAVE = """
DECLARE
  locks text;
  calls text;
BEGIN
  IF add THEN
    INSERT INTO tidemark._flushes AS f (name, reads, writes, sources) VALUES (flush, coalesce(reads, ''), writes, sources)
    ON CONFLICT (name) DO UPDATE SET reads = excluded.reads, writes = excluded.writes, sources = excluded.sources;
  ELSE
    DELETE FROM tidemark._flushes WHERE name = flush;
  END IF;
  -- Several flushes may keep columns of one table of the application's, which they read, too: none of them comes first.
  WITH RECURSIVE edges AS (
    SELECT u.name AS above, r.name AS below FROM tidemark._flushes AS u JOIN tidemark._flushes AS r
      ON u.writes && r.sources AND NOT u.writes && r.writes
  ), deep AS (
    SELECT f.name, 0 AS level FROM tidemark._flushes AS f
    UNION
    SELECT e.below, d.level + 1 FROM deep AS d JOIN edges AS e ON e.above = d.name
      WHERE d.level < (SELECT count(*) FROM tidemark._flushes)
  ), ordered AS (
    SELECT f.name, f.reads, format('%L', ' ' || f.name || ' ') AS mark,
           row_number() OVER (ORDER BY (SELECT max(d.level) FROM deep AS d WHERE d.name = f.name), f.name COLLATE "C") AS place
    FROM tidemark._flushes AS f
  )
  SELECT coalesce(string_agg(format('  IF strpos(armed, %s) > 0 THEN LOCK TABLE %s IN ACCESS SHARE MODE; END IF;',
                                    o.mark, o.reads), chr(10) ORDER BY o.place) FILTER (WHERE o.reads <> ''), ''),
         coalesce(string_agg(format('  IF strpos(armed || current_setting(''tidemark.armed''), %s) > 0 THEN
    PERFORM set_config(''tidemark.armed'', replace(current_setting(''tidemark.armed''), %s, ''''), true);
    PERFORM tidemark.%I();
  END IF;', o.mark, o.mark, o.name), chr(10) ORDER BY o.place), '')
  INTO locks, calls FROM ordered AS o;
  EXECUTE 'CREATE OR REPLACE FUNCTION tidemark._flush_all(armed text) RETURNS void LANGUAGE plpgsql '
    || 'SET search_path = pg_catalog, pg_temp AS '
    || quote_literal('BEGIN' || chr(10) || locks || chr(10) || calls || chr(10) || 'END');
END
"""

_ONCE = """
BEGIN
  CREATE TABLE IF NOT EXISTS tidemark._flushes (
    name text PRIMARY KEY, reads text NOT NULL, writes text[] NOT NULL, sources text[] NOT NULL);
  PERFORM tidemark._weave('', false);
END
"""


def arm_pieces() -> tuple[Piece, ...]:
    """The shared objects, each safe to create again; they go with the schema."""
    weave = (
        "CREATE OR REPLACE FUNCTION tidemark._weave(flush text, add boolean, reads text DEFAULT '', "
        "writes text[] DEFAULT '{}', sources text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql "
        f"SET search_path = pg_catalog, pg_temp AS {dollar(_WEAVE)}"
    )
    return (
        Piece("step", "tidemark._weave", weave, "SELECT 1"),
        Piece("step", "tidemark._flushes", f"DO {dollar(_ONCE)}", "SELECT 1"),
    )


def weave(store: Store, reads: list[str], sources: Iterable[Table], shown_in: str) -> Piece:
    """Put the flush of a derived table into the one flush of a transaction, at its place in the fixed order. `reads` are the
    tables that it locks, `sources` those whose changes it takes, `shown_in` the application's one that it writes, too."""
    names, literal = store.names, store.dialect.literal

    def listed(labels: list[str]) -> str:
        return f"ARRAY[{', '.join(map(literal, labels))}]::text[]"

    writes = [f"tidemark.{names.plain('')}", *([shown_in] if shown_in else [])]
    flush, known = literal(names.plain("flush")), listed([table.label for table in sources])
    add = f"SELECT tidemark._weave({flush}, true, {literal(', '.join(reads))}, {listed(writes)}, {known})"
    return Piece("step", f"tidemark.{names.plain('flush')} woven", add, f"SELECT tidemark._weave({flush}, false)")

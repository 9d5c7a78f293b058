"""PostgreSQL: the order of flushes, shared by every derived table at commit freshness.

Owns: ``_flushes``, the list of them, and ``_flush_all``, which calls those of a transaction in one fixed order. Promises: two
transactions that touch the same derived tables lock their rows in the same order. What is flushed does not depend on it:
every remembered row has its own deferred trigger.

Partitioned sources that a flush reads are locked, for reading only, before the first stored row is: a transaction that
truncates a leaf would otherwise wait for our rows while we wait for its leaf.
"""

from __future__ import annotations

from tidemark.render.postgres_triggers import dollar
from tidemark.script import Piece

_WEAVE = """
DECLARE
  locks text;
  calls text;
BEGIN
  IF add THEN
    INSERT INTO tidemark._flushes AS f (name, reads) VALUES (flush, coalesce(reads, ''))
    ON CONFLICT (name) DO UPDATE SET reads = excluded.reads;
  ELSE
    DELETE FROM tidemark._flushes WHERE name = flush;
  END IF;
  SELECT coalesce(string_agg(format('  IF strpos(armed, %L) > 0 THEN LOCK TABLE %s IN ACCESS SHARE MODE; END IF;',
                                    ' ' || f.name || ' ', f.reads), chr(10)
                             ORDER BY f.name COLLATE "C") FILTER (WHERE f.reads <> ''), ''),
         coalesce(string_agg(format('  IF strpos(armed, %L) > 0 THEN PERFORM tidemark.%I(); END IF;',
                                    ' ' || f.name || ' ', f.name), chr(10) ORDER BY f.name COLLATE "C"), '')
  INTO locks, calls FROM tidemark._flushes AS f;
  EXECUTE 'CREATE OR REPLACE FUNCTION tidemark._flush_all(armed text) RETURNS void LANGUAGE plpgsql '
    || 'SET search_path = pg_catalog, pg_temp AS '
    || quote_literal('BEGIN' || chr(10) || locks || chr(10) || calls || chr(10) || 'END');
END
"""

_ONCE = """
BEGIN
  CREATE TABLE IF NOT EXISTS tidemark._flushes (name text PRIMARY KEY, reads text NOT NULL);
  PERFORM tidemark._weave('', false, '');
END
"""


def arm_pieces() -> tuple[Piece, ...]:
    """The shared objects, each safe to create again; they go with the schema."""
    weave = (
        "CREATE OR REPLACE FUNCTION tidemark._weave(flush text, add boolean, reads text) RETURNS void LANGUAGE plpgsql "
        f"SET search_path = pg_catalog, pg_temp AS {dollar(_WEAVE)}"
    )
    return (
        Piece("step", "tidemark._weave", weave, "SELECT 1"),
        Piece("step", "tidemark._flushes", f"DO {dollar(_ONCE)}", "SELECT 1"),
    )

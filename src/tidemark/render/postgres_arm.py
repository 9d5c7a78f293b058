"""PostgreSQL: the arm, shared by every derived table at commit freshness.

Owns: the ``_armed`` table, whose deferred constraint trigger is the only one we have, and the one flush of a transaction.
Promises: whatever a transaction wrote, its derived tables are flushed once, at its end, in one fixed order; a transaction that
is armed for a table whose flush is not known fails instead of losing deltas.
"""

from __future__ import annotations

from tidemark.render.postgres_capture import dollar
from tidemark.script import Piece

_WEAVE = """
DECLARE
  calls text;
  names text;
BEGIN
  IF add THEN
    INSERT INTO tidemark._flushes (name) VALUES (flush) ON CONFLICT DO NOTHING;
  ELSE
    DELETE FROM tidemark._flushes WHERE name = flush;
  END IF;
  SELECT coalesce(string_agg(format('  IF %L = ANY (armed) THEN PERFORM tidemark.%I(); END IF;', name, name), chr(10)
                             ORDER BY name COLLATE "C"), ''),
         coalesce(string_agg(quote_literal(name), ', '), '')
  INTO calls, names FROM tidemark._flushes;
  EXECUTE 'CREATE OR REPLACE FUNCTION tidemark._flush_all() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER '
    || 'SET search_path = pg_catalog, pg_temp AS $flush$
DECLARE
  armed text[];
BEGIN
  WITH gone AS (DELETE FROM tidemark._armed WHERE xid = pg_current_xact_id() RETURNING flush)
  SELECT array_agg(gone.flush) INTO armed FROM gone;
  IF armed IS NULL THEN RETURN NULL; END IF;
  IF NOT armed <@ ARRAY[' || names || ']::text[] THEN
    RAISE EXCEPTION ''Tidemark: no flush is known for %'', armed;
  END IF;
' || calls || '
  RETURN NULL;
END
$flush$';
END
"""

_ONCE = """
BEGIN
  CREATE UNLOGGED TABLE IF NOT EXISTS tidemark._armed (
    xid xid8 NOT NULL, flush text NOT NULL, PRIMARY KEY (xid, flush)
  );
  CREATE TABLE IF NOT EXISTS tidemark._flushes (name text PRIMARY KEY);
  PERFORM tidemark._weave('', false);
  IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_trigger WHERE tgrelid = 'tidemark._armed'::regclass AND tgname = '_flush') THEN
    CREATE CONSTRAINT TRIGGER _flush AFTER INSERT ON tidemark._armed DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION tidemark._flush_all();
    ALTER TABLE tidemark._armed ENABLE ALWAYS TRIGGER _flush;
  END IF;
END
"""


def arm_pieces() -> tuple[Piece, ...]:
    """The shared objects, each safe to create again; they go with the schema."""
    weave = (
        "CREATE OR REPLACE FUNCTION tidemark._weave(flush text, add boolean) RETURNS void LANGUAGE plpgsql "
        f"SET search_path = pg_catalog, pg_temp AS {dollar(_WEAVE)}"
    )
    return (
        Piece("step", "tidemark._weave", weave, "SELECT 1"),
        Piece("step", "tidemark._armed", f"DO {dollar(_ONCE)}", "SELECT 1"),
    )

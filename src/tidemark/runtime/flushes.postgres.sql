-- The order of flushes on PostgreSQL: what every derived table at commit freshness shares. Each text may be run again, and all of them
-- are whenever a ledger is converted.
--
-- `_flushes` lists the flushes, `_flush_all` calls those of a transaction in one fixed order, and `_weave` writes it anew when a flush
-- comes or goes: two transactions that touch the same derived tables lock their rows in the same order, what is read before what reads
-- it, since the flush of a table that reads another one's rows may be called for by the flush of that one. What is flushed does not
-- depend on the order: every remembered row has its own deferred trigger. Sources that a flush reads are locked, for reading only,
-- before the first stored row is: a transaction that truncates a leaf would otherwise wait for our rows while we wait for its leaf.

-- name: create_flushes
-- Every flush: the tables that it locks, those that it writes, and those whose changes it takes.
CREATE TABLE IF NOT EXISTS tidemark._flushes (
    name TEXT NOT NULL PRIMARY KEY,
    reads TEXT NOT NULL,
    writes TEXT[] NOT NULL,
    sources TEXT[] NOT NULL
);

-- name: create_weave
-- Put a flush into the order, or take it out, and write the order anew.
CREATE OR REPLACE FUNCTION tidemark._weave(flush text, add boolean, reads text DEFAULT '', writes text[] DEFAULT ARRAY[]::text[],
    sources text[] DEFAULT ARRAY[]::text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $tidemark$
#variable_conflict use_column
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
$tidemark$;

-- name: create_flush_all
-- The one flush of a transaction, as the order is now.
SELECT tidemark._weave('', false);

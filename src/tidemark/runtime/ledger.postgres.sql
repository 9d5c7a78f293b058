-- The ledger on PostgreSQL: the bookkeeping statements that are a text of its own here. The others are in ledger.sql.

-- name: exists
-- One number: how many of the ledger's first table are there, 0 or 1.
SELECT count(*) FROM pg_catalog.pg_class
WHERE relname = '_meta' AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'tidemark');

-- name: has_schema
-- One number: whether there is a schema of that name.
SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = :name;

-- name: create_schema
-- Everything of ours lives here, so that removing it is one statement.
CREATE SCHEMA IF NOT EXISTS tidemark;

-- name: create_clock
-- The database's clock, some seconds ahead, as RFC 3339 text in UTC. The quoted colons are no parameters.
CREATE OR REPLACE FUNCTION tidemark._clock(ahead float8) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog
RETURN to_char(
    (clock_timestamp() + ahead * interval '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'
);

-- name: create_mark
-- How far each source without triggers is scanned: every row up to `mark` was looked at (NULL = before the first). A scan that
-- is under way goes to `target`; at `inside` it exhausts a position that is too big for one batch, behind the row `behind`. Positions
-- up to `settled` are final; `candidate` is the next one as soon as `lockers` have ended.
CREATE TABLE tidemark._mark (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    source TEXT NOT NULL,
    mark TEXT,
    target TEXT,
    inside TEXT,
    behind TEXT NOT NULL DEFAULT '',
    settled TEXT,
    candidate TEXT,
    lockers TEXT NOT NULL DEFAULT '[]',
    scanned_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation, source)
);

-- name: create_moment
-- The time that each derived table which reads the clock was last made true for.
CREATE TABLE tidemark._moment (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_outbox
-- Every event of a crossing: which row of which derived table reached which threshold, and whether somebody was told.
CREATE TABLE tidemark._outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    derived TEXT NOT NULL,
    column_name TEXT NOT NULL,
    threshold NUMERIC NOT NULL,
    key TEXT NOT NULL,
    old_row TEXT,
    new_row TEXT NOT NULL,
    once INTEGER NOT NULL,
    position bigint,
    time TEXT,
    happened TEXT NOT NULL DEFAULT tidemark._clock(0),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    delivered TEXT,
    alike bigint
);

-- name: list_meta
-- Facts about the ledger whose name begins with a word.
SELECT key FROM tidemark._meta WHERE starts_with(key, :prefix) ORDER BY key;

-- name: list_adopted
-- How each adoption stands, by the name of its fact.
SELECT key, value FROM tidemark._meta WHERE starts_with(key, :prefix) ORDER BY key;

-- name: list_broken_index
-- The statement that drops an index of that name which was never finished. That of a partitioned table cannot be dropped while
-- writers go on, but it has no rows and is dropped in a moment.
SELECT CASE c.relkind WHEN 'I' THEN 'DROP INDEX ' ELSE 'DROP INDEX CONCURRENTLY ' END || CAST(i.indexrelid AS regclass)
FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE i.indexrelid = to_regclass(CAST(:index AS text)) AND NOT i.indisvalid;

-- name: read_patience
-- How long a statement of this session may wait for a lock.
SELECT current_setting('lock_timeout');

-- name: set_session_patience
-- How long a statement of this session may wait for a lock from now on.
SELECT set_config('lock_timeout', CAST(:patience AS text), false);

-- name: may_read_cluster
-- Whether the identity of the cluster can be asked for: 1 or 0.
SELECT CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN 1 ELSE 0 END;

-- name: read_cluster
-- What identifies the cluster; copies of its files and promoted standbys keep it, another cluster has another.
SELECT 'cluster ' || CAST(system_identifier AS text) FROM pg_control_system();

-- name: read_database
-- What identifies the database within its cluster, where the role may not ask for more.
SELECT 'database ' || CAST(oid AS text) FROM pg_catalog.pg_database WHERE datname = current_database();

-- name: forget_future
-- Changes with transaction numbers that this cluster has not given yet: they were made in another one.
DELETE FROM {log} WHERE xid >= pg_snapshot_xmax(pg_current_snapshot());

-- part: lacking_rights
-- The roles that run functions of ours behind triggers (`behind`), and what of ours each may not use that it needs (`lacking`).
behind AS (
    SELECT DISTINCT g.tgrelid, p.proowner FROM pg_trigger AS g
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('tidemark')
    WHERE NOT (SELECT r.rolsuper FROM pg_roles AS r WHERE r.oid = p.proowner)
), lacking AS (
    SELECT o.proowner, CAST('schema tidemark' AS text) AS what, CAST('USAGE ON SCHEMA tidemark' AS text) AS gives
    FROM (SELECT DISTINCT b.proowner FROM behind AS b) AS o WHERE NOT has_schema_privilege(o.proowner, 'tidemark', 'USAGE')
    UNION ALL
    SELECT o.proowner, 'tidemark.' || c.relname, format('SELECT, INSERT, UPDATE, DELETE ON tidemark.%I', c.relname)
    FROM (SELECT DISTINCT b.proowner FROM behind AS b) AS o
    JOIN pg_class AS c ON c.relnamespace = to_regnamespace('tidemark') AND c.relkind = 'r'
    WHERE NOT (has_table_privilege(o.proowner, c.oid, 'SELECT') AND has_table_privilege(o.proowner, c.oid, 'INSERT')
               AND has_table_privilege(o.proowner, c.oid, 'UPDATE') AND has_table_privilege(o.proowner, c.oid, 'DELETE'))
      AND EXISTS (SELECT FROM pg_proc AS f WHERE f.pronamespace = c.relnamespace AND f.proowner = o.proowner
                  AND strpos(f.prosrc, 'INTO "tidemark"."' || replace(c.relname, '"', '""') || '"') > 0)
)

-- name: read_facts
-- What the watched sources are now, read with whole names: of whom, source, part, its definition, which one it is, when it was touched, and whether it
-- matters that such a part comes or goes. A partition that was made as one began empty, and its rows went by the triggers: it has
-- columns from before its place in the tree, and all from one transaction, and is no foreign one. One that was attached brought rows along: taking its
-- place, every column was written anew. Which transaction gave it its place tells whether it was elsewhere since, where nobody saw
-- what was written. TRUNCATE gives it other files, and no trigger of ours tells of that before the next apply: of such a partition
-- is known which files it has, and its first ones have its own number.
-- What nothing tells of when it is written, or is hidden from whoever keeps rows, comes last: whose rows are among a source's
-- (a child), by whose name a source is written too (a parent, a subscription), from which role rows are hidden, and which role
-- runs functions of ours without the rights that they need, so that whoever writes the source fails.
-- A function means what those mean that its text calls, and an aggregate what its functions do.
-- A text of the query that is a value of an enum is none any more where that has another name.
-- DETACH PARTITION CONCURRENTLY that waits, or was cancelled, leaves a partition that fires its triggers and is no part of the whole.
-- A trigger of its own that somebody has switched since it was marked may have been off meanwhile; what a partition has of it comes with
-- the trigger or with the partition's place. A whole row has every column of its table.
WITH RECURSIVE watched AS (
    SELECT w ->> 'of' AS of, w ->> 'store' AS store, w ->> 'source' AS source, ARRAY(SELECT json_array_elements_text(w -> 'columns')) AS columns,
        w ->> 'shown' AS shown, w ->> 'kept' AS kept, ARRAY(SELECT json_array_elements_text(w -> 'keeps')) AS keeps,
        ARRAY(SELECT json_array_elements_text(w -> 'fires')) AS fires
    FROM json_array_elements(CAST(:watches AS json)) AS w
), tables AS (
    SELECT w.of, w.store, w.source, w.columns, w.fires, c.oid, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity
    FROM watched AS w JOIN pg_class AS c ON c.relkind IN ('r', 'p') JOIN pg_namespace AS n ON n.oid = c.relnamespace
        AND w.source = CASE WHEN n.nspname = 'public' THEN CAST(c.relname AS text) ELSE n.nspname || '.' || c.relname END
), columns AS MATERIALIZED (
    -- By the index of names: the planner takes arrays of names for longer than they are.
    SELECT t.of, t.source, a.* FROM tables AS t CROSS JOIN LATERAL (
        SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated, a.attnotnull, a.xmin AS written
        FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attname = ANY (t.columns) AND NOT a.attisdropped OFFSET 0) AS a
), shown AS (
    -- A table of the user's where rows of ours are shown: by updates where each of its rows is one of the source's, else by inserts
    -- and deletes, too.
    SELECT DISTINCT w.of, w.kept, w.keeps, c.oid, CASE WHEN n.nspname = 'public' THEN CAST(c.relname AS text) ELSE n.nspname || '.' || c.relname END AS label,
        CASE WHEN EXISTS (SELECT FROM tables AS t WHERE t.of = w.of AND t.oid = c.oid) THEN 16 ELSE 28 END AS events
    FROM watched AS w JOIN pg_class AS c ON c.oid = to_regclass(nullif(w.shown, '')) JOIN pg_namespace AS n ON n.oid = c.relnamespace
), tree AS (
    -- The server's own function for this waits for whoever holds a partition, or the whole, for a migration.
    SELECT DISTINCT t.oid AS root, i.inhrelid AS relid FROM tables AS t JOIN pg_inherits AS i ON i.inhparent = t.oid
    WHERE t.relkind = 'p' AND NOT i.inhdetachpending
    UNION ALL
    SELECT r.root, i.inhrelid FROM tree AS r JOIN pg_inherits AS i ON i.inhparent = r.relid WHERE NOT i.inhdetachpending
), members AS (
    SELECT t.of, t.source, t.fires, t.oid AS root, CAST(r.relid AS regclass) AS relid FROM tables AS t JOIN tree AS r ON r.root = t.oid
), emptied AS (
    -- Before-triggers of ours that tell of TRUNCATE, and all of them: a partition without those of the whole came after they were made.
    SELECT x.relid, count(*) FILTER (WHERE CAST(g.tgtype AS integer) & 2 <> 0) AS before
    FROM (SELECT relid FROM members UNION SELECT root FROM members) AS x JOIN pg_trigger AS g ON g.tgrelid = x.relid
        JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('tidemark')
    WHERE CAST(g.tgtype AS integer) & 32 <> 0 GROUP BY x.relid
), untold AS MATERIALIZED (
    SELECT DISTINCT m.root, m.relid, pg_relation_filenode(m.relid) AS files FROM members AS m LEFT JOIN emptied AS r ON r.relid = m.root
    WHERE NOT EXISTS (SELECT FROM emptied AS e WHERE e.relid = m.relid AND e.before >= coalesce(r.before, 0))
), users AS (
    SELECT p.oid, p.proname, p.prosrc, p.prosqlbody, '\m' || regexp_replace(p.proname, '(\W)', '\\\1', 'g') || '\M"?\s*\(' AS calls
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.oid >= 16384 AND n.nspname <> 'tidemark' AND n.nspname !~ '^pg_(toast_)?temp_'
        AND (EXISTS (SELECT FROM watched WHERE source LIKE '%()') OR EXISTS (SELECT FROM pg_cast WHERE oid >= 16384)
            OR EXISTS (SELECT FROM pg_operator WHERE oid >= 16384))
), meant AS (
    SELECT w.of, w.source, u.oid FROM watched AS w JOIN users AS u ON w.source LIKE '%()' AND u.proname = CAST(left(w.source, -2) AS name)
    UNION
    SELECT a.of, u.proname || '()', u.oid FROM columns AS a JOIN (
        SELECT castsource, castfunc FROM pg_cast WHERE oid >= 16384
        UNION ALL SELECT oprleft, oprcode FROM pg_operator WHERE oid >= 16384
        UNION ALL SELECT oprright, oprcode FROM pg_operator WHERE oid >= 16384
    ) AS k (type, called) ON k.type = a.atttypid JOIN users AS u ON u.oid = k.called
    UNION
    SELECT m.of, m.source, u.oid FROM meant AS m JOIN users AS o ON o.oid = m.oid LEFT JOIN pg_aggregate AS a ON a.aggfnoid = m.oid
    JOIN users AS u ON u.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
        OR o.prosrc ~* u.calls OR CAST(o.prosqlbody AS text) ~ (':funcid ' || u.oid || '\M')
), {lacking_rights}
SELECT t.of, t.source, 'table', '', CAST(t.oid AS text),
       concat_ws(' ', pg_relation_filenode(t.oid),
                 (SELECT string_agg(CAST(pg_relation_filenode(m.relid) AS text), ' ' ORDER BY m.relid)
                  FROM members AS m WHERE m.of = t.of AND m.source = t.source)), 0, 1
FROM tables AS t
UNION ALL
SELECT w.of, w.source, 'query', '', md5(regexp_replace(CAST(r.ev_action AS text), ':(location|stmt_len|relid ' || c.oid || '\M) ?[-0-9]*', '', 'g')), '', 0, 0
FROM watched AS w JOIN pg_class AS c ON c.relkind = 'v' JOIN pg_namespace AS n ON n.oid = c.relnamespace
    AND w.source = CASE WHEN n.nspname = 'public' THEN CAST(c.relname AS text) ELSE n.nspname || '.' || c.relname END
    JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.ev_type = '1'
UNION ALL
SELECT m.of, m.source, 'text', '',
       md5(string_agg(concat_ws(' ', CAST(p.oid AS regprocedure), p.prosrc, p.probin, p.prosqlbody, p.proconfig, a.*), ' ' ORDER BY p.oid)), '', 0, 0
FROM meant AS m JOIN pg_proc AS p ON p.oid = m.oid LEFT JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
GROUP BY m.of, m.source
UNION ALL
SELECT m.of, m.source, 'header', '',
       md5(string_agg(concat_ws(' ', pg_get_function_arguments(p.oid), p.proisstrict, p.prolang), ' ' ORDER BY p.oid)), '', 0, 0
FROM meant AS m JOIN pg_proc AS p ON p.oid = m.oid
GROUP BY m.of, m.source
UNION ALL
SELECT w.of, w.source, 'value', '', string_agg(DISTINCT CAST(e.oid AS text), ' '), '', 0, 1
FROM watched AS w JOIN pg_enum AS e ON w.source = quote_literal(e.enumlabel) JOIN columns AS a ON a.of = w.of
    JOIN pg_type AS y ON y.oid = a.atttypid AND e.enumtypid IN (y.oid, y.typelem, y.typbasetype)
GROUP BY w.of, w.source
UNION ALL
SELECT a.of, a.source, 'column ' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), (SELECT o.collname FROM pg_collation AS o WHERE o.oid = a.attcollation),
                 CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END),
       CAST(a.attnum AS text), CAST(a.written AS text), 0, 1
FROM columns AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT s.of, s.label, 'kept column ' || a.attname, format_type(a.atttypid, a.atttypmod), concat_ws(' ', s.oid, a.attnum), '', 0, 1
FROM shown AS s JOIN pg_attribute AS a ON a.attrelid = s.oid AND a.attname = ANY (s.keeps) AND NOT a.attisdropped
UNION ALL
SELECT a.of, a.source, 'NOT NULL of column ' || a.attname, '', '', '', 0, 1
FROM columns AS a WHERE a.attnotnull AND NOT EXISTS (
    SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey))
UNION ALL
SELECT a.of, a.source, 'type of column ' || a.attname,
       string_agg(format('%I %s', f.attname, format_type(f.atttypid, f.atttypmod)), ', ' ORDER BY f.attnum),
       string_agg(CAST(f.attnum AS text), ' ' ORDER BY f.attnum), '', 0, 0
FROM columns AS a JOIN pg_type AS y ON y.oid = a.atttypid JOIN pg_type AS p ON p.typtype = 'c' AND p.oid IN (y.oid, y.typelem, y.typbasetype)
    JOIN pg_attribute AS f ON f.attrelid = p.typrelid AND f.attnum > 0 AND NOT f.attisdropped
GROUP BY a.of, a.source, a.attname
UNION ALL
SELECT m.of, m.source, 'partition ' || n.nspname || '.' || c.relname, '', CAST(CAST(m.relid AS oid) AS text), concat_ws(' ', i.xmin, u.files),
       CASE WHEN c.relkind <> 'f' AND i.xmin = y.xmin AND coalesce(u.files = CAST(m.relid AS oid), true) AND EXISTS (
           SELECT FROM pg_attribute AS a WHERE a.attrelid = m.relid AND a.attnum > 0 AND NOT a.attisdropped
               AND a.xmin = i.xmin AND CAST(CAST(a.cmin AS text) AS int8) < CAST(CAST(i.cmin AS text) AS int8)
       ) THEN 0 ELSE 1 END, 1
FROM members AS m JOIN pg_class AS c ON c.oid = m.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_inherits AS i ON i.inhrelid = m.relid JOIN pg_type AS y ON y.oid = c.reltype
    LEFT JOIN untold AS u ON u.root = m.root AND u.relid = m.relid
UNION ALL
SELECT t.of, t.source, 'unique key ' || CASE WHEN k.plain THEN '(' || k.columns || ')'
           ELSE substr(pg_get_indexdef(i.indexrelid), strpos(pg_get_indexdef(i.indexrelid), '(')) END, '', '', '', 0, 1
FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indexprs IS NULL
    JOIN pg_class AS c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL (
        -- The server's own function for this waits for whoever holds the table for a migration. What it says of most keys is plain.
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY n.place) AS columns, bool_and(a.attname = ANY (t.columns)) AS read,
            i.indpred IS NULL AND i.indnatts = i.indnkeyatts AND c.reloptions IS NULL AND NOT i.indnullsnotdistinct AND bool_and(
                i.indoption[n.place] = 0 AND i.indcollation[n.place] IN (0, a.attcollation) AND o.opcdefault
                AND (o.opcintype = a.atttypid OR (format_type(a.atttypid, NULL), o.opcintype) = ('character varying', CAST('text' AS regtype)))
            ) AS plain
        FROM generate_series(0, i.indnkeyatts - 1) AS n (place) JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = i.indkey[n.place]
            JOIN pg_opclass AS o ON o.oid = i.indclass[n.place]
    ) AS k
WHERE k.read
UNION ALL
SELECT t.of, t.source, 'trigger ' || g.tgname, '', '',
       coalesce(string_agg(CAST(g.xmin AS text), ' ' ORDER BY g.oid) FILTER (WHERE CASE WHEN g.tgparentid = 0
           THEN d.xmin IS DISTINCT FROM g.xmin ELSE coalesce(g.xmin NOT IN (r.xmin, i.xmin), true) END), ''), 0, 0
FROM (SELECT of, source, fires, oid FROM tables UNION ALL SELECT of, source, fires, relid FROM members) AS t
    JOIN pg_trigger AS g ON g.tgrelid = t.oid AND g.tgname = ANY (t.fires)
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('tidemark')
    LEFT JOIN pg_description AS d ON d.objoid = g.oid AND d.classoid = CAST('pg_trigger' AS regclass) AND d.objsubid = 0
    LEFT JOIN pg_trigger AS r ON r.oid = g.tgparentid LEFT JOIN pg_inherits AS i ON i.inhrelid = g.tgrelid
GROUP BY t.of, t.source, g.tgname
UNION ALL
SELECT w.of, w.source, 'whole row', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), '', '', 0, 0
FROM watched AS w JOIN pg_class AS c ON c.relkind IN ('r', 'p') JOIN pg_namespace AS n ON n.oid = c.relnamespace
    AND w.source = CASE WHEN n.nspname = 'public' THEN CAST(c.relname AS text) ELSE n.nspname || '.' || c.relname END || '.*'
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY w.of, w.source
UNION ALL
SELECT t.of, t.source, 'durability', CASE WHEN EXISTS (
           SELECT FROM (SELECT t.oid UNION ALL SELECT m.relid FROM members AS m WHERE m.of = t.of AND m.source = t.source) AS o
               JOIN pg_class AS k ON k.oid = o.oid WHERE k.relkind = 'r' AND k.relpersistence = 'u'
       ) THEN 'unlogged' ELSE 'logged' END, '', '', 0, 0
FROM tables AS t
UNION ALL
SELECT t.of, t.source, 'child ' || n.nspname || '.' || c.relname, '', '', '', 1, 0
FROM tables AS t JOIN pg_inherits AS i ON i.inhparent = t.oid JOIN pg_class AS c ON c.oid = i.inhrelid AND NOT c.relispartition
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
UNION ALL
SELECT t.of, t.source, 'parent ' || n.nspname || '.' || c.relname, '', '', '', 1, 0
FROM tables AS t JOIN pg_inherits AS i ON i.inhrelid = t.oid JOIN pg_class AS c ON c.oid = i.inhparent
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.relkind <> 'p'
UNION ALL
SELECT t.of, t.source, 'subscription ' || s.subname, '', '', '', 1, 0
FROM tables AS t JOIN pg_subscription_rel AS r ON r.srrelid = t.oid JOIN pg_subscription AS s ON s.oid = r.srsubid
WHERE t.relkind <> 'p'
UNION ALL
SELECT t.of, t.source, 'row security for ' || r.rolname, '', '', '', 1, 0
FROM tables AS t JOIN pg_roles AS r ON t.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls)
    AND (t.relforcerowsecurity OR NOT pg_has_role(r.oid, t.relowner, 'USAGE'))
WHERE r.oid IN (SELECT p.proowner FROM pg_proc AS p WHERE p.pronamespace = to_regnamespace('tidemark'))
    OR (r.rolname = current_user AND has_table_privilege('tidemark._run', 'INSERT'))
UNION ALL
SELECT t.of, t.source, format('trigger %I on tidemark.%I, which may change or lose rows of ours, beside those', g.tgname, c.relname),
       '', '', '', 2, 0
FROM tables AS t JOIN pg_class AS c ON c.relnamespace = to_regnamespace('tidemark') AND c.relkind = 'r'
        AND ('tidemark.' || c.relname = t.store OR c.relname LIKE '\_%')
    JOIN pg_trigger AS g ON g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND CAST(g.tgtype AS integer) & 3 = 3
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace <> c.relnamespace
UNION ALL
SELECT t.of, t.source, format('rule %I on tidemark.%I, which may lose rows of ours, beside those', r.rulename, c.relname), '', '', '', 2, 0
FROM tables AS t JOIN pg_class AS c ON c.relnamespace = to_regnamespace('tidemark') AND c.relkind = 'r'
        AND ('tidemark.' || c.relname = t.store OR c.relname LIKE '\_%')
    JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.is_instead
UNION ALL
SELECT t.of, t.source, format('table tidemark.%I, which a crash would empty, beside those', c.relname), '', '', '', 2, 0
FROM tables AS t JOIN pg_class AS c ON c.relnamespace = to_regnamespace('tidemark') AND c.relkind = 'r' AND c.relpersistence = 'u'
        AND ('tidemark.' || c.relname = t.store OR c.relname LIKE '\_%') AND c.relname NOT LIKE '\_pending\_%'
UNION ALL
SELECT t.of, t.source, format('half-detached partition %I.%I', n.nspname, c.relname), '', '', '', 2, 0
FROM tables AS t JOIN pg_inherits AS i ON i.inhdetachpending AND (i.inhparent = t.oid OR i.inhparent IN (
        SELECT m.relid FROM members AS m WHERE m.of = t.of AND m.source = t.source))
    JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
UNION ALL
SELECT w.of, w.label, format('trigger %I, which may change or lose what is kept there, among those', g.tgname), '', '', '', 1, 0
FROM shown AS w JOIN pg_trigger AS g ON g.tgrelid = w.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'
        AND CAST(g.tgtype AS integer) & 3 = 3 AND CAST(g.tgtype AS integer) & w.events <> 0
    JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace <> to_regnamespace('tidemark')
    JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname NOT IN ('internal', 'c')
WHERE p.prosrc ~* '\mreturn\s+null\M|\mnew\s*:?=|\minto\s+new\M|\mexecute\M|\mskip\M|\mmodify\M' OR p.prosrc ~* w.kept
    OR (p.prosrc ~* '\mreturn\s+old\M' AND CAST(g.tgtype AS integer) & 8 = 0)
UNION ALL
SELECT w.of, w.label, format('rule %I, which may lose what is kept there, among those', r.rulename), '', '', '', 1, 0
FROM shown AS w JOIN pg_rewrite AS r ON r.ev_class = w.oid AND r.is_instead AND r.ev_enabled <> 'D'
    AND r.ev_type IN ('2', CASE WHEN w.events > 16 THEN '3' END, CASE WHEN w.events > 16 THEN '4' END)
UNION ALL
SELECT t.of, t.source, format('role %s, which may not use %s, behind triggers', CAST(b.proowner AS regrole), l.what), '', '', '', 2, 0
FROM tables AS t JOIN behind AS b ON b.tgrelid = t.oid OR b.tgrelid IN (
        SELECT m.relid FROM members AS m WHERE m.of = t.of AND m.source = t.source)
    JOIN LATERAL (
        SELECT l.what FROM lacking AS l WHERE l.proowner = b.proowner
        UNION ALL SELECT t.source WHERE NOT has_table_privilege(b.proowner, t.oid, 'SELECT')
    ) AS l ON true;

-- name: was_loaded_beside_captures
-- Whether a restore wrote the ledger when triggers of ours were there already, which then captured the rows of the sources, too. A
-- whole dump makes triggers when all rows are there. Some row of the ledger is as it came: what is written later is younger, too.
SELECT EXISTS (
    SELECT FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid AND p.pronamespace = to_regnamespace('tidemark')
    WHERE g.tgparentid = 0 AND NOT EXISTS (
        SELECT FROM tidemark._meta AS m WHERE age(m.xmin) > age(g.xmin)
            OR (m.xmin = g.xmin AND CAST(CAST(m.cmin AS text) AS int8) <= CAST(CAST(g.cmin AS text) AS int8))));

-- name: read_anchor
-- Which database this is for what `read_facts` tells: after a logical restore everything has another number.
SELECT concat_ws(' ', (SELECT value FROM tidemark._meta WHERE key = 'cluster'),
                 (SELECT CAST(d.oid AS text) FROM pg_database AS d WHERE d.datname = current_database()),
                 CAST(CAST('tidemark._meta' AS regclass) AS oid));

-- name: list_numbered
-- The tables of ours that number their rows: the sequence, the quoted table, the quoted column.
SELECT pg_get_serial_sequence(CAST(CAST(a.attrelid AS regclass) AS text), a.attname), CAST(CAST(a.attrelid AS regclass) AS text),
    quote_ident(a.attname)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE a.attidentity <> '' AND NOT a.attisdropped AND c.relnamespace = to_regnamespace('tidemark') AND c.relkind = 'r';

-- name: pass_numbers
-- Let one of them go on behind the last row that is there.
SELECT setval(CAST(:numbers AS regclass), greatest(max({column}), nextval(CAST(:numbers AS regclass)))) FROM {table};

-- name: read_sweep
-- How far the newest sweep has come, how many seconds ago it began, how many ago the last complete one began, and whether it
-- has ended: 1 or 0.
SELECT done, total, drift, CAST(extract(epoch FROM clock_timestamp() - CAST(began_at AS timestamptz)) AS float8), CAST(extract(epoch FROM clock_timestamp() - CAST(whole_at AS timestamptz)) AS float8), CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END
FROM tidemark._sweep WHERE derived = :derived AND generation = :generation;

-- name: read_clock
-- What time it is for the database.
SELECT CAST(pg_catalog.now() AS text);

-- name: set_moment
-- Record the time that a derived table is made true for from now on, NULL being the database's own.
INSERT INTO tidemark._moment (derived, generation, at) VALUES (:derived, :generation, coalesce(CAST(:at AS timestamptz), pg_catalog.now()))
ON CONFLICT (derived, generation) DO UPDATE SET at = excluded.at;

-- name: list_standing
-- Of every generation: rows that are known to be wrong, the way that was chosen last and why, and its newest sweep as `read_sweep`.
SELECT d.name, d.generation, coalesce(w.wrong, 0), c.way, c.reason, s.done, s.total, s.drift, CAST(extract(epoch FROM clock_timestamp() - CAST(s.began_at AS timestamptz)) AS float8), CAST(extract(epoch FROM clock_timestamp() - CAST(s.whole_at AS timestamptz)) AS float8), CASE WHEN s.ended_at IS NULL THEN 0 ELSE 1 END
FROM tidemark._derived AS d
LEFT JOIN (SELECT derived, generation, count(*) AS wrong FROM tidemark._drift WHERE closed_at IS NULL AND kind <> 'stale'
           GROUP BY derived, generation) AS w ON w.derived = d.name AND w.generation = d.generation
LEFT JOIN tidemark._cost AS c ON c.derived = d.name AND c.generation = d.generation
    AND c.way = (SELECT o.way FROM tidemark._cost AS o WHERE o.derived = d.name AND o.generation = d.generation
                 AND o.times > 0 ORDER BY o.chosen_at DESC, o.way LIMIT 1)
LEFT JOIN tidemark._sweep AS s ON s.derived = d.name AND s.generation = d.generation;

-- name: find_target
-- The snapshot that a seal which begins now goes up to.
SELECT CAST(pg_current_snapshot() AS text);

-- name: set_targets
-- Begin a seal: record the snapshots that it goes up to, a JSON object by source.
UPDATE tidemark._checkpoint SET target = CAST(:moments AS json) ->> source, position = 0, file = ''
WHERE derived = :derived AND generation = :generation;

-- name: move_checkpoints
-- Put the checkpoints of a generation at moments, a JSON object by source: everything up to there is in the rows.
UPDATE tidemark._checkpoint
SET snapshot = CAST(:moments AS json) ->> source, target = NULL, position = 0, even = 0, sealed_at = {now}
WHERE derived = :derived AND generation = :generation;

-- name: look_at_log
-- What a small tick asks of one log: its source, the checkpoint, whether a seal is under way, the moment of now, whether the
-- checkpoint is ahead of the database, whether every row is of its moment, whether changes wait, how many of them concern the table
-- (as many as the limit where there are too many to look), whether a marker is among them, and the portion of the ticks.
SELECT c.source, c.snapshot, CASE WHEN c.target IS NULL THEN 0 ELSE 1 END, CAST(pg_current_snapshot() AS text),
       CASE WHEN pg_snapshot_xmax(s.at) > pg_snapshot_xmax(pg_current_snapshot()) THEN 1 ELSE 0 END, c.even,
       CASE WHEN w.waiting > 0 THEN 1 ELSE 0 END,
       CASE WHEN w.waiting > CAST(:most AS bigint) THEN CAST(:limit AS bigint)
            -- Where nothing went nothing is taken back, and nobody has to look for it.
            WHEN w.gone = 0 THEN w.waiting - w.markers
            ELSE (SELECT CAST(coalesce(sum(g.changes), 0) AS bigint) FROM (
                      SELECT count(*) AS changes FROM (
                          SELECT * FROM {log} AS l WHERE l.xid >= pg_snapshot_xmin(s.at) AND NOT pg_visible_in_snapshot(l.xid, s.at)
                          LIMIT CAST(:most AS bigint) + 1
                      ) AS l GROUP BY l.xid, {concerns} HAVING sum(l.weight) <> 0) AS g) END,
       w.markers, d.portion, d.far
FROM tidemark._checkpoint AS c JOIN tidemark._derived AS d ON d.name = c.derived AND d.generation = c.generation
CROSS JOIN LATERAL (SELECT CAST(c.snapshot AS pg_snapshot) AS at OFFSET 0) AS s
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, count(*) FILTER (WHERE l.weight < 0) AS gone, count(*) FILTER (WHERE l.weight = 0) AS markers
    FROM (SELECT l.weight FROM {log} AS l WHERE l.xid >= pg_snapshot_xmin(s.at) AND NOT pg_visible_in_snapshot(l.xid, s.at)
          LIMIT CAST(:most AS bigint) + 1) AS l
) AS w
WHERE c.derived = :derived AND c.generation = :generation AND c.source = {source};

-- name: seed_mark
-- Where the first scan begins. A mark that is there is never overwritten.
INSERT INTO tidemark._mark (derived, generation, source, mark, settled, scanned_at)
VALUES (:derived, :generation, :source, CAST(:mark AS text), CAST(:mark AS text), {now})
ON CONFLICT (derived, generation, source) DO NOTHING;

-- name: set_candidate
-- Remember the highest position there is, and who may still write positions up to it.
UPDATE tidemark._mark SET candidate = CAST(:candidate AS text), lockers = :lockers
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: settle_mark
-- A position is final: whoever could write it or one before it has ended.
UPDATE tidemark._mark SET settled = CAST(:settled AS text), candidate = NULL, lockers = '[]'
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: go_back
-- The source ends before the mark: its last rows are gone, and positions may be given again.
UPDATE tidemark._mark SET mark = CAST(:mark AS text), settled = CAST(:mark AS text), target = NULL, inside = NULL, behind = '', candidate = NULL, lockers = '[]',
    scanned_at = {now}
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: advance_mark
-- Every row up to the last position of the slice was looked at; its effects are in this transaction too.
UPDATE tidemark._mark SET mark = (SELECT CAST({place} AS text) FROM {slice} ORDER BY {place} DESC LIMIT 1), scanned_at = {now}
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: enter_position
-- A position has more rows than a batch: it is exhausted before the mark moves.
UPDATE tidemark._mark SET inside = (SELECT CAST({place} AS text) FROM {slice} ORDER BY {place} DESC LIMIT 1), behind = ''
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: list_lockers
-- Who may write a source at this moment, prepared transactions too: the virtual transaction, its numbers, whether it is
-- prepared, and what to call it.
SELECT l.virtualtransaction,
       (SELECT CAST(coalesce(json_agg(CAST(x.transactionid AS text)), '[]') AS text) FROM pg_catalog.pg_locks AS x
        WHERE x.locktype = 'transactionid' AND x.granted AND x.virtualtransaction = l.virtualtransaction),
       CASE WHEN l.pid IS NULL THEN 1 ELSE 0 END,
       coalesce('process ' || l.pid, 'a prepared transaction')
FROM pg_catalog.pg_locks AS l
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND (l.relation = CAST(CAST(:table AS regclass) AS oid)
       OR l.relation IN (SELECT CAST(relid AS oid) FROM pg_partition_tree(CAST(:table AS regclass))))
GROUP BY l.virtualtransaction, l.pid
ORDER BY l.virtualtransaction;

-- name: is_ahead
-- Whether a checkpoint is ahead of the database itself, as it is after a restore: 1 or 0.
SELECT CASE WHEN pg_snapshot_xmax(CAST(:snapshot AS pg_snapshot)) > pg_snapshot_xmax(pg_current_snapshot()) THEN 1 ELSE 0 END;

-- name: find_unsealed
-- The generations for which something waits in one log, or whose checkpoint of it is ahead of the database: one question for all
-- who read it.
SELECT c.derived, c.generation FROM tidemark._checkpoint AS c CROSS JOIN LATERAL (SELECT CAST(c.snapshot AS pg_snapshot) AS at OFFSET 0) AS s
WHERE c.source = {source} AND (pg_snapshot_xmax(s.at) > pg_snapshot_xmax(pg_current_snapshot()) OR EXISTS (
    SELECT 1 FROM {log} AS l WHERE l.xid >= pg_snapshot_xmin(s.at) AND NOT pg_visible_in_snapshot(l.xid, s.at)));

-- name: measure_part
-- How many changes a part of a log has, and markers among them; where the next part begins, whether this was the last, and its file.
SELECT c.changes, c.markers, p.next,
       CASE WHEN p.next * CAST(current_setting('block_size') AS bigint) >= pg_relation_size(CAST(:name AS regclass)) THEN 1 ELSE 0 END,
       CAST(pg_relation_filenode(CAST(:name AS regclass)) AS text)
FROM (SELECT CAST(:position AS bigint) + greatest(1, CAST(:limit AS bigint) / 64) AS next) AS p,
     (SELECT count(*) AS changes, count(*) FILTER (WHERE weight = 0) AS markers FROM {log}
      WHERE ctid >= CAST('(' || CAST(:position AS bigint) || ',0)' AS tid)
        AND ctid < CAST('(' || (CAST(:position AS bigint) + greatest(1, CAST(:limit AS bigint) / 64)) || ',0)' AS tid)
        AND xid >= pg_snapshot_xmin(CAST(:previous AS pg_snapshot))
        AND NOT pg_visible_in_snapshot(xid, CAST(:previous AS pg_snapshot))
        AND pg_visible_in_snapshot(xid, CAST(:target AS pg_snapshot))) AS c;

-- name: find_spent
-- Up to where the derived tables that read a log have sealed it. One that failed will begin anew, if
-- at all; one that goes has no checkpoint any more.
SELECT coalesce(string_agg(DISTINCT c.snapshot, '/'), '')
FROM tidemark._checkpoint AS c JOIN tidemark._derived AS d ON d.name = c.derived AND d.generation = c.generation
WHERE c.source = :source AND d.state IN ('backfilling', 'paused', 'verifying', 'live', 'retired');

-- name: lock_log
-- Only when nobody writes at this moment: no writer waits for this, and this waits for none.
LOCK TABLE {log} IN ACCESS EXCLUSIVE MODE NOWAIT;

-- name: is_spent
-- Whether everybody has sealed every row of a log, and whether emptying it at once pays and takes but a moment: 1 or 0.
SELECT CASE WHEN size = 0 OR size > 24 * 1024 * 1024 THEN 0
            WHEN EXISTS (SELECT 1 FROM {log} AS l, unnest(CAST(string_to_array(:spent, '/') AS pg_snapshot[])) AS s
                         WHERE NOT pg_visible_in_snapshot(l.xid, s)) THEN 0
            ELSE 1 END
FROM pg_relation_size(CAST(:log AS regclass)) AS size;

-- name: measure_log
-- How many bytes the rows of a log take, deleted ones included; nothing where there is none.
SELECT coalesce(pg_relation_size(to_regclass(:log)), 0);

-- name: empty_log
-- The file goes as a whole: no row is looked at, and nothing is left for a vacuum.
TRUNCATE {log};

-- name: consume
-- Delete changes that everybody has sealed. What comes after the place of whoever is furthest behind, which is nearly all of a long log
-- until the last has sealed it, is passed over by one comparison; each snapshot is read once for all rows.
DELETE FROM {log}
WHERE ctid = ANY (ARRAY(
    WITH s AS MATERIALIZED (
        SELECT CAST(d.snapshot AS pg_snapshot) AS snapshot
        FROM (
            SELECT DISTINCT c.snapshot
            FROM tidemark._checkpoint AS c JOIN tidemark._derived AS d ON d.name = c.derived AND d.generation = c.generation
            WHERE c.source = :source AND d.state IN ('backfilling', 'paused', 'verifying', 'live', 'retired')
        ) AS d
    )
    SELECT ctid FROM {log} AS l
    WHERE l.xid < coalesce((SELECT min(pg_snapshot_xmax(s.snapshot)) FROM s), '18446744073709551615')
      AND NOT EXISTS (SELECT 1 FROM s WHERE NOT pg_visible_in_snapshot(l.xid, s.snapshot))
    LIMIT :limit
));

-- name: count_changes
-- How many changes of a log are not sealed, counted up to a limit so that the question stays cheap.
SELECT count(*) FROM (SELECT 1 FROM {log} WHERE NOT pg_visible_in_snapshot(xid, CAST(:snapshot AS pg_snapshot)) LIMIT :limit) AS counted;

-- name: count_each_waiting
-- For each place up to which somebody has consumed a log: how many changes come after it, as one of many questions. A snapshot is read once
-- for all rows of the log.
SELECT k.snapshot, (SELECT count(*) FROM (SELECT 1 FROM {log} WHERE NOT pg_visible_in_snapshot(xid, k.at) LIMIT :limit) AS counted) AS waiting
FROM (SELECT snapshot, CAST(snapshot AS pg_snapshot) AS at
      FROM (SELECT DISTINCT snapshot FROM tidemark._checkpoint WHERE source = :{source}) AS c OFFSET 0) AS k;

-- name: add_done_tick
-- Write down, in one statement, a tick that begins and ends in one transaction: the run, what runs have come to, how long it took,
-- and what its way has cost. Those of its kind that have not ended were of processes that were killed.
WITH killed AS (
    UPDATE tidemark._run SET state = 'interrupted', ended = {now}, cause = 'the process ended without a word, or could not write one down'
    WHERE derived = :derived AND kind = 'tick' AND state = 'running'
    RETURNING 1
), ran AS (
    INSERT INTO tidemark._run (kind, derived, generation, state, holder, started, ended, rows_done, rows_written, longest_ms, message)
    VALUES ('tick', :derived, :generation, 'done', :holder, to_char((clock_timestamp() - CAST(:ms AS double precision) * interval '1 millisecond') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'), {now},
            :rows_done, :rows_written, CAST(:longest_ms AS double precision), :message)
    RETURNING id, derived, rows_done, rows_written, ended, extract(epoch FROM CAST(ended AS timestamptz) - CAST(started AS timestamptz)) AS seconds
), counted AS (
    INSERT INTO tidemark._total AS t (derived, kind, state, runs, rows_done, rows_written, seconds, ended)
    SELECT derived, 'tick', 'done', 1, rows_done, rows_written, seconds, ended FROM ran
    UNION ALL
    SELECT derived, 'tick', 'interrupted', (SELECT count(*) FROM killed), 0, 0, 0, ended FROM ran WHERE EXISTS (SELECT FROM killed)
    ON CONFLICT (derived, kind, state) DO UPDATE
    SET runs = t.runs + excluded.runs, rows_done = t.rows_done + excluded.rows_done, rows_written = t.rows_written + excluded.rows_written,
        seconds = t.seconds + excluded.seconds, ended = excluded.ended
), took AS (
    INSERT INTO tidemark._hold AS h (derived, kind, what, bound, chunks, ms)
    SELECT derived, 'tick', 'took',
           (SELECT count(*) FROM json_array_elements_text(CAST(:bounds AS json)) AS b WHERE CAST(b AS float8) < seconds * 1000), 1, seconds * 1000
    FROM ran
    ON CONFLICT (derived, kind, what, bound) DO UPDATE SET chunks = h.chunks + 1, ms = h.ms + excluded.ms
), cost AS (
    INSERT INTO tidemark._cost AS c (derived, generation, way, work, ms, times, chosen_at, reason)
    VALUES (:derived, :generation, :way, CAST(:work AS double precision), CAST(:cost_ms AS double precision), 1, {now}, :message)
    ON CONFLICT (derived, generation, way) DO UPDATE
    SET work = c.work * CAST(:keep AS double precision) + excluded.work, ms = c.ms * CAST(:keep AS double precision) + excluded.ms,
        times = c.times + 1, chosen_at = excluded.chosen_at, reason = excluded.reason
)
SELECT id FROM ran;

-- name: list_backfills
-- Where every backfill stands, in one statement: what its ranges add up to, how long it takes and who is at it.
SELECT b.name, b.kind, b.fingerprint, b.state, b.wish, b.nice, b.attempt, b.run, coalesce(r.rows_done, 0), b.rows_total,
       b.total_is_estimate, coalesce(r.rows_written, 0), (SELECT count(*) FROM tidemark._quarantine AS q WHERE q.backfill = b.name AND q.closed_at IS NULL),
       b.rate, b.rate_state, b.reasons, b.failure, b.started, b.ended, b.updated,
       (SELECT l.holder FROM tidemark._lease AS l WHERE l.duty = CASE b.kind WHEN 'fill' THEN 'keep ' ELSE 'backfill ' END || b.name AND l.expires > {now})
FROM tidemark._backfill AS b LEFT JOIN (SELECT backfill, CAST(sum(rows_done) AS bigint) AS rows_done, CAST(sum(rows_written) AS bigint) AS rows_written FROM tidemark._backfill_range GROUP BY backfill) AS r ON r.backfill = b.name
WHERE CAST(:name AS TEXT) = '' OR b.name = :name
ORDER BY b.name;

-- name: begin_fill
-- Begin a run of a filling, whatever became of the one before. No row changes where a migration of the user's has that name.
INSERT INTO tidemark._backfill AS b (name, kind, fingerprint, state, run, rows_total, started)
VALUES (:name, 'fill', :fingerprint, 'backfilling', :run, :rows_total, {now})
ON CONFLICT (name) DO UPDATE
SET state = 'backfilling', attempt = b.attempt + (b.state <> 'planned')::integer, fingerprint = excluded.fingerprint, run = excluded.run,
    rows_total = excluded.rows_total, rate = NULL, rate_state = 'unknown', reasons = '[]', failure = NULL, wish = '',
    started = excluded.started, ended = NULL, updated = NULL
WHERE b.kind = 'fill';

-- name: take_lease
-- Take a duty that nobody holds, whose holder's time is over or whose holder is known to be gone; no row when it is held, or when the
-- ledger has another shape than :shape. An end that is further ahead than anybody is given was written by a clock that was set back.
INSERT INTO tidemark._lease AS held (duty, holder, term, expires, shape)
SELECT :duty, :holder, 1, tidemark._clock(:seconds), m.value FROM tidemark._meta AS m WHERE m.key = 'shape' AND m.value = :shape
ON CONFLICT (duty) DO UPDATE SET holder = excluded.holder, term = held.term + 1, expires = excluded.expires, shape = excluded.shape
WHERE held.expires <= {now} OR held.expires > tidemark._clock(2400) OR held.holder = :replaced
RETURNING term;

-- name: renew_lease
-- Move the end of a term that is still ours.
UPDATE tidemark._lease SET expires = tidemark._clock(:seconds) WHERE duty = :duty AND holder = :holder AND term = :term;

-- name: read_leases
-- Who holds a duty now, and who wishes to; no row where nobody does.
SELECT duty, holder FROM tidemark._lease WHERE duty IN (:duty, :wish) AND expires > {now} AND expires <= tidemark._clock(2400);

-- name: count_rows
-- How many rows a derived table has, and whether that is an estimate (1) or exact (0). Its pages are as full as they were when
-- they were counted; how many there are is known at any time, and they become more while it is filled.
SELECT CASE WHEN s.about < 100000 THEN (SELECT count(*) FROM {public}) ELSE CAST(s.about AS bigint) END,
       CASE WHEN s.about < 100000 THEN 0 ELSE 1 END
FROM (SELECT reltuples / greatest(1, relpages) * (pg_relation_size(oid) / CAST(current_setting('block_size') AS bigint)) AS about
      FROM pg_catalog.pg_class WHERE oid = CAST(:store AS regclass)) AS s;

-- name: list_stored_columns
-- The columns of a store, and their types.
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.relnamespace = 'tidemark'::regnamespace AND c.relname = :store AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: measure_sources
-- How many bytes the sources have, about. They are named by their labels, which are no quoted names, and a partitioned one has
-- its rows in its leaves.
SELECT coalesce(sum(pg_relation_size(c.oid) + coalesce(
           (SELECT sum(pg_relation_size(leaf.relid)) FROM pg_partition_tree(c.oid) AS leaf WHERE leaf.isleaf), 0)), 0)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND CASE WHEN n.nspname = 'public' THEN CAST(c.relname AS text) ELSE n.nspname || '.' || c.relname END
      IN (SELECT json_array_elements_text(CAST(:sources AS json)));

-- name: read_home
-- The first schema in which this session looks unqualified names up.
SELECT CAST(current_schema() AS text);

-- name: prepare_worker
-- A worker that falls asleep inside a transaction (a stopped process, a frozen machine) must not keep its locks: the server
-- ends it after half a minute.
SELECT set_config('idle_in_transaction_session_timeout', '30s', false);

-- name: count_others
-- How many other sessions are connected to this database. Of another user's session its kind is not told.
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend';

-- name: set_patience
-- How long a statement of this transaction may wait for a lock before it gives up, so that nobody waits behind it.
SELECT set_config('lock_timeout', CAST(:patience AS text), true);

-- name: list_shown
-- Statements that give readers of a view what they have there now, each with the column that it is about or an empty text: its
-- owner, rights, and remarks on columns.
SELECT '', format('ALTER VIEW %s OWNER TO %I', CAST(:public AS text), pg_get_userbyid(c.relowner))
FROM pg_class AS c WHERE c.oid = to_regclass(:public) AND c.relkind = 'v' AND c.relowner <> CAST(current_user AS regrole)
UNION ALL
SELECT '', format('GRANT %s ON %s TO %s%s', a.privilege_type, CAST(:public AS text),
                  CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                  CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE c.oid = to_regclass(:public) AND c.relkind = 'v' AND a.grantee <> c.relowner
UNION ALL
SELECT CAST(k.attname AS text), format('GRANT %s (%I) ON %s TO %s%s', a.privilege_type, k.attname, CAST(:public AS text),
                  CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                  CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class AS c JOIN pg_attribute AS k ON k.attrelid = c.oid CROSS JOIN LATERAL aclexplode(k.attacl) AS a
WHERE c.oid = to_regclass(:public) AND c.relkind = 'v' AND a.grantee <> c.relowner
UNION ALL
SELECT CAST(k.attname AS text),
       format('COMMENT ON COLUMN %s.%I IS %L', CAST(:public AS text), k.attname, col_description(c.oid, k.attnum))
FROM pg_class AS c JOIN pg_attribute AS k ON k.attrelid = c.oid
WHERE c.oid = to_regclass(:public) AND c.relkind = 'v' AND col_description(c.oid, k.attnum) IS NOT NULL;

-- name: list_triggers
-- Triggers that stand in the way of migrations: this engine has none.
SELECT '', '', '' WHERE false;

-- name: list_leftovers
-- What is still there of ours after every script's objects are gone: kind and quoted name.
SELECT 'schema', 'tidemark' FROM pg_catalog.pg_namespace WHERE nspname = 'tidemark';

-- name: list_views_left
-- The quoted names of views that show rows of ours, by their marks, where no script is left that would tell. They go before what they
-- read, so that what stands on them stops it.
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND n.nspname <> 'tidemark' AND obj_description(c.oid, 'pg_class') LIKE 'tidemark:%' ORDER BY c.oid DESC;

-- name: drop_view
-- Drop such a view.
DROP VIEW IF EXISTS {object};

-- name: drop_schema
-- Drop everything of ours at once, triggers on the user's tables included: their functions live here.
DROP SCHEMA IF EXISTS {object} CASCADE;

-- name: find_replicated_storage
-- A table of ours that a subscription of this database writes; no row when there is none.
SELECT CAST(CAST(srrelid AS regclass) AS text)
FROM pg_catalog.pg_subscription_rel JOIN pg_catalog.pg_class ON pg_class.oid = srrelid
WHERE relnamespace = to_regnamespace('tidemark')
ORDER BY srrelid LIMIT 1;

-- name: find_missing_rights
-- What the role may not do that installing needs, the statement that allows it, and the source that it concerns; and what a role
-- may not do any more that runs functions of ours behind the triggers that are there.
WITH {lacking_rights}
SELECT what, statement, source FROM (
  SELECT 1 AS place, 'create a schema in this database' AS what, '' AS source,
         format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) AS statement
  WHERE to_regnamespace('tidemark') IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')
  UNION ALL
  SELECT 2, 'create objects in the schema tidemark', '', format('GRANT USAGE, CREATE ON SCHEMA tidemark TO %I', current_user)
  WHERE to_regnamespace('tidemark') IS NOT NULL AND NOT has_schema_privilege('tidemark', 'CREATE')
  UNION ALL
  SELECT 3, 'create views in the schema ' || nspname, '', format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', nspname, current_user)
  FROM pg_catalog.pg_namespace JOIN json_array_elements_text(CAST(:homes AS json)) AS home ON nspname = home
  WHERE NOT has_schema_privilege(pg_namespace.oid, 'CREATE') OR NOT has_schema_privilege(pg_namespace.oid, 'USAGE')
  UNION ALL
  SELECT 4, 'put triggers that always fire on ' || named || ', which its owner alone may', named,
         format('GRANT %I TO %I', pg_get_userbyid(relowner), current_user)
  FROM json_array_elements_text(CAST(:sources AS json)) AS named
  JOIN pg_catalog.pg_class ON pg_class.oid = to_regclass(named)
  WHERE NOT pg_has_role(relowner, 'USAGE')
  UNION ALL
  SELECT 5, format('go on while %s, which runs our functions behind triggers on %s, may not use %s', CAST(b.proowner AS regrole),
                   named, l.what),
         named, format('GRANT %s TO %s', l.gives, CAST(b.proowner AS regrole))
  FROM json_array_elements_text(CAST(:sources AS json)) AS named
  JOIN behind AS b ON b.tgrelid = to_regclass(named)
  JOIN LATERAL (
    SELECT l.what, l.gives FROM lacking AS l WHERE l.proowner = b.proowner
    UNION ALL SELECT named, 'SELECT ON ' || named WHERE NOT has_table_privilege(b.proowner, b.tgrelid, 'SELECT')
  ) AS l ON true
) AS missing ORDER BY place, source;

-- name: find_hidden_rows
-- The sources of which the role does not see every row.
SELECT named FROM json_array_elements_text(CAST(:sources AS json)) AS named
WHERE row_security_active(CAST(named AS regclass)) ORDER BY named LIMIT 1;

-- name: find_half_detached
-- The partitions of sources whose DETACH CONCURRENTLY has not ended, and the statement that ends it: what is written to one by its own
-- name is captured, and is no row of the whole.
SELECT CAST(CAST(i.inhrelid AS regclass) AS text), format('ALTER TABLE %s DETACH PARTITION %s FINALIZE',
    CAST(i.inhparent AS regclass), CAST(i.inhrelid AS regclass))
FROM json_array_elements_text(CAST(:sources AS json)) AS named JOIN pg_inherits AS i ON i.inhrelid = CAST(named AS regclass)
WHERE i.inhdetachpending ORDER BY 1 LIMIT 1;

-- name: fact_engine
-- The engine is PostgreSQL
SELECT current_setting('server_version');

-- name: fact_role
-- The role is
SELECT current_user;

-- name: warn_standby
-- A standby takes no writes: nothing can be applied, ticked, verified or repaired there.
SELECT 'This server is a standby, where only status can be read: connect to the primary server.' WHERE pg_is_in_recovery();

-- name: warn_rights
-- What the role may not do that every command needs which changes something.
SELECT format('%s may not create a schema in this database: run as its owner: GRANT CREATE ON DATABASE %I TO %I', current_user,
              current_database(), current_user)
WHERE to_regnamespace('tidemark') IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')
UNION ALL
SELECT format('%s may not write our own tables, which %s made: connect as that role, or run: GRANT %I TO %I', current_user,
              min(pg_get_userbyid(relowner)), min(pg_get_userbyid(relowner)), current_user)
FROM pg_catalog.pg_class
WHERE relnamespace = to_regnamespace('tidemark') AND relkind IN ('r', 'p')
  AND NOT (has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
HAVING count(*) > 0;

-- name: warn_replicated_storage
-- A subscription that writes our storage counts every change twice: once where it was published and once here.
SELECT 'A subscription writes ' || CAST(CAST(srrelid AS regclass) AS text) || ': publish the sources alone.'
FROM pg_catalog.pg_subscription_rel JOIN pg_catalog.pg_class ON pg_class.oid = srrelid
WHERE relnamespace = to_regnamespace('tidemark')
ORDER BY srrelid LIMIT 1;

-- name: warn_oldest_transaction
-- A transaction that stays open keeps old rows alive and holds back installing.
SELECT 'A transaction of ' || usename || ' has been open for ' || CAST(extract(epoch FROM now() - xact_start) AS bigint)
    || ' s (process ' || pid || ').'
FROM pg_catalog.pg_stat_activity
WHERE xact_start < now() - interval '5 minutes' AND datname = current_database();

-- name: warn_prepared
-- A prepared transaction that nobody ends holds its locks for ever.
SELECT 'The prepared transaction ' || gid || ' has been waiting since ' || CAST(prepared AS text) || '.'
FROM pg_catalog.pg_prepared_xacts
WHERE database = current_database() AND prepared < now() - interval '5 minutes';

-- name: warn_broken_index
-- An index whose making was interrupted costs every writer and helps no reader.
SELECT 'The index ' || CAST(CAST(i.indexrelid AS regclass) AS text) || ' was never finished: drop it, or run '
    || 'tidemark apply --create-indexes if it is one of ours.'
FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
ORDER BY 1 LIMIT 10;

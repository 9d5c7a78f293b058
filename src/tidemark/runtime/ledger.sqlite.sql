-- The ledger on SQLite: the bookkeeping statements that are a text of its own here. The others are in ledger.sql.

-- name: exists
-- One number: how many of the ledger's first table are there, 0 or 1.
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tidemark__meta');

-- name: has_schema
-- One number: whether there is a schema of that name. This engine has none.
SELECT 0 WHERE :name IS NOT NULL;

-- name: create_mark
-- How far each source without triggers is scanned: every row up to `mark` was looked at (NULL = before the first). A scan that
-- is under way goes to `target`; at `inside` it exhausts a position that is too big for one batch, behind the row `behind`. Positions
-- up to `settled` are final; `candidate` is the next one as soon as `lockers` have ended.
CREATE TABLE tidemark__mark (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    source TEXT NOT NULL,
    mark,
    target,
    inside,
    behind TEXT NOT NULL DEFAULT '',
    settled,
    candidate,
    lockers TEXT NOT NULL DEFAULT '[]',
    scanned_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation, source)
);

-- name: create_moment
-- The time that each derived table which reads the clock was last made true for.
CREATE TABLE tidemark__moment (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_outbox
-- Every event of a crossing: which row of which derived table reached which threshold, and whether somebody was told.
CREATE TABLE tidemark__outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    derived TEXT NOT NULL,
    column_name TEXT NOT NULL,
    threshold NUMERIC NOT NULL,
    key TEXT NOT NULL,
    old_row TEXT,
    new_row TEXT NOT NULL,
    once INTEGER NOT NULL,
    position INTEGER,
    time TEXT,
    happened TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    delivered TEXT,
    alike TEXT
);

-- name: list_meta
-- Facts about the ledger whose name begins with a word.
SELECT key FROM tidemark__meta WHERE substr(key, 1, length(:prefix)) = :prefix ORDER BY key;

-- name: list_adopted
-- How each adoption stands, by the name of its fact.
SELECT key, value FROM tidemark__meta WHERE substr(key, 1, length(:prefix)) = :prefix ORDER BY key;

-- name: list_broken_index
-- The statement that drops an index of that name which was never finished: on this engine an index is there whole or not at all.
SELECT '' WHERE :index IS NULL;

-- name: read_patience
-- How long a statement of this session may wait for a lock.
SELECT '0';

-- name: set_session_patience
-- How long a statement of this session may wait for a lock from now on: this engine has another way to say so.
SELECT :patience;

-- name: may_read_cluster
-- Whether the identity of the cluster can be asked for: 1 or 0.
SELECT 0;

-- name: read_cluster
-- What identifies the cluster: this engine has none.
SELECT 'file';

-- name: read_database
-- A file carries its positions along wherever it is copied to, so that all files are one.
SELECT 'file';

-- name: forget_future
-- Changes that this database has not made yet: ids go along with the file, so there are none.
DELETE FROM {log} WHERE 0;

-- name: read_facts
-- What the watched sources are now: of whom, source, part, its definition, which one it is, when it was touched, and whether it
-- matters that such a part comes or goes. A rebuilt table stands behind the store in the schema, and every way to copy a file
-- keeps that order. A new unique key is one more reason for REPLACE to delete rows unseen.
WITH watched AS (
    SELECT value ->> 'of' AS of, value ->> 'store' AS store, value ->> 'source' AS source, value -> 'columns' AS columns,
        value ->> 'shown' AS shown, value -> 'keeps' AS keeps
    FROM json_each(:watches)
), things AS MATERIALIZED (
    -- Read once, and found by name from then on: there is no index on the schema, and most of it are triggers of ours.
    SELECT rowid AS place, type, name, lower(tbl_name) AS hangs_on FROM main.sqlite_schema
    WHERE (type <> 'trigger' OR substr(name, 1, 9) COLLATE NOCASE <> 'tidemark_')
        AND tbl_name COLLATE NOCASE IN (SELECT source FROM watched UNION SELECT store FROM watched UNION SELECT shown FROM watched)
), tables AS (
    SELECT w.*, m.place > s.place AS is_later
    FROM watched AS w JOIN things AS m ON m.type = 'table' AND m.name = w.source LEFT JOIN things AS s ON s.type = 'table' AND s.name = w.store
), terms AS (
    SELECT t.of, t.source, l.name AS named, x.name AS term, x.name IN (SELECT value FROM json_each(t.columns)) AS is_read
    FROM tables AS t JOIN pragma_index_list(t.source, 'main') AS l JOIN pragma_index_xinfo(l.name, 'main') AS x
    WHERE l."unique" AND x.key
    ORDER BY 1, 2, 3, x.seqno
)
SELECT of, source, 'table', '', CASE WHEN is_later THEN 'anew' ELSE '' END, '', 0, 1 FROM tables
UNION ALL
SELECT w.of, w.source, 'query', '', m.sql, '', 0, 0
FROM watched AS w JOIN things AS v ON v.type = 'view' AND v.name = w.source JOIN main.sqlite_schema AS m ON m.rowid = v.place
UNION ALL
SELECT t.of, t.source, 'column ' || x.name, lower(x.type) || CASE WHEN x.pk THEN ' key' ELSE '' END, '', '', 0, 1
FROM tables AS t JOIN pragma_table_xinfo(t.source, 'main') AS x
WHERE x.name IN (SELECT value FROM json_each(t.columns))
UNION ALL
SELECT DISTINCT w.of, w.shown, 'kept column ' || x.name, lower(x.type), '', '', 0, 1
FROM watched AS w JOIN pragma_table_xinfo(w.shown, 'main') AS x
WHERE w.shown <> '' AND x.name IN (SELECT value FROM json_each(w.keeps))
UNION ALL
SELECT t.of, t.source, 'NOT NULL of column ' || x.name, '', '', '', 0, 1
FROM tables AS t JOIN pragma_table_xinfo(t.source, 'main') AS x
WHERE x."notnull" AND x.name IN (SELECT value FROM json_each(t.columns))
UNION ALL
SELECT t.of, t.source, 'trigger ' || m.name || ' on ' || t.store || ', which may lose rows of ours, beside those', '', '', '', 2, 0
FROM tables AS t JOIN things AS g ON g.type = 'trigger' AND g.hangs_on = lower(t.store) JOIN main.sqlite_schema AS m ON m.rowid = g.place
WHERE instr(lower(replace(replace(m.sql, ' ', ''), char(10), '')), 'raise(ignore')
UNION ALL
SELECT DISTINCT w.of, w.shown, 'trigger ' || g.name || ', which may lose what is kept there, among those', '', '', '', 1, 0
FROM watched AS w JOIN things AS g ON g.type = 'trigger' AND w.shown <> '' AND g.hangs_on = lower(w.shown)
    JOIN (SELECT rowid AS place, lower(replace(replace(replace(sql, ' ', ''), char(10), ''), char(9), '')) AS text
          FROM main.sqlite_schema) AS s USING (place)
WHERE instr(s.text, 'raise(ignore')
    AND NOT (instr(s.text, 'afterupdate') OR instr(s.text, 'afterinsert') OR instr(s.text, 'afterdelete'))
    AND (instr(s.text, 'updateo') OR NOT EXISTS (SELECT 1 FROM tables AS t WHERE t.of = w.of AND lower(t.source) = lower(w.shown)))
UNION ALL
SELECT k.of, k.source,
       'unique key ' || coalesce((SELECT substr(m.sql, instr(m.sql, '(')) FROM main.sqlite_schema AS m WHERE m.rowid = i.place), k.said),
       '', '', '', 1, k.is_read
FROM (SELECT of, source, named, '(' || group_concat(term, ', ') || ')' AS said, min(coalesce(is_read, 0)) AS is_read
      FROM terms GROUP BY of, source, named) AS k
    LEFT JOIN things AS i ON i.type = 'index' AND i.name = k.named;

-- name: was_loaded_beside_captures
-- Whether a restore wrote the ledger when triggers of ours were there already: nothing of a file tells.
SELECT 0;

-- name: read_anchor
-- Which database this is for what `read_facts` tells: a file carries all of that along.
SELECT 'file';

-- name: list_numbered
-- The tables of ours of which a restore may take numbers back: the engine looks at the rows that are there by itself.
SELECT '', '', '' WHERE 0;

-- name: pass_numbers
-- What lets one of them go on behind the last row that is there.
SELECT :numbers, max({column}) FROM {table};

-- name: read_sweep
-- How far the newest sweep has come, how many seconds ago it began, how many ago the last complete one began, and whether it
-- has ended: 1 or 0.
SELECT done, total, drift, (julianday('now') - julianday(began_at)) * 86400.0, (julianday('now') - julianday(whole_at)) * 86400.0, CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END
FROM tidemark__sweep WHERE derived = :derived AND generation = :generation;

-- name: read_clock
-- What time it is for the database.
SELECT strftime('%Y-%m-%d %H:%M:%f', 'now');

-- name: set_moment
-- Record the time that a derived table is made true for from now on, NULL being the database's own.
INSERT INTO tidemark__moment (derived, generation, at) VALUES (:derived, :generation, coalesce(:at, strftime('%Y-%m-%d %H:%M:%f', 'now')))
ON CONFLICT (derived, generation) DO UPDATE SET at = excluded.at;

-- name: list_standing
-- Of every generation: rows that are known to be wrong, the way that was chosen last and why, and its newest sweep as `read_sweep`.
SELECT d.name, d.generation, coalesce(w.wrong, 0), c.way, c.reason, s.done, s.total, s.drift, (julianday('now') - julianday(s.began_at)) * 86400.0, (julianday('now') - julianday(s.whole_at)) * 86400.0, CASE WHEN s.ended_at IS NULL THEN 0 ELSE 1 END
FROM tidemark__derived AS d
LEFT JOIN (SELECT derived, generation, count(*) AS wrong FROM tidemark__drift WHERE closed_at IS NULL AND kind <> 'stale'
           GROUP BY derived, generation) AS w ON w.derived = d.name AND w.generation = d.generation
LEFT JOIN tidemark__cost AS c ON c.derived = d.name AND c.generation = d.generation
    AND c.way = (SELECT o.way FROM tidemark__cost AS o WHERE o.derived = d.name AND o.generation = d.generation
                 AND o.times > 0 ORDER BY o.chosen_at DESC, o.way LIMIT 1)
LEFT JOIN tidemark__sweep AS s ON s.derived = d.name AND s.generation = d.generation;

-- name: find_target
-- The snapshot that a seal which begins now goes up to.
SELECT CAST(max(coalesce(max(id), 0), CAST(:previous AS INTEGER)) AS TEXT) FROM {log};

-- name: set_targets
-- Begin a seal: record the snapshots that it goes up to, a JSON object by source.
UPDATE tidemark__checkpoint SET target = (SELECT value FROM json_each(:moments) WHERE key = source), position = 0, file = ''
WHERE derived = :derived AND generation = :generation;

-- name: move_checkpoints
-- Put the checkpoints of a generation at moments, a JSON object by source: everything up to there is in the rows.
UPDATE tidemark__checkpoint
SET snapshot = (SELECT value FROM json_each(:moments) WHERE key = source), target = NULL, position = 0, even = 0, sealed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation;

-- name: look_at_log
-- What a small tick asks of one log: its source, the checkpoint, whether a seal is under way, the moment of now, whether the
-- checkpoint is ahead of the database, whether every row is of its moment, whether changes wait, how many of them concern the table
-- (as many as the limit where there are too many to look), and markers among them, and the portion of the ticks.
SELECT c.source, c.snapshot, c.target IS NOT NULL, CAST(n.now AS TEXT), n.now < n.before, c.even, n.now > n.before,
       CASE WHEN n.now - n.before > :most THEN :limit
            ELSE (SELECT count(*) FROM (SELECT 1 FROM {log} AS l WHERE l.id > n.before AND {concerns} LIMIT :limit)) END,
       (SELECT count(*) FROM (SELECT 1 FROM {log} WHERE id > n.before AND id <= n.before + :most AND weight = 0 LIMIT 1)),
       d.portion, d.far
FROM tidemark__checkpoint AS c JOIN tidemark__derived AS d ON d.name = c.derived AND d.generation = c.generation
JOIN (SELECT rowid, CAST(snapshot AS INTEGER) AS before, coalesce((SELECT max(id) FROM {log}), 0) AS now
      FROM tidemark__checkpoint) AS n ON n.rowid = c.rowid
WHERE c.derived = :derived AND c.generation = :generation AND c.source = {source};

-- name: seed_mark
-- Where the first scan begins. A mark that is there is never overwritten.
INSERT INTO tidemark__mark (derived, generation, source, mark, settled, scanned_at)
VALUES (:derived, :generation, :source, :mark, :mark, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation, source) DO NOTHING;

-- name: set_candidate
-- Remember the highest position there is, and who may still write positions up to it.
UPDATE tidemark__mark SET candidate = :candidate, lockers = :lockers
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: settle_mark
-- A position is final: whoever could write it or one before it has ended.
UPDATE tidemark__mark SET settled = :settled, candidate = NULL, lockers = '[]'
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: go_back
-- The source ends before the mark: its last rows are gone, and positions may be given again.
UPDATE tidemark__mark SET mark = :mark, settled = :mark, target = NULL, inside = NULL, behind = '', candidate = NULL, lockers = '[]',
    scanned_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: advance_mark
-- Every row up to the last position of the slice was looked at; its effects are in this transaction too.
UPDATE tidemark__mark SET mark = (SELECT {place} FROM {slice} ORDER BY {place} DESC LIMIT 1), scanned_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: enter_position
-- A position has more rows than a batch: it is exhausted before the mark moves.
UPDATE tidemark__mark SET inside = (SELECT {place} FROM {slice} ORDER BY {place} DESC LIMIT 1), behind = ''
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: list_lockers
-- Who may write a source at this moment: nobody, since whoever asks in a write transaction is the only writer.
SELECT '', '[]', 0, '' WHERE :table IS NULL;

-- name: is_ahead
-- Whether a checkpoint is ahead of its log, as it is when somebody emptied that: ids are given again then. 1 or 0.
SELECT coalesce(max(id), 0) < CAST(:snapshot AS INTEGER) FROM {log};

-- name: find_unsealed
-- The generations for which something waits in one log, or whose checkpoint is ahead of it: one question for all who read it.
SELECT c.derived, c.generation FROM tidemark__checkpoint AS c
WHERE c.source = {source} AND CAST(c.snapshot AS INTEGER) <> coalesce((SELECT max(id) FROM {log}), 0);

-- name: measure_part
-- How many changes a part of a log has, and markers among them; where the next part begins, whether this was the last, and its file.
-- Without a target, because somebody else has finished the seal, it has none, and is the last.
SELECT (SELECT count(*) FROM {log} AS l WHERE l.id > p.start AND l.id <= min(p.target, p.start + :limit)),
       (SELECT count(*) FROM {log} AS l WHERE l.id > p.start AND l.id <= min(p.target, p.start + :limit) AND l.weight = 0),
       p.start + :limit, p.start + :limit >= p.target, '-'
FROM (SELECT max(:position, CAST(:previous AS INTEGER)) AS start, coalesce(CAST(:target AS INTEGER), 0) AS target WHERE :name <> '') AS p;

-- name: find_spent
-- Up to where every derived table that reads a log has sealed it. One that failed will begin anew, if
-- at all; one that goes has no checkpoint any more.
SELECT CAST(coalesce(min(CAST(snapshot AS INTEGER)), 9223372036854775807) AS TEXT)
FROM tidemark__checkpoint AS c JOIN tidemark__derived AS d ON d.name = c.derived AND d.generation = c.generation
WHERE c.source = :source AND d.state IN ('backfilling', 'paused', 'verifying', 'live', 'retired');

-- name: lock_log
-- Whoever writes here is alone already.
SELECT 1 FROM {log} LIMIT 0;

-- name: is_spent
-- Emptying a log at once never pays: every page of it is read and written for that as well, with the lock in hand all the time.
SELECT 0 WHERE :spent <> '' AND :log <> '';

-- name: measure_log
-- Pages of deleted rows are used again at once, whoever deletes.
SELECT 0 WHERE :log <> '';

-- name: empty_log
-- Every row of a log but the last, behind which the next one is numbered.
DELETE FROM {log} WHERE id < (SELECT max(id) FROM {log});

-- name: consume
-- Delete changes that everybody has sealed, but for the last of the log: the next one is numbered after it, so that no id that a
-- checkpoint has seen is given again.
DELETE FROM {log}
WHERE id <= (
    SELECT max(id) FROM (
        SELECT id FROM {log}
        WHERE id <= (SELECT min((SELECT max(id) - 1 FROM {log}), coalesce(min(CAST(c.snapshot AS INTEGER)), 9223372036854775807))
                     FROM tidemark__checkpoint AS c JOIN tidemark__derived AS d ON d.name = c.derived AND d.generation = c.generation
                     WHERE c.source = :source AND d.state IN ('backfilling', 'paused', 'verifying', 'live', 'retired'))
        ORDER BY id LIMIT :limit
    ) AS first
);

-- name: count_changes
-- How many changes of a log are not sealed, counted up to a limit so that the question stays cheap.
SELECT count(*) FROM (SELECT 1 FROM {log} WHERE id > CAST(:snapshot AS INTEGER) LIMIT :limit) AS counted;

-- name: count_each_waiting
-- For each place up to which somebody has consumed a log: how many changes come after it, as one of many questions. Where the log ends
-- before that place, somebody emptied it: nobody knows how many those were.
SELECT k.snapshot AS snapshot, (SELECT count(*) FROM (SELECT 1 FROM {log} WHERE id > CAST(k.snapshot AS INTEGER) LIMIT :limit) AS counted)
       + (coalesce((SELECT max(id) FROM {log}), 0) < CAST(k.snapshot AS INTEGER)) AS waiting
FROM (SELECT DISTINCT snapshot FROM tidemark__checkpoint WHERE source = :{source}) AS k;

-- name: add_done_tick
-- Write down, in one statement after the other, a tick that begins and ends in one transaction: the run, what runs have come to, how
-- long it took, and what its way has cost. Those of its kind that have not ended were of processes that were killed.
UPDATE tidemark__run SET state = 'interrupted', ended = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), cause = 'the process ended without a word, or could not write one down'
WHERE derived = :derived AND kind = 'tick' AND state = 'running'
;
INSERT INTO tidemark__total AS t (derived, kind, state, runs, rows_done, rows_written, seconds, ended)
SELECT :derived, 'tick', 'interrupted', changes(), 0, 0, 0, strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE changes() > 0
ON CONFLICT (derived, kind, state) DO UPDATE SET runs = t.runs + excluded.runs, ended = excluded.ended
;
INSERT INTO tidemark__run (kind, derived, generation, state, holder, started, ended, rows_done, rows_written, longest_ms, message)
VALUES ('tick', :derived, :generation, 'done', :holder, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', CAST(:ms / -1000.0 AS TEXT) || ' seconds'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), :rows_done, :rows_written, :longest_ms, :message)
;
INSERT INTO tidemark__total AS t (derived, kind, state, runs, rows_done, rows_written, seconds, ended)
SELECT derived, kind, state, 1, rows_done, rows_written, max(0.0, (julianday(ended) - julianday(started)) * 86400.0), ended
FROM tidemark__run WHERE id = (SELECT max(id) FROM tidemark__run WHERE derived = :derived AND kind = 'tick')
ON CONFLICT (derived, kind, state) DO UPDATE
SET runs = t.runs + 1, rows_done = t.rows_done + excluded.rows_done, rows_written = t.rows_written + excluded.rows_written,
    seconds = t.seconds + excluded.seconds, ended = excluded.ended
;
INSERT INTO tidemark__hold AS h (derived, kind, what, bound, chunks, ms)
SELECT r.derived, r.kind, 'took', (SELECT count(*) FROM json_each(:bounds) AS b WHERE b.value < r.ms), 1, r.ms
FROM (SELECT derived, kind, max(0.0, (julianday(ended) - julianday(started)) * 86400000.0) AS ms FROM tidemark__run WHERE id = (SELECT max(id) FROM tidemark__run WHERE derived = :derived AND kind = 'tick')) AS r
WHERE true
ON CONFLICT (derived, kind, what, bound) DO UPDATE SET chunks = h.chunks + 1, ms = h.ms + excluded.ms
;
INSERT INTO tidemark__cost AS c (derived, generation, way, work, ms, times, chosen_at, reason)
VALUES (:derived, :generation, :way, CAST(:work AS REAL), CAST(:cost_ms AS REAL), 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), :message)
ON CONFLICT (derived, generation, way) DO UPDATE
SET work = c.work * CAST(:keep AS REAL) + excluded.work, ms = c.ms * CAST(:keep AS REAL) + excluded.ms, times = c.times + 1,
    chosen_at = excluded.chosen_at, reason = excluded.reason
;
SELECT max(id) FROM tidemark__run WHERE derived = :derived AND kind = 'tick';

-- name: list_backfills
-- Where every backfill stands, in one statement: what its ranges add up to, how long it takes and who is at it.
SELECT b.name, b.kind, b.fingerprint, b.state, b.wish, b.nice, b.attempt, b.run, coalesce(r.rows_done, 0), b.rows_total,
       b.total_is_estimate, coalesce(r.rows_written, 0), (SELECT count(*) FROM tidemark__quarantine AS q WHERE q.backfill = b.name AND q.closed_at IS NULL),
       b.rate, b.rate_state, b.reasons, b.failure, b.started, b.ended, b.updated,
       (SELECT l.holder FROM tidemark__lease AS l WHERE l.duty = CASE b.kind WHEN 'fill' THEN 'keep ' ELSE 'backfill ' END || b.name AND l.expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
FROM tidemark__backfill AS b LEFT JOIN (SELECT backfill, sum(rows_done) AS rows_done, sum(rows_written) AS rows_written FROM tidemark__backfill_range GROUP BY backfill) AS r ON r.backfill = b.name
WHERE CAST(:name AS TEXT) = '' OR b.name = :name
ORDER BY b.name;

-- name: begin_fill
-- Begin a run of a filling, whatever became of the one before. No row changes where a migration of the user's has that name.
INSERT INTO tidemark__backfill AS b (name, kind, fingerprint, state, run, rows_total, started)
VALUES (:name, 'fill', :fingerprint, 'backfilling', :run, :rows_total, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (name) DO UPDATE
SET state = 'backfilling', attempt = b.attempt + (b.state <> 'planned'), fingerprint = excluded.fingerprint, run = excluded.run,
    rows_total = excluded.rows_total, rate = NULL, rate_state = 'unknown', reasons = '[]', failure = NULL, wish = '',
    started = excluded.started, ended = NULL, updated = NULL
WHERE b.kind = 'fill';

-- name: take_lease
-- Take a duty that nobody holds, whose holder's time is over or whose holder is known to be gone; no row when it is held, or when the
-- ledger has another shape than :shape. An end that is further ahead than anybody is given was written by a clock that was set back.
INSERT INTO tidemark__lease AS held (duty, holder, term, expires, shape)
SELECT :duty, :holder, 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', CAST(:seconds AS TEXT) || ' seconds'), m.value FROM tidemark__meta AS m WHERE m.key = 'shape' AND m.value = :shape
ON CONFLICT (duty) DO UPDATE SET holder = excluded.holder, term = held.term + 1, expires = excluded.expires, shape = excluded.shape
WHERE held.expires <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') OR held.expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '2400 seconds') OR held.holder = :replaced
RETURNING term;

-- name: renew_lease
-- Move the end of a term that is still ours.
UPDATE tidemark__lease SET expires = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', CAST(:seconds AS TEXT) || ' seconds') WHERE duty = :duty AND holder = :holder AND term = :term;

-- name: read_leases
-- Who holds a duty now, and who wishes to; no row where nobody does.
SELECT duty, holder FROM tidemark__lease WHERE duty IN (:duty, :wish) AND expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AND expires <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '2400 seconds');

-- name: count_rows
-- How many rows a derived table has, and whether that is an estimate (1) or exact (0).
SELECT count(*), 0 FROM {public};

-- name: list_stored_columns
-- The columns of a store, and their types.
SELECT name, type FROM pragma_table_info(:store);

-- name: measure_sources
-- How many bytes the sources have, about.
SELECT page_count * page_size FROM pragma_page_count, pragma_page_size WHERE :sources IS NOT NULL;

-- name: read_home
-- A file has no schemas.
SELECT '';

-- name: prepare_worker
-- Nothing: a worker that falls asleep inside a transaction keeps its locks, and whoever waits for them says so.
SELECT 1;

-- name: count_others
-- How many others are connected: nobody can tell that of a file, so there is somebody.
SELECT 1;

-- name: set_patience
-- How long a statement of this transaction may wait for a lock before it gives up, so that nobody waits behind it.
SELECT :patience;

-- name: list_shown
-- Statements that give readers of a view what they have there now, each with the column that it is about: here the file decides
-- who may read.
SELECT '', '' WHERE :public IS NULL;

-- name: list_triggers
-- Every trigger of ours, its table and its text, in the order in which they were made.
SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND substr(name, 1, 9) = 'tidemark_' ORDER BY rowid;

-- name: list_leftovers
-- What is still there of ours after every script's objects are gone: kind and quoted name.
SELECT type, '"' || replace(name, '"', '""') || '"' FROM sqlite_master
WHERE substr(name, 1, 9) = 'tidemark_' AND type IN ('table', 'view', 'trigger')
ORDER BY CASE type WHEN 'trigger' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, name;

-- name: list_views_left
-- The quoted names of views that show rows of tables of ours called after them, where no script is left that would tell.
SELECT '"' || replace(name, '"', '""') || '"' FROM sqlite_master
WHERE type = 'view' AND instr(sql, '"tidemark_' || CASE WHEN name LIKE '%\_live' ESCAPE '\' THEN substr(name, 1, length(name) - 5) ELSE name END) > 0;

-- name: drop_table
-- Drop a leftover table.
DROP TABLE IF EXISTS {object};

-- name: drop_view
-- Drop a leftover view.
DROP VIEW IF EXISTS {object};

-- name: drop_trigger
-- Drop a leftover trigger.
DROP TRIGGER IF EXISTS {object};

-- name: find_replicated_storage
-- A table of ours that a subscription of this database writes: this engine has no subscriptions.
SELECT NULL;

-- name: find_missing_rights
-- What the role may not do that installing needs: whoever may write the file may do everything.
SELECT '', '', '' WHERE :sources IS NULL AND :homes IS NULL;

-- name: find_hidden_rows
-- The sources of which the role does not see every row: there are no roles.
SELECT '' WHERE :sources IS NULL;

-- name: find_half_detached
-- The partitions of sources whose detaching has not ended: there are none.
SELECT '', '' WHERE :sources IS NULL;

-- name: fact_engine
-- The engine is SQLite
SELECT sqlite_version();

-- name: fact_journal
-- The journal mode is
PRAGMA journal_mode;

-- name: warn_journal
-- Outside WAL mode readers and writers wait for each other.
SELECT 'The journal mode is ' || journal_mode || ': readers and writers wait for each other. Run PRAGMA journal_mode = WAL.'
FROM pragma_journal_mode WHERE journal_mode <> 'wal';

-- name: warn_wal_reset
-- Versions before 3.51.3 can damage a database when two connections checkpoint at the wrong moment.
SELECT 'SQLite ' || sqlite_version() || ' has the WAL-reset fault that 3.51.3 mends: let only one process checkpoint.'
FROM (
    SELECT CAST(substr(rest, 1, instr(rest, '.') - 1) AS INTEGER) AS minor,
           CAST(substr(rest, instr(rest, '.') + 1) AS INTEGER) AS patch
    FROM (SELECT substr(sqlite_version(), instr(sqlite_version(), '.') + 1) AS rest)
)
WHERE minor < 51 OR (minor = 51 AND patch < 3);

-- The ledger on SQLite: every bookkeeping statement, named, with its purpose. Times are UTC texts of the database's clock.

-- name: exists
-- One number: how many of the ledger's first table are there, 0 or 1.
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'tidemark__meta');

-- name: has_schema
-- One number: whether there is a schema of that name. This engine has none.
SELECT 0 WHERE :name IS NOT NULL;

-- name: create_meta
-- Facts about the ledger itself: the version of its shape and the epoch of this copy of the database.
CREATE TABLE tidemark__meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- name: create_derived
-- One row for every generation of every derived table: its script, its state, how far its filling has come, and how many
-- rows the last clean verification counted; `portion` is how many units a transaction of its ticks takes at first, and `far` is 1 when
-- few changes reach more. The script is last: it is long, and what stands behind it is slow to reach.
CREATE TABLE tidemark__derived (
    name TEXT NOT NULL,
    generation INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    class TEXT NOT NULL,
    freshness TEXT NOT NULL CHECK (freshness IN ('commit', 'tick')),
    state TEXT NOT NULL CHECK (state IN ({derived_states})),
    replaces TEXT NOT NULL,
    installed_at TEXT NOT NULL,
    live_at TEXT,
    verified_at TEXT,
    failure TEXT,
    cursor_at INTEGER NOT NULL DEFAULT 0,
    cursor_total INTEGER NOT NULL DEFAULT 0,
    rows_counted INTEGER,
    counted_at TEXT,
    portion INTEGER,
    far INTEGER NOT NULL DEFAULT 0,
    script TEXT NOT NULL,
    PRIMARY KEY (name, generation)
);

-- name: create_checkpoint
-- How far each log is consumed: `snapshot` is done, `target` is being sealed, `position` in `file` is how far that has come. `even` is 1 when
-- every stored row is known to be of the moment of `snapshot`.
CREATE TABLE tidemark__checkpoint (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    source TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    target TEXT,
    position INTEGER NOT NULL DEFAULT 0,
    file TEXT NOT NULL DEFAULT '',
    even INTEGER NOT NULL DEFAULT 0,
    sealed_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation, source)
);

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

-- name: create_capture
-- What is written down of each source's changes, and by which objects: one row for each source that is read by ticks.
CREATE TABLE tidemark__capture (
    source TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    capture TEXT NOT NULL,
    installed_at TEXT NOT NULL
);

-- name: create_source
-- What the sources of each generation were when its filling began, as JSON: against it a change of the schema is noticed.
CREATE TABLE tidemark__source (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_sweep
-- How far the verification for ever has come in each generation, when the newest sweep began and ended, and when the last
-- complete one began.
CREATE TABLE tidemark__sweep (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    began_at TEXT NOT NULL,
    ended_at TEXT,
    whole_at TEXT,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    drift INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (derived, generation)
);

-- name: create_moment
-- The time that each derived table which reads the clock was last made true for.
CREATE TABLE tidemark__moment (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_cost
-- What each way of keeping a derived table true has cost lately, and why it was chosen last: `ms` for `work`, both fading.
CREATE TABLE tidemark__cost (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    way TEXT NOT NULL,
    work REAL NOT NULL,
    ms REAL NOT NULL,
    times INTEGER NOT NULL,
    chosen_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (derived, generation, way)
);

-- name: create_run
-- The history: one row for every time that a duty did something. Rows are kept, never overwritten by a later run.
CREATE TABLE tidemark__run (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({run_states})),
    holder TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    rows_done INTEGER NOT NULL DEFAULT 0,
    rows_total INTEGER,
    rows_written INTEGER NOT NULL DEFAULT 0,
    longest_ms REAL NOT NULL DEFAULT 0,
    message TEXT,
    cause TEXT
);

-- name: create_drift
-- Every row that was found wrong: what was stored, what was true, and how it ended.
CREATE TABLE tidemark__drift (
    id INTEGER PRIMARY KEY,
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key_hash TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('missing', 'extra', 'different', 'stale')),
    stored TEXT,
    truth TEXT,
    found_at TEXT NOT NULL,
    found_run INTEGER NOT NULL,
    closed_at TEXT,
    closed_run INTEGER,
    outcome TEXT CHECK (outcome IN ('repaired', 'gone'))
);

-- name: create_drift_open
-- A row that is wrong is open once, however often it is found.
CREATE UNIQUE INDEX tidemark__drift_open ON tidemark__drift (derived, generation, key_hash) WHERE closed_at IS NULL;

-- name: create_lease
-- Who may perform a duty, until when; `term` grows with every holder and fences off the ones before. `shape` is that of the ledger
-- which the holder's version keeps.
CREATE TABLE tidemark__lease (
    duty TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    term INTEGER NOT NULL,
    expires TEXT NOT NULL,
    shape TEXT NOT NULL
);

-- name: create_backfill
-- One row for every backfill: where it stands, what an operator wishes of it, and what its runner last told.
CREATE TABLE tidemark__backfill (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('data', 'fill')),
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({backfill_states})),
    wish TEXT NOT NULL DEFAULT '' CHECK (wish IN ('', 'pause', 'cancel')),
    nice REAL,
    attempt INTEGER NOT NULL DEFAULT 1,
    run INTEGER,
    rows_total INTEGER,
    total_is_estimate INTEGER NOT NULL DEFAULT 0,
    rate REAL,
    rate_state TEXT NOT NULL DEFAULT 'unknown',
    reasons TEXT NOT NULL DEFAULT '[]',
    failure TEXT,
    started TEXT,
    ended TEXT,
    updated TEXT
);

-- name: create_backfill_range
-- How far each range of keys of a backfill has come: keys after `low` up to `high`, done up to `cursor`.
CREATE TABLE tidemark__backfill_range (
    backfill TEXT NOT NULL,
    place INTEGER NOT NULL,
    low TEXT,
    high TEXT,
    cursor TEXT,
    rows_done INTEGER NOT NULL DEFAULT 0,
    rows_written INTEGER NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backfill, place)
);

-- name: create_quarantine
-- Every key that a backfill quarantined, with its error and the attempt; closed when a later attempt did it.
CREATE TABLE tidemark__quarantine (
    backfill TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    key TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    error TEXT NOT NULL,
    found_at TEXT NOT NULL,
    closed_at TEXT,
    PRIMARY KEY (backfill, key_hash)
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

-- name: create_outbox_once
-- A row reaches a threshold once, where that is what was asked for.
CREATE UNIQUE INDEX tidemark__outbox_once ON tidemark__outbox (derived, column_name, threshold, key) WHERE once = 1;

-- name: create_outbox_alike
-- What a row reached whose key was spelled otherwise then.
CREATE INDEX tidemark__outbox_alike ON tidemark__outbox (derived, column_name, threshold, alike) WHERE alike IS NOT NULL;

-- name: create_outbox_open
-- What waits is found without reading what does not.
CREATE INDEX tidemark__outbox_open ON tidemark__outbox (id) WHERE state <> 'delivered';

-- name: create_silence
-- A row here, in a transaction that is under way, keeps the rows which that transaction changes from giving events.
CREATE TABLE tidemark__silence (
    holder TEXT NOT NULL
);

-- name: fall_silent
-- From here to the end of this transaction, changed rows give no events.
INSERT INTO tidemark__silence (holder) VALUES (:holder);

-- name: speak_again
-- Nobody else ever sees that there was silence.
DELETE FROM tidemark__silence WHERE holder = :holder;

-- name: list_events
-- Events, oldest first: those in one state, or all.
SELECT id, derived, column_name, threshold, key, old_row, new_row, position, time, happened, state, attempts, error
FROM tidemark__outbox WHERE (CAST(:state AS TEXT) = '' OR state = :state) AND id > :after ORDER BY id LIMIT :limit;

-- name: count_events
-- How many events are in each state.
SELECT state, count(*) FROM tidemark__outbox GROUP BY state ORDER BY state;

-- name: take_event
-- One event that still waits, locked until the end of this transaction; no row when somebody else told it.
SELECT id FROM tidemark__outbox WHERE id = :id AND state = 'waiting';

-- name: set_delivered
-- Somebody was told.
UPDATE tidemark__outbox SET state = 'delivered', attempts = attempts + 1, error = NULL, delivered = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = :id;

-- name: set_undelivered
-- A handler failed: it is told again, or not any more until somebody looks.
UPDATE tidemark__outbox SET attempts = attempts + 1, error = :error,
    state = CASE WHEN attempts + 1 >= :attempts_max THEN 'failed' ELSE 'waiting' END
WHERE id = :id;

-- name: rename_events
-- A derived table has another name: what was told of it is known under that, and what waits is told under it. What was told under
-- both names stays twice.
UPDATE tidemark__outbox AS o SET derived = :after
WHERE o.derived = :before AND NOT (o.once = 1 AND EXISTS (
    SELECT 1 FROM tidemark__outbox AS e WHERE e.derived = :after AND e.column_name = o.column_name AND e.threshold = o.threshold
    AND e.key = o.key AND e.once = 1));

-- name: retry_events
-- What failed waits again.
UPDATE tidemark__outbox SET state = 'waiting', attempts = 0 WHERE state = 'failed';

-- name: set_meta
-- Remember a fact about the ledger.
INSERT INTO tidemark__meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: read_meta
-- A fact about the ledger.
SELECT value FROM tidemark__meta WHERE key = :key;

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

-- name: claim_cluster
-- Record where the database is now, if nobody else did.
UPDATE tidemark__meta SET value = :here WHERE key = 'cluster' AND value = :known;

-- name: forget_future
-- Changes that this database has not made yet: ids go along with the file, so there are none.
DELETE FROM {log} WHERE 0;

-- name: add_derived
-- Record a generation before the first of its objects is created.
INSERT INTO tidemark__derived
    (name, generation, fingerprint, class, freshness, state, script, replaces, installed_at)
VALUES (:name, :generation, :fingerprint, :class, :freshness, 'planned', :script, :replaces, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

-- name: read_state
-- The state of a generation, and what it is.
SELECT state, fingerprint FROM tidemark__derived WHERE name = :name AND generation = :generation;

-- name: list_states
-- What came, went or moved since the last look shows here, without reading a script.
SELECT name, generation, state, fingerprint FROM tidemark__derived ORDER BY name, generation;

-- name: list_derived
-- Every generation of every derived table, but for its script.
SELECT name, generation, fingerprint, state, replaces, live_at, verified_at, failure,
       cursor_at, cursor_total, rows_counted, counted_at
FROM tidemark__derived
ORDER BY name, generation;

-- name: list_named
-- The same of those under one name.
SELECT name, generation, fingerprint, state, replaces, live_at, verified_at, failure,
       cursor_at, cursor_total, rows_counted, counted_at
FROM tidemark__derived
WHERE name = :name
ORDER BY generation;

-- name: read_script
-- The script of a generation, as long as it is the one that was listed.
SELECT script FROM tidemark__derived WHERE name = :name AND generation = :generation AND fingerprint = :fingerprint;

-- name: list_derived_whole
-- Every generation of every derived table, with the script at the end.
SELECT name, generation, fingerprint, state, replaces, live_at, verified_at, failure,
       cursor_at, cursor_total, rows_counted, counted_at, script
FROM tidemark__derived
ORDER BY name, generation;

-- name: move_derived
-- Move a generation from one state to another, unless somebody else moved it.
UPDATE tidemark__derived SET state = :after, failure = :failure
WHERE name = :name AND generation = :generation AND state = :before;

-- name: mark_live
-- Record when a generation became readable.
UPDATE tidemark__derived SET live_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE name = :name AND generation = :generation;

-- name: mark_verified
-- Record that every key was compared and nothing differed.
UPDATE tidemark__derived SET verified_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE name = :name AND generation = :generation;

-- name: mark_counted
-- Record how many rows a verification counted in which nothing differed.
UPDATE tidemark__derived SET rows_counted = :rows, counted_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE name = :name AND generation = :generation;

-- name: mark_unverified
-- Forget the last clean verification, because a gap or a finding came after it.
UPDATE tidemark__derived SET verified_at = NULL WHERE name = :name AND generation = :generation;

-- name: set_cursor
-- Record how far the filling has come, in the transaction that came so far.
UPDATE tidemark__derived SET cursor_at = :cursor_at, cursor_total = :cursor_total
WHERE name = :name AND generation = :generation;

-- name: advance_cursor
-- Record that so many more keys are filled, in the transaction that filled them.
UPDATE tidemark__derived SET cursor_at = cursor_at + :keys
WHERE name = :name AND generation = :generation;

-- name: read_portion
-- How many units a transaction takes at first, NULL before anything was measured, and whether few changes reach more.
SELECT portion, far FROM tidemark__derived WHERE name = :name AND generation = :generation;

-- name: set_portion
-- Remember it, in the transaction of those who found out.
UPDATE tidemark__derived SET portion = :portion, far = :far WHERE name = :name AND generation = :generation;

-- name: set_script
-- The advice in a script changed, and nothing that the database sees.
UPDATE tidemark__derived SET script = :script, fingerprint = :fingerprint WHERE name = :name AND generation = :generation;

-- name: remove_derived
-- Forget a generation whose objects are gone.
DELETE FROM tidemark__derived WHERE name = :name AND generation = :generation;

-- name: end_renaming
-- When the last generation under an old name is gone, nothing is known by that name any more; another declaration may have it.
UPDATE tidemark__derived SET replaces = '' WHERE replaces = :name AND NOT EXISTS (SELECT 1 FROM tidemark__derived AS d WHERE d.name = :name);

-- name: remove_checkpoint
-- Forget the checkpoint of one log that a generation does not read any more.
DELETE FROM tidemark__checkpoint WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: remove_checkpoints
-- Forget the checkpoints of a generation whose objects are gone.
DELETE FROM tidemark__checkpoint WHERE derived = :name AND generation = :generation;

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
    WHERE tbl_name COLLATE NOCASE IN (SELECT source FROM watched UNION SELECT store FROM watched UNION SELECT shown FROM watched)
        AND (type <> 'trigger' OR lower(substr(name, 1, 9)) <> 'tidemark_')
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

-- name: set_facts
-- Write down what the sources of a generation are.
INSERT INTO tidemark__source (derived, generation, facts) VALUES (:derived, :generation, :facts)
ON CONFLICT (derived, generation) DO UPDATE SET facts = excluded.facts;

-- name: add_facts
-- Write down what has come to the sources of a generation, where nobody has written down anything else since.
UPDATE tidemark__source SET facts = :facts WHERE derived = :derived AND generation = :generation AND facts = :before;

-- name: list_facts
-- What the sources of every generation were.
SELECT derived, generation, facts FROM tidemark__source;

-- name: list_facts_of
-- What the sources of the generations under one name were.
SELECT derived, generation, facts FROM tidemark__source WHERE derived = :derived;

-- name: remove_facts
-- Forget what the sources of a generation were.
DELETE FROM tidemark__source WHERE derived = :name AND generation = :generation;

-- name: begin_sweep
-- Begin a sweep at the first key.
INSERT INTO tidemark__sweep (derived, generation, began_at) VALUES (:derived, :generation, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation) DO UPDATE SET began_at = excluded.began_at, ended_at = NULL, done = 0, total = 0, drift = 0;

-- name: advance_sweep
-- Record how far a sweep has come.
UPDATE tidemark__sweep SET done = :done, total = :total, drift = :drift WHERE derived = :derived AND generation = :generation;

-- name: end_sweep
-- A sweep has come to its end.
UPDATE tidemark__sweep SET ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), whole_at = began_at, done = total
WHERE derived = :derived AND generation = :generation;

-- name: read_sweep
-- How far the newest sweep has come, how many seconds ago it began, how many ago the last complete one began, and whether it
-- has ended: 1 or 0.
SELECT done, total, drift, (julianday('now') - julianday(began_at)) * 86400.0, (julianday('now') - julianday(whole_at)) * 86400.0, CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END
FROM tidemark__sweep WHERE derived = :derived AND generation = :generation;

-- name: remove_sweep
-- Forget the sweeps of a generation whose objects are gone.
DELETE FROM tidemark__sweep WHERE derived = :name AND generation = :generation;

-- name: remove_processor
-- Forget how long the function of a generation took whose objects are gone.
DELETE FROM tidemark__processor WHERE derived = :name AND generation = :generation;

-- name: remove_quarantined_unit
-- Forget the units that it failed for.
DELETE FROM tidemark__poison WHERE derived = :name AND generation = :generation;

-- name: read_clock
-- What time it is for the database.
SELECT strftime('%Y-%m-%d %H:%M:%f', 'now');

-- name: set_moment
-- Record the time that a derived table is made true for from now on, NULL being the database's own.
INSERT INTO tidemark__moment (derived, generation, at) VALUES (:derived, :generation, coalesce(:at, strftime('%Y-%m-%d %H:%M:%f', 'now')))
ON CONFLICT (derived, generation) DO UPDATE SET at = excluded.at;

-- name: remove_moment
-- Forget the recorded time of a generation whose objects are gone.
DELETE FROM tidemark__moment WHERE derived = :name AND generation = :generation;

-- name: remove_drift
-- Forget the findings about a generation whose objects are gone.
DELETE FROM tidemark__drift WHERE derived = :name AND generation = :generation;

-- name: list_captures
-- The capture of every source, but for its text.
SELECT source, fingerprint FROM tidemark__capture ORDER BY source;

-- name: list_captures_whole
-- The same with the text at the end.
SELECT source, fingerprint, capture FROM tidemark__capture ORDER BY source;

-- name: set_capture
-- Write down a capture before the first of its objects is created, or with the objects that a longer one brings.
INSERT INTO tidemark__capture (source, fingerprint, capture, installed_at)
VALUES (:source, :fingerprint, :capture, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (source) DO UPDATE SET fingerprint = excluded.fingerprint, capture = excluded.capture;

-- name: remove_capture
-- Forget a capture whose objects are gone.
DELETE FROM tidemark__capture WHERE source = :source;

-- name: set_checkpoint
-- Begin, or begin again, to read a log: from what is in it now, before any key is computed.
INSERT INTO tidemark__checkpoint (derived, generation, source, snapshot, sealed_at)
VALUES (:derived, :generation, :source, :snapshot, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation, source) DO UPDATE
SET snapshot = excluded.snapshot, target = NULL, position = 0, even = 0, sealed_at = excluded.sealed_at;

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

-- name: list_all_checkpoints
-- The checkpoints of every generation.
SELECT derived, generation, source, snapshot, target, position, file, sealed_at, even FROM tidemark__checkpoint ORDER BY source;

-- name: list_all_marks
-- How far the sources without triggers of every generation are scanned.
SELECT derived, generation, source, mark, target, inside, behind, settled, candidate, lockers, scanned_at FROM tidemark__mark
ORDER BY source;

-- name: list_checkpoints
-- The checkpoints of one generation.
SELECT source, snapshot, target, position, file, sealed_at, even FROM tidemark__checkpoint
WHERE derived = :derived AND generation = :generation
ORDER BY source;

-- name: find_target
-- The snapshot that a seal which begins now goes up to.
SELECT CAST(max(coalesce(max(id), 0), CAST(:previous AS INTEGER)) AS TEXT) FROM {log};

-- name: set_targets
-- Begin a seal: record the snapshots that it goes up to, a JSON object by source.
UPDATE tidemark__checkpoint SET target = (SELECT value FROM json_each(:moments) WHERE key = source), position = 0, file = ''
WHERE derived = :derived AND generation = :generation;

-- name: set_position
-- Record how far a log is sealed, in the transaction that sealed it.
UPDATE tidemark__checkpoint SET position = :position, file = :file
WHERE derived = :derived AND generation = :generation AND source = :source;

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

-- name: finish_seal
-- Advance the checkpoints: everything up to the targets is in the dirty set.
UPDATE tidemark__checkpoint SET snapshot = target, target = NULL, position = 0, even = 0, sealed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND target IS NOT NULL;

-- name: list_marks
-- How far the sources without triggers of one generation are scanned.
SELECT source, mark, target, inside, behind, settled, candidate, lockers, scanned_at FROM tidemark__mark
WHERE derived = :derived AND generation = :generation
ORDER BY source;

-- name: find_marks
-- The marks that any generation of a derived table, or of the one that had its name before, has in a source.
SELECT mark FROM tidemark__mark WHERE derived IN (:derived, :replaces) AND source = :source AND generation <> CASE WHEN derived = :derived
THEN :generation ELSE -1 END ORDER BY derived = :derived DESC, generation DESC;

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

-- name: begin_scan
-- Scan up to the settled position.
UPDATE tidemark__mark SET target = settled
WHERE derived = :derived AND generation = :generation AND source = :source AND settled IS NOT NULL AND (mark IS NULL OR mark <> settled);

-- name: go_back
-- The source ends before the mark: its last rows are gone, and positions may be given again.
UPDATE tidemark__mark SET mark = :mark, settled = :mark, target = NULL, inside = NULL, behind = '', candidate = NULL, lockers = '[]',
    scanned_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: advance_mark
-- Every row up to the last position of the slice was looked at; its effects are in this transaction too.
UPDATE tidemark__mark SET mark = (SELECT {place} FROM {slice} ORDER BY {place} DESC LIMIT 1), scanned_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: finish_scan
-- Every row up to the target was looked at; the effects of the last of them are in this transaction too.
UPDATE tidemark__mark SET mark = target, target = NULL, inside = NULL, behind = '', scanned_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: enter_position
-- A position has more rows than a batch: it is exhausted before the mark moves.
UPDATE tidemark__mark SET inside = (SELECT {place} FROM {slice} ORDER BY {place} DESC LIMIT 1), behind = ''
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: stay_inside
-- How far the position that is being exhausted was looked at.
UPDATE tidemark__mark SET behind = :behind
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: leave_position
-- The position is exhausted.
UPDATE tidemark__mark SET mark = inside, inside = NULL, behind = '', scanned_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: remove_marks
-- Forget the marks of a generation whose objects are gone.
DELETE FROM tidemark__mark WHERE derived = :name AND generation = :generation;

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

-- name: add_cost
-- Remember what a way has cost, and that what it cost before counts for less and less.
INSERT INTO tidemark__cost AS c (derived, generation, way, work, ms, times, chosen_at, reason)
VALUES (:derived, :generation, :way, CAST(:work AS REAL), CAST(:ms AS REAL), 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), :reason)
ON CONFLICT (derived, generation, way) DO UPDATE
SET work = c.work * CAST(:keep AS REAL) + excluded.work, ms = c.ms * CAST(:keep AS REAL) + excluded.ms, times = c.times + 1,
    chosen_at = excluded.chosen_at, reason = excluded.reason;

-- name: learn_cost
-- Remember what a way took where it was gone without being chosen: a verification reads the whole result, too.
INSERT INTO tidemark__cost AS c (derived, generation, way, work, ms, times, chosen_at, reason)
VALUES (:derived, :generation, :way, CAST(:work AS REAL), CAST(:ms AS REAL), 0, '', '')
ON CONFLICT (derived, generation, way) DO UPDATE
SET work = c.work * CAST(:keep AS REAL) + excluded.work, ms = c.ms * CAST(:keep AS REAL) + excluded.ms;

-- name: fade_costs
-- Think the ways cheaper that were not gone, so that what was measured badly once is tried again.
UPDATE tidemark__cost SET ms = ms * CAST(:keep AS REAL) WHERE derived = :derived AND generation = :generation AND way <> :way;

-- name: weigh_change
-- What a change or a unit took lately where the whole result was not asked for.
SELECT max(ms / work) FROM tidemark__cost WHERE derived = :derived AND generation = :generation AND way <> 'full' AND work > 0;

-- name: list_costs
-- What each way has cost, the one that was chosen last first.
SELECT way, work, ms, times, reason FROM tidemark__cost
WHERE derived = :derived AND generation = :generation
ORDER BY chosen_at DESC, way;

-- name: remove_costs
-- Forget what a generation cost whose objects are gone.
DELETE FROM tidemark__cost WHERE derived = :name AND generation = :generation;

-- name: add_run
-- Begin a run.
INSERT INTO tidemark__run (kind, derived, generation, state, holder, started, rows_total, message)
VALUES (:kind, :derived, :generation, 'running', :holder, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), :rows_total, :message)
RETURNING id;

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

-- name: advance_run
-- Record how far a run has come, in the transaction that came so far.
UPDATE tidemark__run
SET rows_done = :rows_done, rows_total = :rows_total, rows_written = :rows_written, longest_ms = :longest_ms
WHERE id = :id;

-- name: end_run
-- End a run, with what it did or why it stopped. Whoever has done everything was not killed, though a lease said so.
UPDATE tidemark__run SET state = :state, ended = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), message = coalesce(CAST(:message AS TEXT), message), cause = :cause WHERE id = :id AND (state = 'running' OR state = 'interrupted' AND :state = 'done');

-- name: end_stale_runs
-- A run of a duty whose lease is ours cannot be running anywhere else: its process was killed.
UPDATE tidemark__run SET state = 'interrupted', ended = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), cause = 'the process ended without a word, or could not write one down'
WHERE derived = :derived AND kind = :kind AND state = 'running' AND id <> :id;

-- name: list_runs
-- The history before a run, newest first.
SELECT id, kind, derived, generation, state, holder, started, ended, rows_done, rows_total, rows_written, longest_ms,
       message, cause
FROM tidemark__run
WHERE (CAST(:derived AS TEXT) = '' OR derived = :derived) AND id < CAST(:before AS INTEGER)
ORDER BY id DESC LIMIT :limit;

-- name: list_running
-- Runs that have not ended on record, newest first; those of dead processes are among them.
SELECT id, kind, derived, generation, state, holder, started, ended, rows_done, rows_total, rows_written, longest_ms,
       message, cause
FROM tidemark__run WHERE state = 'running' ORDER BY id DESC LIMIT :limit;

-- name: list_failed
-- For each duty and each thing the newest run that failed, as long as no run after it came to a good end.
SELECT id, kind, derived, generation, state, holder, started, ended, rows_done, rows_total, rows_written, longest_ms,
       message, cause
FROM tidemark__run AS r
WHERE r.state = 'failed' AND NOT EXISTS (
    SELECT 1 FROM tidemark__run AS later
    WHERE later.derived = r.derived AND later.kind = r.kind AND later.id > r.id AND later.state IN ('done', 'failed'))
ORDER BY id DESC LIMIT :limit;

-- name: trim_runs
-- Ticks that ended are many, those too that fail again and again: only the newest of a derived table are kept.
DELETE FROM tidemark__run WHERE kind IN ('tick', 'slow') AND state IN ('done', 'failed') AND derived = :derived AND id < :id - 1000;

-- name: list_backfills
-- Where every backfill stands, in one statement: what its ranges add up to, how long it takes and who is at it.
SELECT b.name, b.kind, b.fingerprint, b.state, b.wish, b.nice, b.attempt, b.run, coalesce(r.rows_done, 0), b.rows_total,
       b.total_is_estimate, coalesce(r.rows_written, 0), (SELECT count(*) FROM tidemark__quarantine AS q WHERE q.backfill = b.name AND q.closed_at IS NULL),
       b.rate, b.rate_state, b.reasons, b.failure, b.started, b.ended, b.updated,
       (SELECT l.holder FROM tidemark__lease AS l WHERE l.duty = CASE b.kind WHEN 'fill' THEN 'keep ' ELSE 'backfill ' END || b.name AND l.expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
FROM tidemark__backfill AS b LEFT JOIN (SELECT backfill, sum(rows_done) AS rows_done, sum(rows_written) AS rows_written FROM tidemark__backfill_range GROUP BY backfill) AS r ON r.backfill = b.name
WHERE CAST(:name AS TEXT) = '' OR b.name = :name
ORDER BY b.name;

-- name: read_now
-- What time it is for the database, as times are stored.
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

-- name: plan_backfill
-- Write down a backfill before it begins. One that is there already stays as it is.
INSERT INTO tidemark__backfill (name, kind, fingerprint, state) VALUES (:name, :kind, :fingerprint, 'planned')
ON CONFLICT (name) DO NOTHING;

-- name: begin_backfill
-- Begin a run of a backfill, in the transaction that records its ranges: what the run before told is forgotten with its state.
UPDATE tidemark__backfill
SET state = 'backfilling', fingerprint = :fingerprint, attempt = :attempt, run = :run, rows_total = :rows_total,
    total_is_estimate = :total_is_estimate, rate = NULL, rate_state = 'unknown', reasons = '[]', failure = NULL,
    nice = coalesce(CAST(:nice AS REAL), nice), started = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ended = NULL, updated = NULL
WHERE name = :name AND state = :before;

-- name: begin_fill
-- Begin a run of a filling, whatever became of the one before. No row changes where a migration of the user's has that name.
INSERT INTO tidemark__backfill AS b (name, kind, fingerprint, state, run, rows_total, started)
VALUES (:name, 'fill', :fingerprint, 'backfilling', :run, :rows_total, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (name) DO UPDATE
SET state = 'backfilling', attempt = b.attempt + (b.state <> 'planned'), fingerprint = excluded.fingerprint, run = excluded.run,
    rows_total = excluded.rows_total, rate = NULL, rate_state = 'unknown', reasons = '[]', failure = NULL, wish = '',
    started = excluded.started, ended = NULL, updated = NULL
WHERE b.kind = 'fill';

-- name: set_filled
-- How many keys were filled before a run of a filling began, and up to where it goes. Its cursor is kept when it goes on.
INSERT INTO tidemark__backfill_range AS r (backfill, place, rows_done, high) VALUES (:name, 0, :rows_done, :high)
ON CONFLICT (backfill, place) DO UPDATE
SET rows_done = excluded.rows_done, high = excluded.high, rows_written = 0, finished = 0,
    cursor = CASE WHEN CAST(:keep AS INTEGER) = 1 THEN r.cursor END;

-- name: list_fills
-- Where every generation of every derived table stands, for those that watch fillings, and who is at it.
SELECT d.name, d.generation, d.state, d.failure, d.installed_at, d.live_at,
       (SELECT l.holder FROM tidemark__lease AS l WHERE l.duty = 'keep ' || d.name AND l.expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
FROM tidemark__derived AS d ORDER BY d.name, d.generation;

-- name: hand_on_fill
-- What was filled belongs to another generation from now on: to the one whose store it is.
UPDATE tidemark__backfill SET fingerprint = CAST(:of AS TEXT) WHERE kind = 'fill' AND name = :name AND fingerprint = CAST(:generation AS TEXT);

-- name: remove_fill
-- Forget the record of a filling whose generation is gone.
DELETE FROM tidemark__backfill WHERE kind = 'fill' AND name = :name AND fingerprint = CAST(:generation AS TEXT);

-- name: move_backfill
-- Move a backfill from one state to another, unless somebody else moved it; why it was moved, if that is all there is to say of it.
UPDATE tidemark__backfill SET state = :after, reasons = :reasons, failure = :failure, updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE name = :name AND state = :before;

-- name: end_backfill
-- Record how a run of a backfill ended.
UPDATE tidemark__backfill
SET state = :after, failure = :failure, reasons = '[]', wish = '', rate = :rate, rate_state = :rate_state,
    ended = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE name = :name AND state = :before;

-- name: tell_backfill
-- What a runner tells of its work, at most once a second and always at the end.
UPDATE tidemark__backfill SET rate = :rate, rate_state = :rate_state, updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE name = :name;

-- name: read_control
-- What an operator wishes of a backfill, read in the transaction of each chunk.
SELECT wish, nice, state FROM tidemark__backfill WHERE name = :name;

-- name: hold_control
-- The same for whoever moves its state: of several at a time one after the other does.
SELECT wish, nice, state FROM tidemark__backfill WHERE name = :name;

-- name: read_state_of_backfill
-- The state of a backfill as it is stored.
SELECT state FROM tidemark__backfill WHERE name = :name;

-- name: set_wish
-- What an operator wishes from now on; a runner sees it within one chunk.
UPDATE tidemark__backfill SET wish = :wish WHERE name = :name;

-- name: set_reasons
-- Why a runner holds back, as of now.
UPDATE tidemark__backfill SET reasons = :reasons, updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE name = :name;

-- name: set_nice
-- How long the runner is to rest for each second that it holds locks.
UPDATE tidemark__backfill SET nice = :nice WHERE name = :name;

-- name: add_range
-- Write down a range of keys.
INSERT INTO tidemark__backfill_range (backfill, place, low, high) VALUES (:backfill, :place, :low, :high);

-- name: list_ranges
-- The ranges of a backfill, in key order.
SELECT place, low, high, cursor, rows_done, rows_written, finished FROM tidemark__backfill_range
WHERE backfill = :backfill ORDER BY place;

-- name: read_range
-- How far a range has come.
SELECT cursor, finished FROM tidemark__backfill_range WHERE backfill = :backfill AND place = :place;

-- name: advance_range
-- Record how far a range has come, in the transaction that came so far.
UPDATE tidemark__backfill_range
SET cursor = :cursor, rows_done = rows_done + :rows_done, rows_written = rows_written + :rows_written, finished = :finished
WHERE backfill = :backfill AND place = :place;

-- name: reset_ranges
-- A new attempt counts for itself.
UPDATE tidemark__backfill_range SET rows_done = 0, rows_written = 0 WHERE backfill = :backfill;

-- name: remove_ranges
-- Forget the ranges of a backfill that begins at its first key again.
DELETE FROM tidemark__backfill_range WHERE backfill = :backfill;

-- name: remove_parts
-- Forget the ranges of a filling that goes on in one.
DELETE FROM tidemark__backfill_range WHERE backfill = :backfill AND place <> 0;

-- name: add_quarantine
-- Quarantine a key, with its error, in the transaction that passes it.
INSERT INTO tidemark__quarantine (backfill, key_hash, key, attempt, error, found_at)
VALUES (:backfill, :key_hash, :key, :attempt, :error, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (backfill, key_hash) DO UPDATE
SET attempt = excluded.attempt, error = excluded.error, found_at = excluded.found_at, closed_at = NULL;

-- name: close_quarantine
-- A key that had been quarantined is done now.
UPDATE tidemark__quarantine SET closed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE backfill = :backfill AND key_hash = :key_hash AND closed_at IS NULL;

-- name: list_quarantine
-- The keys that are quarantined.
SELECT key, attempt, error, found_at FROM tidemark__quarantine
WHERE backfill = :backfill AND closed_at IS NULL ORDER BY found_at, key_hash LIMIT :limit;

-- name: count_quarantine
-- How many keys are quarantined.
SELECT count(*) FROM tidemark__quarantine WHERE backfill = :backfill AND closed_at IS NULL;

-- name: clear_quarantine
-- Forget the keys that were quarantined: every key is done again.
DELETE FROM tidemark__quarantine WHERE backfill = :backfill;

-- name: add_drift
-- Record a row that is wrong; found again, it shows what is stored and true now. It is as late as the newest run that there is.
INSERT INTO tidemark__drift (derived, generation, key_hash, key, kind, stored, truth, found_at, found_run)
VALUES (:derived, :generation, :key_hash, :key, :kind, :stored, :truth, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), (SELECT max(id) FROM tidemark__run WHERE id >= :run))
ON CONFLICT (derived, generation, key_hash) WHERE closed_at IS NULL
DO UPDATE SET kind = excluded.kind, stored = excluded.stored, truth = excluded.truth, found_run = excluded.found_run;

-- name: close_drift
-- A row that was wrong is true again, and this is how.
UPDATE tidemark__drift SET closed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), closed_run = :run, outcome = :outcome
WHERE derived = :derived AND generation = :generation AND key_hash = :key_hash AND closed_at IS NULL;

-- name: close_gone_drift
-- A complete verification did not find these rows wrong any more. What was found since it began may have become wrong behind it.
UPDATE tidemark__drift SET closed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), closed_run = :run, outcome = 'gone'
WHERE derived = :derived AND generation = :generation AND closed_at IS NULL AND found_run < :run;

-- name: list_open_drift
-- Rows that are known to be wrong.
SELECT key, kind, stored, truth, found_at FROM tidemark__drift
WHERE derived = :derived AND generation = :generation AND closed_at IS NULL
ORDER BY id LIMIT :limit;

-- name: find_open_drift
-- What is known of one row that is wrong.
SELECT key, kind, stored, truth, found_at FROM tidemark__drift
WHERE derived = :derived AND generation = :generation AND key_hash = :key_hash AND closed_at IS NULL;

-- name: count_open_drift
-- How many rows are known to be wrong.
SELECT count(*) FROM tidemark__drift
WHERE derived = :derived AND generation = :generation AND closed_at IS NULL AND kind <> 'stale';

-- name: count_open_findings
-- How many rows repair has to look at: those that are wrong, and those that are behind a sampled input.
SELECT count(*) FROM tidemark__drift WHERE derived = :derived AND generation = :generation AND closed_at IS NULL;

-- name: take_lease
-- Take a duty that nobody holds, whose holder's time is over or whose holder is known to be gone; no row when it is held, or when the
-- ledger has another shape than :shape. An end that is further ahead than anybody is given was written by a clock that was set back.
INSERT INTO tidemark__lease AS held (duty, holder, term, expires, shape)
SELECT :duty, :holder, 1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', CAST(:seconds AS TEXT) || ' seconds'), m.value FROM tidemark__meta AS m WHERE m.key = 'shape' AND m.value = :shape
ON CONFLICT (duty) DO UPDATE SET holder = excluded.holder, term = held.term + 1, expires = excluded.expires, shape = excluded.shape
WHERE held.expires <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now') OR held.expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '2400 seconds') OR held.holder = :replaced
RETURNING term;

-- name: check_lease
-- Whether a term is still the newest; whoever wants the next one waits until this transaction ends.
SELECT 1 FROM tidemark__lease WHERE duty = :duty AND holder = :holder AND term = :term;

-- name: renew_lease
-- Move the end of a term that is still ours.
UPDATE tidemark__lease SET expires = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', CAST(:seconds AS TEXT) || ' seconds') WHERE duty = :duty AND holder = :holder AND term = :term;

-- name: release_lease
-- Give a duty back before its time is over, whatever a clock says of that later.
UPDATE tidemark__lease SET expires = '1970-01-01T00:00:00.000Z' WHERE duty = :duty AND holder = :holder AND term = :term;

-- name: read_lease
-- Who holds a duty now; no row when nobody does.
SELECT holder, term, expires FROM tidemark__lease WHERE duty = :duty AND expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now');

-- name: list_all_quarantine
-- The keys that are quarantined, of one backfill or of all.
SELECT backfill, key, attempt, error, found_at FROM tidemark__quarantine
WHERE closed_at IS NULL AND (CAST(:backfill AS TEXT) = '' OR backfill = :backfill) ORDER BY found_at, backfill, key_hash LIMIT :limit;

-- name: read_leases
-- Who holds a duty now, and who wishes to; no row where nobody does.
SELECT duty, holder FROM tidemark__lease WHERE duty IN (:duty, :wish) AND expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AND expires <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '2400 seconds');

-- name: list_leases
-- Every duty that is held now, and by whom.
SELECT duty, holder, expires FROM tidemark__lease WHERE expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') ORDER BY duty;

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

-- name: copy_rows
-- Keep what readers see before the objects go.
CREATE TEMPORARY TABLE tidemark_kept AS SELECT * FROM {public};

-- name: keep_rows
-- Put back what readers saw, as a plain table under the same name.
CREATE TABLE {public} AS SELECT * FROM tidemark_kept;

-- name: keep_key
-- The key of a kept table stays a key.
CREATE UNIQUE INDEX {index} ON {public} ({columns});

-- name: drop_copy
-- The copy has served.
DROP TABLE tidemark_kept;

-- name: list_triggers
-- Every trigger of ours, its table and its text, in the order in which they were made.
SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND substr(name, 1, 9) = 'tidemark_' ORDER BY rowid;

-- name: list_leftovers
-- What is still there of ours after every script's objects are gone: kind and quoted name.
SELECT type, '"' || replace(name, '"', '""') || '"' FROM sqlite_master
WHERE substr(name, 1, 9) = 'tidemark_' AND type IN ('table', 'view', 'trigger')
ORDER BY CASE type WHEN 'trigger' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, name;

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

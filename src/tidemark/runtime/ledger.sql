-- The ledger: its bookkeeping statements that are the same on both engines but for `facts.<engine>.sql`, named, each with its purpose.
-- Times are UTC texts of the database's clock.

-- name: create_meta
-- Facts about the ledger itself: the version of its shape and the epoch of this copy of the database.
CREATE TABLE {ours}_meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- name: create_derived
-- One row for every generation of every derived table: its script, its state, how far its filling has come, and how many
-- rows the last clean verification counted; `portion` is how many units a transaction of its ticks takes at first, and `far` is 1 when
-- few changes reach more. The script is last: it is long, and what stands behind it is slow to reach.
CREATE TABLE {ours}_derived (
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
    cursor_at {big} NOT NULL DEFAULT 0,
    cursor_total {big} NOT NULL DEFAULT 0,
    rows_counted {big},
    counted_at TEXT,
    portion {big},
    far {small} NOT NULL DEFAULT 0,
    script TEXT NOT NULL,
    PRIMARY KEY (name, generation)
);

-- name: create_checkpoint
-- How far each log is consumed: `snapshot` is done, `target` is being sealed, `position` in `file` is how far that has come. `even` is 1 when
-- every stored row is known to be of the moment of `snapshot`.
CREATE TABLE {ours}_checkpoint (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    source TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    target TEXT,
    position {big} NOT NULL DEFAULT 0,
    file TEXT NOT NULL DEFAULT '',
    even INTEGER NOT NULL DEFAULT 0,
    sealed_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation, source)
);

-- name: create_capture
-- What is written down of each source's changes, and by which objects: one row for each source that is read by ticks.
CREATE TABLE {ours}_capture (
    source TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    capture TEXT NOT NULL,
    installed_at TEXT NOT NULL
);

-- name: create_source
-- What the sources of each generation were when its filling began, as JSON: against it a change of the schema is noticed.
CREATE TABLE {ours}_source (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_sweep
-- How far the verification for ever has come in each generation, when the newest sweep began and ended, and when the last
-- complete one began.
CREATE TABLE {ours}_sweep (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    began_at TEXT NOT NULL,
    ended_at TEXT,
    whole_at TEXT,
    done {big} NOT NULL DEFAULT 0,
    total {big} NOT NULL DEFAULT 0,
    drift {big} NOT NULL DEFAULT 0,
    PRIMARY KEY (derived, generation)
);

-- name: create_cost
-- What each way of keeping a derived table true has cost lately, and why it was chosen last: `ms` for `work`, both fading.
CREATE TABLE {ours}_cost (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    way TEXT NOT NULL,
    work {double} NOT NULL,
    ms {double} NOT NULL,
    times INTEGER NOT NULL,
    chosen_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (derived, generation, way)
);

-- name: create_run
-- The history: one row for every time that a duty did something. Rows are kept, never overwritten by a later run.
CREATE TABLE {ours}_run (
    id {identity},
    kind TEXT NOT NULL,
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({run_states})),
    holder TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    rows_done {big} NOT NULL DEFAULT 0,
    rows_total {big},
    rows_written {big} NOT NULL DEFAULT 0,
    longest_ms {real} NOT NULL DEFAULT 0,
    message TEXT,
    cause TEXT
);

-- name: create_drift
-- Every row that was found wrong: what was stored, what was true, and how it ended.
CREATE TABLE {ours}_drift (
    id {identity},
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key_hash TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('missing', 'extra', 'different', 'stale')),
    stored TEXT,
    truth TEXT,
    found_at TEXT NOT NULL,
    found_run {big} NOT NULL,
    closed_at TEXT,
    closed_run {big},
    outcome TEXT CHECK (outcome IN ('repaired', 'gone'))
);

-- name: create_drift_open
-- A row that is wrong is open once, however often it is found.
CREATE UNIQUE INDEX {here}_drift_open ON {ours}_drift (derived, generation, key_hash) WHERE closed_at IS NULL;

-- name: create_lease
-- Who may perform a duty, until when; `term` grows with every holder and fences off the ones before. `shape` is that of the ledger
-- which the holder's version keeps.
CREATE TABLE {ours}_lease (
    duty TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    term {big} NOT NULL,
    expires TEXT NOT NULL,
    shape TEXT NOT NULL
);

-- name: create_backfill
-- One row for every backfill: where it stands, what an operator wishes of it, and what its runner last told.
CREATE TABLE {ours}_backfill (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('data', 'fill')),
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ({backfill_states})),
    wish TEXT NOT NULL DEFAULT '' CHECK (wish IN ('', 'pause', 'cancel')),
    nice {real},
    attempt INTEGER NOT NULL DEFAULT 1,
    run {big},
    rows_total {big},
    total_is_estimate INTEGER NOT NULL DEFAULT 0,
    rate {real},
    rate_state TEXT NOT NULL DEFAULT 'unknown',
    reasons TEXT NOT NULL DEFAULT '[]',
    failure TEXT,
    started TEXT,
    ended TEXT,
    updated TEXT
);

-- name: create_backfill_range
-- How far each range of keys of a backfill has come: keys after `low` up to `high`, done up to `cursor`.
CREATE TABLE {ours}_backfill_range (
    backfill TEXT NOT NULL,
    place INTEGER NOT NULL,
    low TEXT,
    high TEXT,
    cursor TEXT,
    rows_done {big} NOT NULL DEFAULT 0,
    rows_written {big} NOT NULL DEFAULT 0,
    finished INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (backfill, place)
);

-- name: create_quarantine
-- Every key that a backfill quarantined, with its error and the attempt; closed when a later attempt did it.
CREATE TABLE {ours}_quarantine (
    backfill TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    key TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    error TEXT NOT NULL,
    found_at TEXT NOT NULL,
    closed_at TEXT,
    PRIMARY KEY (backfill, key_hash)
);

-- name: create_outbox_once
-- A row reaches a threshold once, where that is what was asked for.
CREATE UNIQUE INDEX {here}_outbox_once ON {ours}_outbox (derived, column_name, threshold, key) WHERE once = 1;

-- name: create_outbox_alike
-- What a row reached whose key was spelled otherwise then.
CREATE INDEX {here}_outbox_alike ON {ours}_outbox (derived, column_name, threshold, alike) WHERE alike IS NOT NULL;

-- name: create_outbox_open
-- What waits is found without reading what does not.
CREATE INDEX {here}_outbox_open ON {ours}_outbox (id) WHERE state <> 'delivered';

-- name: create_silence
-- A row here, in a transaction that is under way, keeps the rows which that transaction changes from giving events.
CREATE TABLE {ours}_silence (
    holder TEXT NOT NULL
);

-- name: fall_silent
-- From here to the end of this transaction, changed rows give no events.
INSERT INTO {ours}_silence (holder) VALUES (:holder);

-- name: speak_again
-- Nobody else ever sees that there was silence.
DELETE FROM {ours}_silence WHERE holder = :holder;

-- name: list_events
-- Events, oldest first: those in one state, or all.
SELECT id, derived, column_name, threshold, key, old_row, new_row, position, time, happened, state, attempts, error
FROM {ours}_outbox WHERE (CAST(:state AS TEXT) = '' OR state = :state) AND id > :after ORDER BY id LIMIT :limit;

-- name: count_events
-- How many events are in each state.
SELECT state, count(*) FROM {ours}_outbox GROUP BY state ORDER BY state;

-- name: take_event
-- One event that still waits, locked until the end of this transaction; no row when somebody else told it.
SELECT id FROM {ours}_outbox WHERE id = :id AND state = 'waiting' {for_update};

-- name: set_delivered
-- Somebody was told.
UPDATE {ours}_outbox SET state = 'delivered', attempts = attempts + 1, error = NULL, delivered = {now} WHERE id = :id;

-- name: set_undelivered
-- A handler failed: it is told again, or not any more until somebody looks.
UPDATE {ours}_outbox SET attempts = attempts + 1, error = :error,
    state = CASE WHEN attempts + 1 >= :attempts_max THEN 'failed' ELSE 'waiting' END
WHERE id = :id;

-- name: rename_events
-- A derived table has another name: what was told of it is known under that, and what waits is told under it. What was told under
-- both names stays twice.
UPDATE {ours}_outbox AS o SET derived = :after
WHERE o.derived = :before AND NOT (o.once = 1 AND EXISTS (
    SELECT 1 FROM {ours}_outbox AS e WHERE e.derived = :after AND e.column_name = o.column_name AND e.threshold = o.threshold
    AND e.key = o.key AND e.once = 1));

-- name: retry_events
-- What failed waits again.
UPDATE {ours}_outbox SET state = 'waiting', attempts = 0 WHERE state = 'failed';

-- name: set_meta
-- Remember a fact about the ledger.
INSERT INTO {ours}_meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- name: read_meta
-- A fact about the ledger.
SELECT value FROM {ours}_meta WHERE key = :key;

-- name: claim_cluster
-- Record where the database is now, if nobody else did.
UPDATE {ours}_meta SET value = :here WHERE key = 'cluster' AND value = :known;

-- name: add_derived
-- Record a generation before the first of its objects is created.
INSERT INTO {ours}_derived
    (name, generation, fingerprint, class, freshness, state, script, replaces, installed_at)
VALUES (:name, :generation, :fingerprint, :class, :freshness, 'planned', :script, :replaces, {now});

-- name: read_state
-- The state of a generation, and what it is.
SELECT state, fingerprint FROM {ours}_derived WHERE name = :name AND generation = :generation;

-- name: list_states
-- What came, went or moved since the last look shows here, without reading a script.
SELECT name, generation, state, fingerprint FROM {ours}_derived ORDER BY name, generation;

-- name: list_derived
-- Every generation of every derived table, but for its script.
SELECT name, generation, fingerprint, state, replaces, live_at, verified_at, failure,
       cursor_at, cursor_total, rows_counted, counted_at
FROM {ours}_derived
ORDER BY name, generation;

-- name: list_named
-- The same of those under one name.
SELECT name, generation, fingerprint, state, replaces, live_at, verified_at, failure,
       cursor_at, cursor_total, rows_counted, counted_at
FROM {ours}_derived
WHERE name = :name
ORDER BY generation;

-- name: read_script
-- The script of a generation, as long as it is the one that was listed.
SELECT script FROM {ours}_derived WHERE name = :name AND generation = :generation AND fingerprint = :fingerprint;

-- name: list_derived_whole
-- Every generation of every derived table, with the script at the end.
SELECT name, generation, fingerprint, state, replaces, live_at, verified_at, failure,
       cursor_at, cursor_total, rows_counted, counted_at, script
FROM {ours}_derived
ORDER BY name, generation;

-- name: move_derived
-- Move a generation from one state to another, unless somebody else moved it.
UPDATE {ours}_derived SET state = :after, failure = :failure
WHERE name = :name AND generation = :generation AND state = :before;

-- name: mark_live
-- Record when a generation became readable.
UPDATE {ours}_derived SET live_at = {now} WHERE name = :name AND generation = :generation;

-- name: mark_verified
-- Record that every key was compared and nothing differed.
UPDATE {ours}_derived SET verified_at = {now} WHERE name = :name AND generation = :generation;

-- name: mark_counted
-- Record how many rows a verification counted in which nothing differed.
UPDATE {ours}_derived SET rows_counted = :rows, counted_at = {now} WHERE name = :name AND generation = :generation;

-- name: mark_unverified
-- Forget the last clean verification, because a gap or a finding came after it.
UPDATE {ours}_derived SET verified_at = NULL WHERE name = :name AND generation = :generation;

-- name: set_cursor
-- Record how far the filling has come, in the transaction that came so far.
UPDATE {ours}_derived SET cursor_at = :cursor_at, cursor_total = :cursor_total
WHERE name = :name AND generation = :generation;

-- name: advance_cursor
-- Record that so many more keys are filled, in the transaction that filled them.
UPDATE {ours}_derived SET cursor_at = cursor_at + :keys
WHERE name = :name AND generation = :generation;

-- name: read_portion
-- How many units a transaction takes at first, NULL before anything was measured, and whether few changes reach more.
SELECT portion, far FROM {ours}_derived WHERE name = :name AND generation = :generation;

-- name: set_portion
-- Remember it, in the transaction of those who found out.
UPDATE {ours}_derived SET portion = :portion, far = :far WHERE name = :name AND generation = :generation;

-- name: set_script
-- The advice in a script changed, and nothing that the database sees.
UPDATE {ours}_derived SET script = :script, fingerprint = :fingerprint WHERE name = :name AND generation = :generation;

-- name: remove_derived
-- Forget a generation whose objects are gone.
DELETE FROM {ours}_derived WHERE name = :name AND generation = :generation;

-- name: end_renaming
-- When the last generation under an old name is gone, nothing is known by that name any more; another declaration may have it.
UPDATE {ours}_derived SET replaces = '' WHERE replaces = :name AND NOT EXISTS (SELECT 1 FROM {ours}_derived AS d WHERE d.name = :name);

-- name: remove_checkpoint
-- Forget the checkpoint of one log that a generation does not read any more.
DELETE FROM {ours}_checkpoint WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: remove_checkpoints
-- Forget the checkpoints of a generation whose objects are gone.
DELETE FROM {ours}_checkpoint WHERE derived = :name AND generation = :generation;

-- name: set_facts
-- Write down what the sources of a generation are.
INSERT INTO {ours}_source (derived, generation, facts) VALUES (:derived, :generation, :facts)
ON CONFLICT (derived, generation) DO UPDATE SET facts = excluded.facts;

-- name: add_facts
-- Write down what has come to the sources of a generation, where nobody has written down anything else since.
UPDATE {ours}_source SET facts = :facts WHERE derived = :derived AND generation = :generation AND facts = :before;

-- name: list_facts
-- What the sources of every generation were.
SELECT derived, generation, facts FROM {ours}_source;

-- name: list_facts_of
-- What the sources of the generations under one name were.
SELECT derived, generation, facts FROM {ours}_source WHERE derived = :derived;

-- name: remove_facts
-- Forget what the sources of a generation were.
DELETE FROM {ours}_source WHERE derived = :name AND generation = :generation;

-- name: begin_sweep
-- Begin a sweep at the first key.
INSERT INTO {ours}_sweep (derived, generation, began_at) VALUES (:derived, :generation, {now})
ON CONFLICT (derived, generation) DO UPDATE SET began_at = excluded.began_at, ended_at = NULL, done = 0, total = 0, drift = 0;

-- name: advance_sweep
-- Record how far a sweep has come.
UPDATE {ours}_sweep SET done = :done, total = :total, drift = :drift WHERE derived = :derived AND generation = :generation;

-- name: end_sweep
-- A sweep has come to its end.
UPDATE {ours}_sweep SET ended_at = {now}, whole_at = began_at, done = total
WHERE derived = :derived AND generation = :generation;

-- name: remove_sweep
-- Forget the sweeps of a generation whose objects are gone.
DELETE FROM {ours}_sweep WHERE derived = :name AND generation = :generation;

-- name: remove_processor
-- Forget how long the function of a generation took whose objects are gone.
DELETE FROM {ours}_processor WHERE derived = :name AND generation = :generation;

-- name: remove_quarantined_unit
-- Forget the units that it failed for.
DELETE FROM {ours}_poison WHERE derived = :name AND generation = :generation;

-- name: remove_moment
-- Forget the recorded time of a generation whose objects are gone.
DELETE FROM {ours}_moment WHERE derived = :name AND generation = :generation;

-- name: remove_drift
-- Forget the findings about a generation whose objects are gone.
DELETE FROM {ours}_drift WHERE derived = :name AND generation = :generation;

-- name: list_captures
-- The capture of every source, but for its text.
SELECT source, fingerprint FROM {ours}_capture ORDER BY source;

-- name: list_captures_whole
-- The same with the text at the end.
SELECT source, fingerprint, capture FROM {ours}_capture ORDER BY source;

-- name: set_capture
-- Write down a capture before the first of its objects is created, or with the objects that a longer one brings.
INSERT INTO {ours}_capture (source, fingerprint, capture, installed_at)
VALUES (:source, :fingerprint, :capture, {now})
ON CONFLICT (source) DO UPDATE SET fingerprint = excluded.fingerprint, capture = excluded.capture;

-- name: remove_capture
-- Forget a capture whose objects are gone.
DELETE FROM {ours}_capture WHERE source = :source;

-- name: set_checkpoint
-- Begin, or begin again, to read a log: from what is in it now, before any key is computed.
INSERT INTO {ours}_checkpoint (derived, generation, source, snapshot, sealed_at)
VALUES (:derived, :generation, :source, :snapshot, {now})
ON CONFLICT (derived, generation, source) DO UPDATE
SET snapshot = excluded.snapshot, target = NULL, position = 0, even = 0, sealed_at = excluded.sealed_at;

-- name: list_all_checkpoints
-- The checkpoints of every generation.
SELECT derived, generation, source, snapshot, target, position, file, sealed_at, even FROM {ours}_checkpoint ORDER BY source;

-- name: list_all_marks
-- How far the sources without triggers of every generation are scanned.
SELECT derived, generation, source, mark, target, inside, behind, settled, candidate, lockers, scanned_at FROM {ours}_mark
ORDER BY source;

-- name: list_checkpoints
-- The checkpoints of one generation.
SELECT source, snapshot, target, position, file, sealed_at, even FROM {ours}_checkpoint
WHERE derived = :derived AND generation = :generation
ORDER BY source;

-- name: set_position
-- Record how far a log is sealed, in the transaction that sealed it.
UPDATE {ours}_checkpoint SET position = :position, file = :file
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: finish_seal
-- Advance the checkpoints: everything up to the targets is in the dirty set.
UPDATE {ours}_checkpoint SET snapshot = target, target = NULL, position = 0, even = 0, sealed_at = {now}
WHERE derived = :derived AND generation = :generation AND target IS NOT NULL;

-- name: list_marks
-- How far the sources without triggers of one generation are scanned.
SELECT source, mark, target, inside, behind, settled, candidate, lockers, scanned_at FROM {ours}_mark
WHERE derived = :derived AND generation = :generation
ORDER BY source;

-- name: find_marks
-- The marks that any generation of a derived table, or of the one that had its name before, has in a source.
SELECT mark FROM {ours}_mark WHERE derived IN (:derived, :replaces) AND source = :source AND generation <> CASE WHEN derived = :derived
THEN :generation ELSE -1 END ORDER BY derived = :derived DESC, generation DESC;

-- name: begin_scan
-- Scan up to the settled position.
UPDATE {ours}_mark SET target = settled
WHERE derived = :derived AND generation = :generation AND source = :source AND settled IS NOT NULL AND (mark IS NULL OR mark <> settled);

-- name: finish_scan
-- Every row up to the target was looked at; the effects of the last of them are in this transaction too.
UPDATE {ours}_mark SET mark = target, target = NULL, inside = NULL, behind = '', scanned_at = {now}
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: stay_inside
-- How far the position that is being exhausted was looked at.
UPDATE {ours}_mark SET behind = :behind
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: leave_position
-- The position is exhausted.
UPDATE {ours}_mark SET mark = inside, inside = NULL, behind = '', scanned_at = {now}
WHERE derived = :derived AND generation = :generation AND source = :source;

-- name: remove_marks
-- Forget the marks of a generation whose objects are gone.
DELETE FROM {ours}_mark WHERE derived = :name AND generation = :generation;

-- name: add_cost
-- Remember what a way has cost, and that what it cost before counts for less and less.
INSERT INTO {ours}_cost AS c (derived, generation, way, work, ms, times, chosen_at, reason)
VALUES (:derived, :generation, :way, CAST(:work AS {real}), CAST(:ms AS {real}), 1, {now}, :reason)
ON CONFLICT (derived, generation, way) DO UPDATE
SET work = c.work * CAST(:keep AS {real}) + excluded.work, ms = c.ms * CAST(:keep AS {real}) + excluded.ms, times = c.times + 1,
    chosen_at = excluded.chosen_at, reason = excluded.reason;

-- name: learn_cost
-- Remember what a way took where it was gone without being chosen: a verification reads the whole result, too.
INSERT INTO {ours}_cost AS c (derived, generation, way, work, ms, times, chosen_at, reason)
VALUES (:derived, :generation, :way, CAST(:work AS {real}), CAST(:ms AS {real}), 0, '', '')
ON CONFLICT (derived, generation, way) DO UPDATE
SET work = c.work * CAST(:keep AS {real}) + excluded.work, ms = c.ms * CAST(:keep AS {real}) + excluded.ms;

-- name: fade_costs
-- Think the ways cheaper that were not gone, so that what was measured badly once is tried again.
UPDATE {ours}_cost SET ms = ms * CAST(:keep AS {real}) WHERE derived = :derived AND generation = :generation AND way <> :way;

-- name: weigh_change
-- What a change or a unit took lately where the whole result was not asked for.
SELECT max(ms / work) FROM {ours}_cost WHERE derived = :derived AND generation = :generation AND way <> 'full' AND work > 0;

-- name: list_costs
-- What each way has cost, the one that was chosen last first.
SELECT way, work, ms, times, reason FROM {ours}_cost
WHERE derived = :derived AND generation = :generation
ORDER BY chosen_at DESC, way;

-- name: remove_costs
-- Forget what a generation cost whose objects are gone.
DELETE FROM {ours}_cost WHERE derived = :name AND generation = :generation;

-- name: add_run
-- Begin a run.
INSERT INTO {ours}_run (kind, derived, generation, state, holder, started, rows_total, message)
VALUES (:kind, :derived, :generation, 'running', :holder, {now}, :rows_total, :message)
RETURNING id;

-- name: advance_run
-- Record how far a run has come, in the transaction that came so far.
UPDATE {ours}_run
SET rows_done = :rows_done, rows_total = :rows_total, rows_written = :rows_written, longest_ms = :longest_ms
WHERE id = :id;

-- name: end_run
-- End a run, with what it did or why it stopped. Whoever has done everything was not killed, though a lease said so.
UPDATE {ours}_run SET state = :state, ended = {now}, message = coalesce(CAST(:message AS TEXT), message), cause = :cause WHERE id = :id AND (state = 'running' OR state = 'interrupted' AND :state = 'done');

-- name: end_stale_runs
-- A run of a duty whose lease is ours cannot be running anywhere else: its process was killed.
UPDATE {ours}_run SET state = 'interrupted', ended = {now}, cause = 'the process ended without a word, or could not write one down'
WHERE derived = :derived AND kind = :kind AND state = 'running' AND id <> :id;

-- name: list_runs
-- The history before a run, newest first.
SELECT id, kind, derived, generation, state, holder, started, ended, rows_done, rows_total, rows_written, longest_ms,
       message, cause
FROM {ours}_run
WHERE (CAST(:derived AS TEXT) = '' OR derived = :derived) AND id < CAST(:before AS {big})
ORDER BY id DESC LIMIT :limit;

-- name: list_running
-- Runs that have not ended on record, newest first; those of dead processes are among them.
SELECT id, kind, derived, generation, state, holder, started, ended, rows_done, rows_total, rows_written, longest_ms,
       message, cause
FROM {ours}_run WHERE state = 'running' ORDER BY id DESC LIMIT :limit;

-- name: list_failed
-- For each duty and each thing the newest run that failed, as long as no run after it came to a good end.
SELECT id, kind, derived, generation, state, holder, started, ended, rows_done, rows_total, rows_written, longest_ms,
       message, cause
FROM {ours}_run AS r
WHERE r.state = 'failed' AND NOT EXISTS (
    SELECT 1 FROM {ours}_run AS later
    WHERE later.derived = r.derived AND later.kind = r.kind AND later.id > r.id AND later.state IN ('done', 'failed'))
ORDER BY id DESC LIMIT :limit;

-- name: trim_runs
-- Ticks that ended are many, those too that fail again and again: only the newest of a derived table are kept.
DELETE FROM {ours}_run WHERE kind IN ('tick', 'slow') AND state IN ('done', 'failed') AND derived = :derived AND id < :id - 1000;

-- name: read_now
-- What time it is for the database, as times are stored.
SELECT {now};

-- name: plan_backfill
-- Write down a backfill before it begins. One that is there already stays as it is.
INSERT INTO {ours}_backfill (name, kind, fingerprint, state) VALUES (:name, :kind, :fingerprint, 'planned')
ON CONFLICT (name) DO NOTHING;

-- name: begin_backfill
-- Begin a run of a backfill, in the transaction that records its ranges: what the run before told is forgotten with its state.
UPDATE {ours}_backfill
SET state = 'backfilling', fingerprint = :fingerprint, attempt = :attempt, run = :run, rows_total = :rows_total,
    total_is_estimate = :total_is_estimate, rate = NULL, rate_state = 'unknown', reasons = '[]', failure = NULL,
    nice = coalesce(CAST(:nice AS {real}), nice), started = {now}, ended = NULL, updated = NULL
WHERE name = :name AND state = :before;

-- name: set_filled
-- How many keys were filled before a run of a filling began, and up to where it goes. Its cursor is kept when it goes on.
INSERT INTO {ours}_backfill_range AS r (backfill, place, rows_done, high) VALUES (:name, 0, :rows_done, :high)
ON CONFLICT (backfill, place) DO UPDATE
SET rows_done = excluded.rows_done, high = excluded.high, rows_written = 0, finished = 0,
    cursor = CASE WHEN CAST(:keep AS INTEGER) = 1 THEN r.cursor END;

-- name: list_fills
-- Where every generation of every derived table stands, for those that watch fillings, and who is at it.
SELECT d.name, d.generation, d.state, d.failure, d.installed_at, d.live_at,
       (SELECT l.holder FROM {ours}_lease AS l WHERE l.duty = 'keep ' || d.name AND l.expires > {now})
FROM {ours}_derived AS d ORDER BY d.name, d.generation;

-- name: hand_on_fill
-- What was filled belongs to another generation from now on: to the one whose store it is.
UPDATE {ours}_backfill SET fingerprint = CAST(:of AS text) WHERE kind = 'fill' AND name = :name AND fingerprint = CAST(:generation AS text);

-- name: remove_fill
-- Forget the record of a filling whose generation is gone.
DELETE FROM {ours}_backfill WHERE kind = 'fill' AND name = :name AND fingerprint = CAST(:generation AS TEXT);

-- name: move_backfill
-- Move a backfill from one state to another, unless somebody else moved it; why it was moved, if that is all there is to say of it.
UPDATE {ours}_backfill SET state = :after, reasons = :reasons, failure = :failure, updated = {now},
    nice = CASE WHEN :after = 'cancelled' THEN NULL ELSE nice END
WHERE name = :name AND state = :before;

-- name: end_backfill
-- Record how a run of a backfill ended. Who cancels one takes back how it was to rest.
UPDATE {ours}_backfill
SET state = :after, failure = :failure, reasons = '[]', wish = '', rate = :rate, rate_state = :rate_state,
    nice = CASE WHEN :after = 'cancelled' THEN NULL ELSE nice END, ended = {now}, updated = {now}
WHERE name = :name AND state = :before;

-- name: tell_backfill
-- What a runner tells of its work, at most once a second and always at the end.
UPDATE {ours}_backfill SET rate = :rate, rate_state = :rate_state, updated = {now} WHERE name = :name;

-- name: read_control
-- What an operator wishes of a backfill, read in the transaction of each chunk.
SELECT wish, nice, state FROM {ours}_backfill WHERE name = :name;

-- name: hold_control
-- The same for whoever moves its state: of several at a time one after the other does.
SELECT wish, nice, state FROM {ours}_backfill WHERE name = :name {for_update};

-- name: read_state_of_backfill
-- The state of a backfill as it is stored.
SELECT state FROM {ours}_backfill WHERE name = :name;

-- name: set_wish
-- What an operator wishes from now on; a runner sees it within one chunk.
UPDATE {ours}_backfill SET wish = :wish WHERE name = :name;

-- name: set_reasons
-- Why a runner holds back, as of now.
UPDATE {ours}_backfill SET reasons = :reasons, updated = {now} WHERE name = :name;

-- name: set_nice
-- How long the runner is to rest for each second that it holds locks.
UPDATE {ours}_backfill SET nice = :nice WHERE name = :name;

-- name: add_range
-- Write down a range of keys.
INSERT INTO {ours}_backfill_range (backfill, place, low, high) VALUES (:backfill, :place, :low, :high);

-- name: list_ranges
-- The ranges of a backfill, in key order.
SELECT place, low, high, cursor, rows_done, rows_written, finished FROM {ours}_backfill_range
WHERE backfill = :backfill ORDER BY place;

-- name: read_range
-- How far a range has come.
SELECT cursor, finished FROM {ours}_backfill_range WHERE backfill = :backfill AND place = :place;

-- name: advance_range
-- Record how far a range has come, in the transaction that came so far.
UPDATE {ours}_backfill_range
SET cursor = :cursor, rows_done = rows_done + :rows_done, rows_written = rows_written + :rows_written, finished = :finished
WHERE backfill = :backfill AND place = :place;

-- name: reset_ranges
-- A new attempt counts for itself.
UPDATE {ours}_backfill_range SET rows_done = 0, rows_written = 0 WHERE backfill = :backfill;

-- name: remove_ranges
-- Forget the ranges of a backfill that begins at its first key again.
DELETE FROM {ours}_backfill_range WHERE backfill = :backfill;

-- name: remove_parts
-- Forget the ranges of a filling that goes on in one.
DELETE FROM {ours}_backfill_range WHERE backfill = :backfill AND place <> 0;

-- name: add_quarantine
-- Quarantine a key, with its error, in the transaction that passes it.
INSERT INTO {ours}_quarantine (backfill, key_hash, key, attempt, error, found_at)
VALUES (:backfill, :key_hash, :key, :attempt, :error, {now})
ON CONFLICT (backfill, key_hash) DO UPDATE
SET attempt = excluded.attempt, error = excluded.error, found_at = excluded.found_at, closed_at = NULL;

-- name: close_quarantine
-- A key that had been quarantined is done now.
UPDATE {ours}_quarantine SET closed_at = {now} WHERE backfill = :backfill AND key_hash = :key_hash AND closed_at IS NULL;

-- name: list_quarantine
-- The keys that are quarantined.
SELECT key, attempt, error, found_at FROM {ours}_quarantine
WHERE backfill = :backfill AND closed_at IS NULL ORDER BY found_at, key_hash LIMIT :limit;

-- name: count_quarantine
-- How many keys are quarantined.
SELECT count(*) FROM {ours}_quarantine WHERE backfill = :backfill AND closed_at IS NULL;

-- name: clear_quarantine
-- Forget the keys that were quarantined: every key is done again.
DELETE FROM {ours}_quarantine WHERE backfill = :backfill;

-- name: add_drift
-- Record a row that is wrong; found again, it shows what is stored and true now. It is as late as the newest run that there is.
INSERT INTO {ours}_drift (derived, generation, key_hash, key, kind, stored, truth, found_at, found_run)
VALUES (:derived, :generation, :key_hash, :key, :kind, :stored, :truth, {now}, (SELECT max(id) FROM {ours}_run WHERE id >= :run))
ON CONFLICT (derived, generation, key_hash) WHERE closed_at IS NULL
DO UPDATE SET kind = excluded.kind, stored = excluded.stored, truth = excluded.truth, found_run = excluded.found_run;

-- name: close_drift
-- A row that was wrong is true again, and this is how.
UPDATE {ours}_drift SET closed_at = {now}, closed_run = :run, outcome = :outcome
WHERE derived = :derived AND generation = :generation AND key_hash = :key_hash AND closed_at IS NULL;

-- name: close_gone_drift
-- A complete verification did not find these rows wrong any more. What was found since it began may have become wrong behind it.
UPDATE {ours}_drift SET closed_at = {now}, closed_run = :run, outcome = 'gone'
WHERE derived = :derived AND generation = :generation AND closed_at IS NULL AND found_run < :run;

-- name: list_open_drift
-- Rows that are known to be wrong.
SELECT key, kind, stored, truth, found_at FROM {ours}_drift
WHERE derived = :derived AND generation = :generation AND closed_at IS NULL
ORDER BY id LIMIT :limit;

-- name: find_open_drift
-- What is known of one row that is wrong.
SELECT key, kind, stored, truth, found_at FROM {ours}_drift
WHERE derived = :derived AND generation = :generation AND key_hash = :key_hash AND closed_at IS NULL;

-- name: count_open_drift
-- How many rows are known to be wrong.
SELECT count(*) FROM {ours}_drift
WHERE derived = :derived AND generation = :generation AND closed_at IS NULL AND kind <> 'stale';

-- name: count_open_findings
-- How many rows repair has to look at: those that are wrong, and those that are behind a sampled input.
SELECT count(*) FROM {ours}_drift WHERE derived = :derived AND generation = :generation AND closed_at IS NULL;

-- name: check_lease
-- Whether a term is still the newest; whoever wants the next one waits until this transaction ends.
SELECT 1 FROM {ours}_lease WHERE duty = :duty AND holder = :holder AND term = :term {for_share};

-- name: release_lease
-- Give a duty back before its time is over, whatever a clock says of that later.
UPDATE {ours}_lease SET expires = '1970-01-01T00:00:00.000Z' WHERE duty = :duty AND holder = :holder AND term = :term;

-- name: read_lease
-- Who holds a duty now; no row when nobody does.
SELECT holder, term, expires FROM {ours}_lease WHERE duty = :duty AND expires > {now};

-- name: list_all_quarantine
-- The keys that are quarantined, of one backfill or of all.
SELECT backfill, key, attempt, error, found_at FROM {ours}_quarantine
WHERE closed_at IS NULL AND (CAST(:backfill AS TEXT) = '' OR backfill = :backfill) ORDER BY found_at, backfill, key_hash LIMIT :limit;

-- name: list_leases
-- Every duty that is held now, and by whom.
SELECT duty, holder, expires FROM {ours}_lease WHERE expires > {now} ORDER BY duty;

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

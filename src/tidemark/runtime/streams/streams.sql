-- What streams know of themselves: positions, gaps, identities and evidence. Times are UTC texts of the database's clock.

-- name: create_stream
-- One row for each stream: how far it has come by its own account, and why it stands still.
CREATE TABLE {ours}_stream (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ({stream_states})),
    position {big},
    time TEXT,
    blocks {big} NOT NULL DEFAULT 0,
    events {big} NOT NULL DEFAULT 0,
    redelivered {big} NOT NULL DEFAULT 0,
    skipped {big} NOT NULL DEFAULT 0,
    hook_failures {big} NOT NULL DEFAULT 0,
    failed_at {big},
    cause TEXT,
    attempts {big} NOT NULL DEFAULT 0,
    at_position {big},
    at_time TEXT,
    at_moment TEXT,
    updated TEXT NOT NULL
);

-- name: create_stream_gap
-- Blocks that were passed over, and what became of them.
CREATE TABLE {ours}_stream_gap (
    stream TEXT NOT NULL,
    position {big} NOT NULL,
    cause TEXT NOT NULL,
    found TEXT NOT NULL,
    attempts {big} NOT NULL DEFAULT 1,
    outcome TEXT CHECK (outcome IN ('taken', 'skipped')),
    closed TEXT,
    PRIMARY KEY (stream, position)
);

-- name: create_stream_seen
-- What was taken or quarantined of each transaction, as far as this ordinal: what is delivered again is known by its identity, never by content.
CREATE TABLE {ours}_stream_seen (
    stream TEXT NOT NULL,
    block {big} NOT NULL,
    tx {big} NOT NULL,
    ordinal {big} NOT NULL,
    PRIMARY KEY (stream, block, tx, ordinal)
) {rowless};

-- name: create_stream_evidence
-- What was not taken, why, and the thing itself.
CREATE TABLE {ours}_stream_evidence (
    id {lasting},
    stream TEXT NOT NULL,
    block {big} NOT NULL,
    tx {big} NOT NULL,
    ordinal {big} NOT NULL,
    position {big} NOT NULL,
    time TEXT,
    level TEXT NOT NULL CHECK (level IN ('item', 'event', 'hook')),
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    found TEXT NOT NULL,
    attempts {big} NOT NULL DEFAULT 1,
    outcome TEXT CHECK (outcome IN ('taken', 'skipped')),
    closed TEXT
);

-- name: create_stream_evidence_open
-- What waits for somebody is found without reading what does not.
CREATE INDEX {here}_stream_evidence_open ON {ours}_stream_evidence (stream, level) WHERE closed IS NULL;

-- name: begin
-- A stream is there from its first run on; one that stood still goes on.
INSERT INTO {ours}_stream (name, state, updated) VALUES (:name, 'running', {now})
ON CONFLICT (name) DO UPDATE SET state = 'running', updated = excluded.updated;

-- name: enter
-- The block that is being taken, for whoever dates what it changes.
UPDATE {ours}_stream SET at_position = :position, at_time = CAST(:time AS TEXT), at_moment = CAST(:moment AS TEXT) WHERE name = :name;

-- name: read
-- One stream.
SELECT name, state, position, time, blocks, events, redelivered, skipped, hook_failures, failed_at, cause, attempts, updated
FROM {ours}_stream WHERE name = :name;

-- name: list
-- Every stream, with what is open: gaps, events and items that are quarantined.
SELECT s.name, s.state, s.position, s.time, s.blocks, s.events, s.redelivered, s.skipped, s.hook_failures, s.failed_at, s.cause,
       s.attempts, s.updated,
       (SELECT count(*) FROM {ours}_stream_gap AS g WHERE g.stream = s.name AND g.closed IS NULL),
       (SELECT count(*) FROM {ours}_stream_evidence AS e WHERE e.stream = s.name AND e.level = 'event' AND e.closed IS NULL)
FROM {ours}_stream AS s ORDER BY s.name;

-- name: advance
-- Blocks are taken: position and counts, in their own transaction. A block that came again moves nothing back.
UPDATE {ours}_stream SET
    position = CASE WHEN position IS NULL OR position < :position THEN :position ELSE position END,
    time = CASE WHEN position IS NULL OR position <= :position THEN CAST(:time AS TEXT) ELSE time END,
    blocks = blocks + :blocks, events = events + :events, redelivered = redelivered + :redelivered, skipped = skipped + :skipped,
    hook_failures = hook_failures + :hook_failures, failed_at = NULL, cause = NULL, attempts = 0, updated = {now}
WHERE name = :name;

-- name: stop
-- A stream stands still: halted by a block, or at the end of what there is.
UPDATE {ours}_stream SET state = :state, failed_at = :failed_at, cause = :cause, attempts = :attempts, updated = {now}
WHERE name = :name;

-- name: pass_over
-- Nothing of a block is taken; later ones are.
UPDATE {ours}_stream SET position = CASE WHEN position IS NULL OR position < :position THEN :position ELSE position END,
    failed_at = NULL, cause = NULL, attempts = 0, updated = {now}
WHERE name = :name;

-- name: add_gap
-- A block that is passed over; found again, it has failed once more.
INSERT INTO {ours}_stream_gap AS g (stream, position, cause, found) VALUES (:stream, :position, :cause, {now})
ON CONFLICT (stream, position) DO UPDATE SET cause = excluded.cause, attempts = g.attempts + 1, outcome = NULL, closed = NULL;

-- name: close_gap
-- What became of a block that was passed over.
UPDATE {ours}_stream_gap SET outcome = :outcome, closed = {now}
WHERE stream = :stream AND position = :position AND closed IS NULL;

-- name: list_gaps
-- Blocks that were passed over and wait for somebody.
SELECT position, cause, found, attempts FROM {ours}_stream_gap WHERE stream = :stream AND closed IS NULL ORDER BY position LIMIT :limit;

-- name: list_passed
-- Blocks that were passed over and are not to be taken when they come again by themselves.
SELECT position FROM {ours}_stream_gap WHERE stream = :stream AND (outcome IS NULL OR outcome = 'skipped');

-- name: list_evidence
-- What is quarantined, oldest first; of one level, or of all.
SELECT id, block, tx, ordinal, position, time, level, kind, reason, evidence, found, attempts FROM {ours}_stream_evidence
WHERE stream = :stream AND closed IS NULL AND (CAST(:level AS TEXT) = '' OR level = :level) ORDER BY id LIMIT :limit;

-- name: count_reasons
-- How many things were quarantined for each reason.
SELECT level, reason, count(*) FROM {ours}_stream_evidence WHERE stream = :stream AND closed IS NULL GROUP BY level, reason ORDER BY 3 DESC, 1, 2;

-- name: close_evidence
-- What became of something that was quarantined.
UPDATE {ours}_stream_evidence SET outcome = :outcome, closed = {now} WHERE id = :id AND closed IS NULL;

-- name: fail_evidence
-- It failed once more.
UPDATE {ours}_stream_evidence SET reason = :reason, attempts = attempts + 1 WHERE id = :id;

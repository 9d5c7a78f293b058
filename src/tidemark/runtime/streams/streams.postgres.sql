-- What streams know of themselves on PostgreSQL: positions, gaps, identities and evidence. Times are UTC texts of the database's clock.

-- name: create_stream
-- One row for each stream: how far it has come by its own account, and why it stands still.
CREATE TABLE tidemark._stream (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ({stream_states})),
    position bigint,
    time TEXT,
    blocks bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    redelivered bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    hook_failures bigint NOT NULL DEFAULT 0,
    failed_at bigint,
    cause TEXT,
    attempts bigint NOT NULL DEFAULT 0,
    at_position bigint,
    at_time TEXT,
    at_moment TEXT,
    updated TEXT NOT NULL
);

-- name: create_stream_gap
-- Blocks that were passed over, and what became of them.
CREATE TABLE tidemark._stream_gap (
    stream TEXT NOT NULL,
    position bigint NOT NULL,
    cause TEXT NOT NULL,
    found TEXT NOT NULL,
    attempts bigint NOT NULL DEFAULT 1,
    outcome TEXT CHECK (outcome IN ('taken', 'skipped')),
    closed TEXT,
    PRIMARY KEY (stream, position)
);

-- name: create_stream_seen
-- What was taken or quarantined of each transaction, as far as this ordinal: what is delivered again is known by its identity, never by content.
CREATE TABLE tidemark._stream_seen (
    stream TEXT NOT NULL,
    block bigint NOT NULL,
    tx bigint NOT NULL,
    ordinal bigint NOT NULL,
    PRIMARY KEY (stream, block, tx, ordinal)
);

-- name: create_stream_evidence
-- What was not taken, why, and the thing itself.
CREATE TABLE tidemark._stream_evidence (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream TEXT NOT NULL,
    block bigint NOT NULL,
    tx bigint NOT NULL,
    ordinal bigint NOT NULL,
    position bigint NOT NULL,
    time TEXT,
    level TEXT NOT NULL CHECK (level IN ('item', 'event', 'hook')),
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    found TEXT NOT NULL,
    attempts bigint NOT NULL DEFAULT 1,
    outcome TEXT CHECK (outcome IN ('taken', 'skipped')),
    closed TEXT
);

-- name: create_stream_evidence_open
-- What waits for somebody is found without reading what does not.
CREATE INDEX _stream_evidence_open ON tidemark._stream_evidence (stream, level) WHERE closed IS NULL;

-- name: begin
-- A stream is there from its first run on; one that stood still goes on.
INSERT INTO tidemark._stream (name, state, updated) VALUES (:name, 'running', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'))
ON CONFLICT (name) DO UPDATE SET state = 'running', updated = excluded.updated;

-- name: enter
-- The block that is being taken, for whoever dates what it changes.
UPDATE tidemark._stream SET at_position = :position, at_time = CAST(:time AS TEXT), at_moment = CAST(:moment AS TEXT) WHERE name = :name;

-- name: read
-- One stream.
SELECT name, state, position, time, blocks, events, redelivered, skipped, hook_failures, failed_at, cause, attempts, updated
FROM tidemark._stream WHERE name = :name;

-- name: list
-- Every stream, with what is open: gaps, events and items that are quarantined.
SELECT s.name, s.state, s.position, s.time, s.blocks, s.events, s.redelivered, s.skipped, s.hook_failures, s.failed_at, s.cause,
       s.attempts, s.updated,
       (SELECT count(*) FROM tidemark._stream_gap AS g WHERE g.stream = s.name AND g.closed IS NULL),
       (SELECT count(*) FROM tidemark._stream_evidence AS e WHERE e.stream = s.name AND e.level = 'event' AND e.closed IS NULL)
FROM tidemark._stream AS s ORDER BY s.name;

-- name: advance
-- Blocks are taken: position and counts, in their own transaction. A block that came again moves nothing back.
UPDATE tidemark._stream SET
    position = CASE WHEN position IS NULL OR position < :position THEN :position ELSE position END,
    time = CASE WHEN position IS NULL OR position <= :position THEN CAST(:time AS TEXT) ELSE time END,
    blocks = blocks + :blocks, events = events + :events, redelivered = redelivered + :redelivered, skipped = skipped + :skipped,
    hook_failures = hook_failures + :hook_failures, failed_at = NULL, cause = NULL, attempts = 0, updated = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"')
WHERE name = :name;

-- name: stop
-- A stream stands still: halted by a block, or at the end of what there is.
UPDATE tidemark._stream SET state = :state, failed_at = :failed_at, cause = :cause, attempts = :attempts, updated = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"')
WHERE name = :name;

-- name: pass_over
-- Nothing of a block is taken; later ones are.
UPDATE tidemark._stream SET position = CASE WHEN position IS NULL OR position < :position THEN :position ELSE position END,
    failed_at = NULL, cause = NULL, attempts = 0, updated = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"')
WHERE name = :name;

-- name: add_gap
-- A block that is passed over; found again, it has failed once more.
INSERT INTO tidemark._stream_gap AS g (stream, position, cause, found) VALUES (:stream, :position, :cause, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'))
ON CONFLICT (stream, position) DO UPDATE SET cause = excluded.cause, attempts = g.attempts + 1, outcome = NULL, closed = NULL;

-- name: close_gap
-- What became of a block that was passed over.
UPDATE tidemark._stream_gap SET outcome = :outcome, closed = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"')
WHERE stream = :stream AND position = :position AND closed IS NULL;

-- name: list_gaps
-- Blocks that were passed over and wait for somebody.
SELECT position, cause, found, attempts FROM tidemark._stream_gap WHERE stream = :stream AND closed IS NULL ORDER BY position LIMIT :limit;

-- name: list_passed
-- Blocks that were passed over and are not to be taken when they come again by themselves.
SELECT position FROM tidemark._stream_gap WHERE stream = :stream AND (outcome IS NULL OR outcome = 'skipped');

-- name: find_seen
-- How far each transaction of some blocks is known.
SELECT block, tx, max(ordinal) FROM tidemark._stream_seen WHERE stream = :stream AND block IN (SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:blocks AS json)) AS e (value)) GROUP BY block, tx;

-- name: add_seen
-- Remember what a block brought.
INSERT INTO tidemark._stream_seen (stream, block, tx, ordinal) SELECT :stream, e.v[i][1], e.v[i][2], e.v[i][3]
FROM (SELECT CAST(translate(:seen, '[]', '{}') AS bigint[]) OFFSET 0) AS e (v), generate_subscripts(e.v, 1) AS i;

-- name: add_evidence
-- Quarantine what could not be taken.
INSERT INTO tidemark._stream_evidence (stream, block, tx, ordinal, position, time, level, kind, reason, evidence, found)
SELECT :stream, CAST(value ->> 0 AS bigint), CAST(value ->> 1 AS bigint), CAST(value ->> 2 AS bigint), CAST(value ->> 3 AS bigint), value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"')
FROM json_array_elements(CAST(:things AS json)) WITH ORDINALITY AS e (value, place) ORDER BY place;

-- name: list_evidence
-- What is quarantined, oldest first; of one level, or of all.
SELECT id, block, tx, ordinal, position, time, level, kind, reason, evidence, found, attempts FROM tidemark._stream_evidence
WHERE stream = :stream AND closed IS NULL AND (CAST(:level AS TEXT) = '' OR level = :level) ORDER BY id LIMIT :limit;

-- name: count_reasons
-- How many things were quarantined for each reason.
SELECT level, reason, count(*) FROM tidemark._stream_evidence WHERE stream = :stream AND closed IS NULL GROUP BY level, reason ORDER BY 3 DESC, 1, 2;

-- name: close_evidence
-- What became of something that was quarantined.
UPDATE tidemark._stream_evidence SET outcome = :outcome, closed = to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"') WHERE id = :id AND closed IS NULL;

-- name: fail_evidence
-- It failed once more.
UPDATE tidemark._stream_evidence SET reason = :reason, attempts = attempts + 1 WHERE id = :id;

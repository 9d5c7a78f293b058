-- What streams know of themselves on SQLite: positions, gaps, identities and evidence. Times are UTC texts of the database's clock.

-- name: create_stream
-- One row for each stream: how far it has come by its own account, and why it stands still.
CREATE TABLE tidemark__stream (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ({stream_states})),
    position INTEGER,
    time TEXT,
    blocks INTEGER NOT NULL DEFAULT 0,
    events INTEGER NOT NULL DEFAULT 0,
    redelivered INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    hook_failures INTEGER NOT NULL DEFAULT 0,
    failed_at INTEGER,
    cause TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    at_position INTEGER,
    at_time TEXT,
    at_moment TEXT,
    updated TEXT NOT NULL
);

-- name: create_stream_gap
-- Blocks that were passed over, and what became of them.
CREATE TABLE tidemark__stream_gap (
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,
    cause TEXT NOT NULL,
    found TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    outcome TEXT CHECK (outcome IN ('taken', 'skipped')),
    closed TEXT,
    PRIMARY KEY (stream, position)
);

-- name: create_stream_seen
-- What was taken or quarantined of each transaction, as far as this ordinal: what is delivered again is known by its identity, never by content.
CREATE TABLE tidemark__stream_seen (
    stream TEXT NOT NULL,
    block INTEGER NOT NULL,
    tx INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (stream, block, tx, ordinal)
) WITHOUT ROWID;

-- name: create_stream_evidence
-- What was not taken, why, and the thing itself.
CREATE TABLE tidemark__stream_evidence (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    block INTEGER NOT NULL,
    tx INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    position INTEGER NOT NULL,
    time TEXT,
    level TEXT NOT NULL CHECK (level IN ('item', 'event', 'hook')),
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    evidence TEXT NOT NULL,
    found TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    outcome TEXT CHECK (outcome IN ('taken', 'skipped')),
    closed TEXT
);

-- name: create_stream_evidence_open
-- What waits for somebody is found without reading what does not.
CREATE INDEX tidemark__stream_evidence_open ON tidemark__stream_evidence (stream, level) WHERE closed IS NULL;

-- name: begin
-- A stream is there from its first run on; one that stood still goes on.
INSERT INTO tidemark__stream (name, state, updated) VALUES (:name, 'running', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (name) DO UPDATE SET state = 'running', updated = excluded.updated;

-- name: enter
-- The block that is being taken, for whoever dates what it changes.
UPDATE tidemark__stream SET at_position = :position, at_time = CAST(:time AS TEXT), at_moment = CAST(:moment AS TEXT) WHERE name = :name;

-- name: read
-- One stream.
SELECT name, state, position, time, blocks, events, redelivered, skipped, hook_failures, failed_at, cause, attempts, updated
FROM tidemark__stream WHERE name = :name;

-- name: list
-- Every stream, with what is open: gaps, events and items that are quarantined.
SELECT s.name, s.state, s.position, s.time, s.blocks, s.events, s.redelivered, s.skipped, s.hook_failures, s.failed_at, s.cause,
       s.attempts, s.updated,
       (SELECT count(*) FROM tidemark__stream_gap AS g WHERE g.stream = s.name AND g.closed IS NULL),
       (SELECT count(*) FROM tidemark__stream_evidence AS e WHERE e.stream = s.name AND e.level = 'event' AND e.closed IS NULL)
FROM tidemark__stream AS s ORDER BY s.name;

-- name: advance
-- Blocks are taken: position and counts, in their own transaction. A block that came again moves nothing back.
UPDATE tidemark__stream SET
    position = CASE WHEN position IS NULL OR position < :position THEN :position ELSE position END,
    time = CASE WHEN position IS NULL OR position <= :position THEN CAST(:time AS TEXT) ELSE time END,
    blocks = blocks + :blocks, events = events + :events, redelivered = redelivered + :redelivered, skipped = skipped + :skipped,
    hook_failures = hook_failures + :hook_failures, failed_at = NULL, cause = NULL, attempts = 0, updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE name = :name;

-- name: stop
-- A stream stands still: halted by a block, or at the end of what there is.
UPDATE tidemark__stream SET state = :state, failed_at = :failed_at, cause = :cause, attempts = :attempts, updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE name = :name;

-- name: pass_over
-- Nothing of a block is taken; later ones are.
UPDATE tidemark__stream SET position = CASE WHEN position IS NULL OR position < :position THEN :position ELSE position END,
    failed_at = NULL, cause = NULL, attempts = 0, updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE name = :name;

-- name: add_gap
-- A block that is passed over; found again, it has failed once more.
INSERT INTO tidemark__stream_gap AS g (stream, position, cause, found) VALUES (:stream, :position, :cause, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (stream, position) DO UPDATE SET cause = excluded.cause, attempts = g.attempts + 1, outcome = NULL, closed = NULL;

-- name: close_gap
-- What became of a block that was passed over.
UPDATE tidemark__stream_gap SET outcome = :outcome, closed = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
WHERE stream = :stream AND position = :position AND closed IS NULL;

-- name: list_gaps
-- Blocks that were passed over and wait for somebody.
SELECT position, cause, found, attempts FROM tidemark__stream_gap WHERE stream = :stream AND closed IS NULL ORDER BY position LIMIT :limit;

-- name: list_passed
-- Blocks that were passed over and are not to be taken when they come again by themselves.
SELECT position FROM tidemark__stream_gap WHERE stream = :stream AND (outcome IS NULL OR outcome = 'skipped');

-- name: find_seen
-- How far each transaction of some blocks is known.
SELECT block, tx, max(ordinal) FROM tidemark__stream_seen WHERE stream = :stream AND block IN (SELECT value FROM json_each(:blocks)) GROUP BY block, tx;

-- name: add_seen
-- Remember what a block brought.
INSERT INTO tidemark__stream_seen (stream, block, tx, ordinal) SELECT :stream, value ->> 0, value ->> 1, value ->> 2 FROM json_each(:seen);

-- name: add_evidence
-- Quarantine what could not be taken.
INSERT INTO tidemark__stream_evidence (stream, block, tx, ordinal, position, time, level, kind, reason, evidence, found)
SELECT :stream, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
FROM json_each(:things) ORDER BY key;

-- name: list_evidence
-- What is quarantined, oldest first; of one level, or of all.
SELECT id, block, tx, ordinal, position, time, level, kind, reason, evidence, found, attempts FROM tidemark__stream_evidence
WHERE stream = :stream AND closed IS NULL AND (CAST(:level AS TEXT) = '' OR level = :level) ORDER BY id LIMIT :limit;

-- name: count_reasons
-- How many things were quarantined for each reason.
SELECT level, reason, count(*) FROM tidemark__stream_evidence WHERE stream = :stream AND closed IS NULL GROUP BY level, reason ORDER BY 3 DESC, 1, 2;

-- name: close_evidence
-- What became of something that was quarantined.
UPDATE tidemark__stream_evidence SET outcome = :outcome, closed = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = :id AND closed IS NULL;

-- name: fail_evidence
-- It failed once more.
UPDATE tidemark__stream_evidence SET reason = :reason, attempts = attempts + 1 WHERE id = :id;

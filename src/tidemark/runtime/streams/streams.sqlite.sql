-- What of streams.sql is a text of its own on SQLite.

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

-- What of streams.sql is a text of its own on PostgreSQL.

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

-- What of operators.sql is a text of its own on PostgreSQL.

-- name: count_run
-- Add a run that has ended to what runs have come to.
INSERT INTO tidemark._total AS t (derived, kind, state, runs, rows_done, rows_written, seconds, ended)
SELECT derived, kind, state, 1, rows_done, rows_written, greatest(0.0, extract(epoch FROM CAST(ended AS timestamptz) - CAST(started AS timestamptz))), ended
FROM tidemark._run WHERE id = :id
ON CONFLICT (derived, kind, state) DO UPDATE
SET runs = t.runs + 1, rows_done = t.rows_done + excluded.rows_done, rows_written = t.rows_written + excluded.rows_written,
    seconds = t.seconds + excluded.seconds, ended = excluded.ended;

-- name: count_took
-- Add a tick that did its work to those that took no longer than a bound.
INSERT INTO tidemark._hold AS h (derived, kind, what, bound, chunks, ms)
SELECT r.derived, r.kind, 'took', (SELECT count(*) FROM json_array_elements_text(CAST(:bounds AS json)) AS b WHERE CAST(b AS float8) < r.ms), 1, r.ms
FROM (SELECT derived, kind, CAST(greatest(0.0, extract(epoch FROM CAST(ended AS timestamptz) - CAST(started AS timestamptz))) * 1000 AS float8) AS ms FROM tidemark._run
      WHERE id = :id AND kind = 'tick' AND state = 'done') AS r
WHERE true
ON CONFLICT (derived, kind, what, bound) DO UPDATE SET chunks = h.chunks + 1, ms = h.ms + excluded.ms;

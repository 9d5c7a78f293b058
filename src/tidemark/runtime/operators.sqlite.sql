-- What of operators.sql is a text of its own on SQLite.

-- name: count_run
-- Add a run that has ended to what runs have come to.
INSERT INTO tidemark__total AS t (derived, kind, state, runs, rows_done, rows_written, seconds, ended)
SELECT derived, kind, state, 1, rows_done, rows_written, max(0.0, (julianday(ended) - julianday(started)) * 86400.0), ended
FROM tidemark__run WHERE id = :id
ON CONFLICT (derived, kind, state) DO UPDATE
SET runs = t.runs + 1, rows_done = t.rows_done + excluded.rows_done, rows_written = t.rows_written + excluded.rows_written,
    seconds = t.seconds + excluded.seconds, ended = excluded.ended;

-- name: count_took
-- Add a tick that did its work to those that took no longer than a bound.
INSERT INTO tidemark__hold AS h (derived, kind, what, bound, chunks, ms)
SELECT r.derived, r.kind, 'took', (SELECT count(*) FROM json_each(:bounds) AS b WHERE b.value < r.ms), 1, r.ms
FROM (SELECT derived, kind, max(0.0, (julianday(ended) - julianday(started)) * 86400000.0) AS ms FROM tidemark__run
      WHERE id = :id AND kind = 'tick' AND state = 'done') AS r
WHERE true
ON CONFLICT (derived, kind, what, bound) DO UPDATE SET chunks = h.chunks + 1, ms = h.ms + excluded.ms;

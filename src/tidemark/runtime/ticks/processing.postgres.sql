-- What of processing.sql is a text of its own on PostgreSQL.

-- name: add_time
-- A function was called for so many units.
INSERT INTO tidemark._processor AS p (derived, generation, batches, units, total_ms, longest_ms, last_ms, slow, last_at)
VALUES (:derived, :generation, 1, :units, :ms, :ms, :ms, :slow, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'))
ON CONFLICT (derived, generation) DO UPDATE SET batches = p.batches + 1, units = p.units + excluded.units,
    total_ms = p.total_ms + excluded.total_ms, longest_ms = greatest(p.longest_ms, excluded.longest_ms), last_ms = excluded.last_ms,
    slow = p.slow + excluded.slow, last_at = excluded.last_at;

-- name: add_quarantined_unit
-- Quarantine a unit; found again, it has failed once more.
INSERT INTO tidemark._poison AS p (derived, generation, unit, error, found)
VALUES (:derived, :generation, :unit, :error, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'))
ON CONFLICT (derived, generation, unit) DO UPDATE SET error = excluded.error, attempts = p.attempts + 1;

-- What of processing.sql is a text of its own on SQLite.

-- name: add_time
-- A function was called for so many units.
INSERT INTO tidemark__processor (derived, generation, batches, units, total_ms, longest_ms, last_ms, slow, last_at)
VALUES (:derived, :generation, 1, :units, :ms, :ms, :ms, :slow, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation) DO UPDATE SET batches = batches + 1, units = units + excluded.units,
    total_ms = total_ms + excluded.total_ms, longest_ms = max(longest_ms, excluded.longest_ms), last_ms = excluded.last_ms,
    slow = slow + excluded.slow, last_at = excluded.last_at;

-- name: add_quarantined_unit
-- Quarantine a unit; found again, it has failed once more.
INSERT INTO tidemark__poison (derived, generation, unit, error, found)
VALUES (:derived, :generation, :unit, :error, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation, unit) DO UPDATE SET error = excluded.error, attempts = attempts + 1;

-- What is known of processors on SQLite: how long their functions take, and the units that they fail for.

-- name: create_processor
-- One row for each generation of a processor: its batches, and how long its function took for them.
CREATE TABLE tidemark__processor (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    batches INTEGER NOT NULL,
    units INTEGER NOT NULL,
    total_ms REAL NOT NULL,
    longest_ms REAL NOT NULL,
    last_ms REAL NOT NULL,
    slow INTEGER NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_poison
-- Units for which a processor's function failed: their rows are as they were before. Databases know it by this name.
CREATE TABLE tidemark__poison (
    derived TEXT NOT NULL,
    generation INTEGER NOT NULL,
    unit TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    found TEXT NOT NULL,
    PRIMARY KEY (derived, generation, unit)
);

-- name: add_time
-- A function was called for so many units.
INSERT INTO tidemark__processor (derived, generation, batches, units, total_ms, longest_ms, last_ms, slow, last_at)
VALUES (:derived, :generation, 1, :units, :ms, :ms, :ms, :slow, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation) DO UPDATE SET batches = batches + 1, units = units + excluded.units,
    total_ms = total_ms + excluded.total_ms, longest_ms = max(longest_ms, excluded.longest_ms), last_ms = excluded.last_ms,
    slow = slow + excluded.slow, last_at = excluded.last_at;

-- name: read_time
-- How long a function took so far, and for how many units it fails.
SELECT p.batches, p.units, p.total_ms, p.longest_ms, p.last_ms, p.slow, p.last_at,
       (SELECT count(*) FROM tidemark__poison AS q WHERE q.derived = :derived AND q.generation = :generation)
FROM (SELECT 1) AS one LEFT JOIN tidemark__processor AS p ON p.derived = :derived AND p.generation = :generation;

-- name: add_quarantined_unit
-- Quarantine a unit; found again, it has failed once more.
INSERT INTO tidemark__poison (derived, generation, unit, error, found)
VALUES (:derived, :generation, :unit, :error, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
ON CONFLICT (derived, generation, unit) DO UPDATE SET error = excluded.error, attempts = attempts + 1;

-- name: list_quarantined_units
-- The units that are quarantined, oldest first.
SELECT unit, error, attempts, found FROM tidemark__poison WHERE derived = :derived AND generation = :generation ORDER BY found, unit;

-- name: end_quarantined_unit
-- A unit was computed after all.
DELETE FROM tidemark__poison WHERE derived = :derived AND generation = :generation AND unit = :unit;

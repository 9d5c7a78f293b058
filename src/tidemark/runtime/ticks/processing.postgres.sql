-- What is known of processors on PostgreSQL: how long their functions take, and the units that they fail for.

-- name: create_processor
-- One row for each generation of a processor: its batches, and how long its function took for them.
CREATE TABLE tidemark._processor (
    derived TEXT NOT NULL,
    generation bigint NOT NULL,
    batches bigint NOT NULL,
    units bigint NOT NULL,
    total_ms double precision NOT NULL,
    longest_ms double precision NOT NULL,
    last_ms double precision NOT NULL,
    slow bigint NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_poison
-- Units for which a processor's function failed: their rows are as they were before. Databases know it by this name.
CREATE TABLE tidemark._poison (
    derived TEXT NOT NULL,
    generation bigint NOT NULL,
    unit TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts bigint NOT NULL DEFAULT 1,
    found TEXT NOT NULL,
    PRIMARY KEY (derived, generation, unit)
);

-- name: add_time
-- A function was called for so many units.
INSERT INTO tidemark._processor AS p (derived, generation, batches, units, total_ms, longest_ms, last_ms, slow, last_at)
VALUES (:derived, :generation, 1, :units, :ms, :ms, :ms, :slow, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'))
ON CONFLICT (derived, generation) DO UPDATE SET batches = p.batches + 1, units = p.units + excluded.units,
    total_ms = p.total_ms + excluded.total_ms, longest_ms = greatest(p.longest_ms, excluded.longest_ms), last_ms = excluded.last_ms,
    slow = p.slow + excluded.slow, last_at = excluded.last_at;

-- name: read_time
-- How long a function took so far, and for how many units it fails.
SELECT p.batches, p.units, p.total_ms, p.longest_ms, p.last_ms, p.slow, p.last_at,
       (SELECT count(*) FROM tidemark._poison AS q WHERE q.derived = :derived AND q.generation = :generation)
FROM (SELECT 1) AS one LEFT JOIN tidemark._processor AS p ON p.derived = :derived AND p.generation = :generation;

-- name: add_quarantined_unit
-- Quarantine a unit; found again, it has failed once more.
INSERT INTO tidemark._poison AS p (derived, generation, unit, error, found)
VALUES (:derived, :generation, :unit, :error, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"'))
ON CONFLICT (derived, generation, unit) DO UPDATE SET error = excluded.error, attempts = p.attempts + 1;

-- name: list_quarantined_units
-- The units that are quarantined, oldest first.
SELECT unit, error, attempts, found FROM tidemark._poison WHERE derived = :derived AND generation = :generation ORDER BY found, unit;

-- name: end_quarantined_unit
-- A unit was computed after all.
DELETE FROM tidemark._poison WHERE derived = :derived AND generation = :generation AND unit = :unit;

-- What is known of processors: how long their functions take, and the units that they fail for.

-- name: create_processor
-- One row for each generation of a processor: its batches, and how long its function took for them.
CREATE TABLE {ours}_processor (
    derived TEXT NOT NULL,
    generation {big} NOT NULL,
    batches {big} NOT NULL,
    units {big} NOT NULL,
    total_ms {double} NOT NULL,
    longest_ms {double} NOT NULL,
    last_ms {double} NOT NULL,
    slow {big} NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (derived, generation)
);

-- name: create_poison
-- Units for which a processor's function failed: their rows are as they were before. Databases know it by this name.
CREATE TABLE {ours}_poison (
    derived TEXT NOT NULL,
    generation {big} NOT NULL,
    unit TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts {big} NOT NULL DEFAULT 1,
    found TEXT NOT NULL,
    PRIMARY KEY (derived, generation, unit)
);

-- name: read_time
-- How long a function took so far, and for how many units it fails.
SELECT p.batches, p.units, p.total_ms, p.longest_ms, p.last_ms, p.slow, p.last_at,
       (SELECT count(*) FROM {ours}_poison AS q WHERE q.derived = :derived AND q.generation = :generation)
FROM (SELECT 1) AS one LEFT JOIN {ours}_processor AS p ON p.derived = :derived AND p.generation = :generation;

-- name: list_quarantined_units
-- The units that are quarantined, oldest first.
SELECT unit, error, attempts, found FROM {ours}_poison WHERE derived = :derived AND generation = :generation ORDER BY found, unit;

-- name: end_quarantined_unit
-- A unit was computed after all.
DELETE FROM {ours}_poison WHERE derived = :derived AND generation = :generation AND unit = :unit;

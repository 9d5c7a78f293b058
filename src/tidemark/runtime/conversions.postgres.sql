-- Conversions of the ledger on PostgreSQL: each turns the tables of the shape before into those of its own. None is ever
-- changed: what it makes is what the next one begins with.

-- name: lock
-- Before any of them: wait for every transaction under a lease, and let none begin before this one ends.
LOCK TABLE tidemark._lease IN ACCESS EXCLUSIVE MODE;

-- name: end_leases
-- After all of them: take every duty away from whoever has it.
DELETE FROM tidemark._lease;

-- name: to_11
-- What the version of that shape changed was in scripts, which made the order of flushes by themselves.
NOTHING

-- name: to_12
-- The holder of a lease says for which shape it works, which no version before does: none takes a lease any more. The order of flushes
-- is the ledger's; scripts made it by themselves, in shape 10 by name.
DROP TABLE tidemark._lease
;
CREATE TABLE tidemark._lease (
    duty TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    term bigint NOT NULL,
    expires TEXT NOT NULL,
    shape TEXT NOT NULL
)
;
ALTER TABLE tidemark._outbox ADD COLUMN IF NOT EXISTS alike bigint
;
CREATE INDEX IF NOT EXISTS _outbox_alike ON tidemark._outbox (derived, column_name, threshold, alike) WHERE alike IS NOT NULL
;
CREATE TABLE IF NOT EXISTS tidemark._flushes (name TEXT NOT NULL PRIMARY KEY, reads TEXT NOT NULL)
;
ALTER TABLE tidemark._flushes
    ADD COLUMN IF NOT EXISTS writes TEXT[] NOT NULL DEFAULT ARRAY[]::text[],
    ADD COLUMN IF NOT EXISTS sources TEXT[] NOT NULL DEFAULT ARRAY[]::text[]
;
ALTER TABLE tidemark._flushes ALTER COLUMN writes DROP DEFAULT, ALTER COLUMN sources DROP DEFAULT
;
DROP FUNCTION IF EXISTS tidemark._weave(text, boolean, text)
;
DROP FUNCTION IF EXISTS tidemark._weave(text, boolean, text, text[], text[])
;
UPDATE tidemark._derived AS d SET script = (
    SELECT json_object_agg(f.key, CASE WHEN f.key <> 'pieces' THEN f.value ELSE (
        SELECT json_agg(p.value ORDER BY p.place) FROM json_array_elements(f.value) WITH ORDINALITY AS p (value, place)
        WHERE p.value ->> 'name' NOT IN ('tidemark._weave', 'tidemark._flushes')) END)::text
    FROM json_each(d.script::json) AS f
);

-- Conversions of the ledger on SQLite: each turns the tables of the shape before into those of its own. A text that the shape of a later
-- version made is never changed: what it makes is what the next one begins with.

-- name: lock
-- Before any of them: wait for every transaction under a lease, and let none begin before this one ends.
NOTHING

-- name: end_leases
-- After all of them: take every duty away from whoever has it.
DELETE FROM tidemark__lease;

-- name: to_11
-- What the version of that shape changed was in scripts, which an `apply` of it made anew.
NOTHING

-- name: to_12
-- The holder of a lease says for which shape it works, which no version before does: none takes a lease any more.
DROP TABLE tidemark__lease
;
CREATE TABLE tidemark__lease (
    duty TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    term INTEGER NOT NULL,
    expires TEXT NOT NULL,
    shape TEXT NOT NULL
)
;
CREATE INDEX IF NOT EXISTS tidemark__outbox_alike ON tidemark__outbox (derived, column_name, threshold, alike) WHERE alike IS NOT NULL;

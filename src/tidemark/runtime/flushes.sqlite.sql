-- The order of flushes: on SQLite writers flush nothing.

-- name: create_flushes
-- Every flush.
NOTHING

-- name: create_weave
-- Put a flush into the order, or take it out.
NOTHING

-- name: create_flush_all
-- The one flush of a transaction.
NOTHING

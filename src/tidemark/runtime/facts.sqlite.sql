-- What SQLite says in words of its own where the statements of both engines are the same.

-- part: ours
-- What the names of our tables begin with, for want of a schema.
tidemark_

-- part: here
-- What the name of an index begins with.
tidemark_

-- part: now
-- The database's clock, as RFC 3339 text in UTC.
strftime('%Y-%m-%dT%H:%M:%fZ', 'now')

-- part: small
-- The type of a flag.
INTEGER

-- part: big
-- The type of a count.
INTEGER

-- part: real
-- The type of a duration, or of a rate.
REAL

-- part: double
-- The same, as some tables have it since their first shape.
REAL

-- part: identity
-- A number that the database gives each row.
INTEGER PRIMARY KEY

-- part: lasting
-- Such a number, and none is given a second time when the last row goes.
INTEGER PRIMARY KEY AUTOINCREMENT

-- part: rowless
-- How a table is stored by its key.
WITHOUT ROWID

-- part: for_update
-- Whoever writes is alone.
NOTHING

-- part: for_share
-- Whoever writes is alone.
NOTHING

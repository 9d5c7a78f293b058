-- What PostgreSQL says in words of its own where the statements of both engines are the same.

-- part: ours
-- What the names of our tables begin with: the schema.
tidemark.

-- part: here
-- What the name of an index begins with, which is in the schema of its table.
NOTHING

-- part: now
-- What tidemark._clock says for no second ahead, spelled out: a call of it is planned anew with each statement, which takes 55
-- microseconds.
to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.MS"Z"')

-- part: small
-- The type of a flag.
integer

-- part: big
-- The type of a count.
bigint

-- part: real
-- The type of a duration, or of a rate.
float8

-- part: double
-- The same, as some tables have it since their first shape.
double precision

-- part: identity
-- A number that the database gives each row.
bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY

-- part: lasting
-- Such a number, and none is given a second time when the last row goes.
bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY

-- part: rowless
-- How a table is stored by its key.
NOTHING

-- part: for_update
-- Nobody else writes or locks the row until the transaction ends.
FOR UPDATE

-- part: for_share
-- Nobody else writes the row until the transaction ends.
FOR SHARE

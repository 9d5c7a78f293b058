-- copies: linear at commit freshness
-- SELECT id, upper(name) AS loud FROM users WHERE email <> ''
-- because: a row for each row of users

-- table tidemark.copies
CREATE TABLE "tidemark"."copies" (
  "id" integer NOT NULL,
  "_rows" bigint NOT NULL DEFAULT 0,
  "_loud" bigint
) WITH (fillfactor = 70);

-- index tidemark._unique_copies
CREATE UNIQUE INDEX "_unique_copies" ON "tidemark"."copies" ("id");

-- type tidemark._delta_copies
CREATE TYPE "tidemark"."_delta_copies" AS (
  "id" integer,
  "_rows" integer,
  "tidemark_touched0" integer
);

-- table tidemark._pending_copies
CREATE UNLOGGED TABLE "tidemark"."_pending_copies" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), deltas "tidemark"."_delta_copies"[] NOT NULL, waits boolean NOT NULL DEFAULT false);

-- step tidemark._pending_copies storage
ALTER TABLE "tidemark"."_pending_copies" ALTER COLUMN deltas SET STORAGE EXTERNAL;

-- index tidemark._pending_xid_copies
CREATE INDEX "_pending_xid_copies" ON "tidemark"."_pending_copies" (xid);

-- function tidemark._flush_copies
CREATE FUNCTION "tidemark"."_flush_copies"() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_memory "tidemark"."_delta_copies"[];
  tidemark_tids tid[];
  tidemark_emptied tid[];
  tidemark_moved tid[];
  tidemark_f0s boolean[];
BEGIN
  WITH taken AS (DELETE FROM "tidemark"."_pending_copies" WHERE xid = pg_current_xact_id() RETURNING deltas)
  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;
  IF tidemark_memory IS NULL THEN RETURN; END IF;
  WITH d AS (
    SELECT u."id", sum(u."_rows")::bigint AS "_rows", max(u."tidemark_touched0") AS "tidemark_touched0"
    FROM unnest(tidemark_memory) AS u GROUP BY u."id"
  ), written AS (
    INSERT INTO "tidemark"."copies" AS s ("id", "_rows") SELECT d."id", d."_rows" FROM d ORDER BY d."id"
    ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows"
    RETURNING s.ctid AS tidemark_tid, s.*
  ), x AS (
    SELECT w.tidemark_tid, w."_rows" = 0 AND w."_loud" IS NULL AS tidemark_emptied, coalesce(d."tidemark_touched0" > 0, false) AS tidemark_f0
    FROM written AS w JOIN d ON w."id" = d."id"
  )
  SELECT array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_f0),
         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), array_agg(x.tidemark_f0) FILTER (WHERE x.tidemark_f0)
  INTO tidemark_tids, tidemark_emptied, tidemark_f0s FROM x;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.
    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.
    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM "tidemark"."copies" AS s WHERE s."id" = u."id" FOR UPDATE) AS x;
  END IF;
  IF true = ANY (tidemark_f0s) THEN
    WITH again AS (
      UPDATE "tidemark"."copies" AS s SET "_loud" = CASE WHEN u.tidemark_f0 THEN (SELECT (UPPER(r."name")) FROM "public"."users" AS r WHERE ((r."id"))::integer = s."id" AND ((r."email" <> ''))) ELSE s."_loud" END
      FROM unnest(tidemark_tids, tidemark_f0s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_loud" IS NULL AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF tidemark_emptied IS NOT NULL THEN
    DELETE FROM "tidemark"."copies" AS s WHERE s.ctid = ANY (tidemark_emptied) AND s."_rows" = 0 AND s."_loud" IS NULL;
  END IF;
END
$tidemark$;

-- function tidemark._settle_copies
CREATE FUNCTION "tidemark"."_settle_copies"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
  tidemark_memory "tidemark"."_delta_copies"[];
  tidemark_tids tid[];
  tidemark_emptied tid[];
  tidemark_moved tid[];
  tidemark_f0s boolean[];
BEGIN
  tidemark_armed := current_setting('tidemark.armed', true);
  IF tidemark_armed = ' _flush_copies ' THEN
    tidemark_armed := set_config('tidemark.armed', '', true);
  ELSE
    IF tidemark_armed <> '' THEN
      PERFORM set_config('tidemark.armed', '', true), tidemark._flush_all(tidemark_armed);
    END IF;
    PERFORM 1 FROM "tidemark"."_pending_copies" WHERE xid = pg_current_xact_id();
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  WITH taken AS (DELETE FROM "tidemark"."_pending_copies" WHERE xid = pg_current_xact_id() RETURNING deltas)
  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;
  IF tidemark_memory IS NULL THEN RETURN NULL; END IF;
  WITH d AS (
    SELECT u."id", sum(u."_rows")::bigint AS "_rows", max(u."tidemark_touched0") AS "tidemark_touched0"
    FROM unnest(tidemark_memory) AS u GROUP BY u."id"
  ), written AS (
    INSERT INTO "tidemark"."copies" AS s ("id", "_rows") SELECT d."id", d."_rows" FROM d ORDER BY d."id"
    ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows"
    RETURNING s.ctid AS tidemark_tid, s.*
  ), x AS (
    SELECT w.tidemark_tid, w."_rows" = 0 AND w."_loud" IS NULL AS tidemark_emptied, coalesce(d."tidemark_touched0" > 0, false) AS tidemark_f0
    FROM written AS w JOIN d ON w."id" = d."id"
  )
  SELECT array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_f0),
         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), array_agg(x.tidemark_f0) FILTER (WHERE x.tidemark_f0)
  INTO tidemark_tids, tidemark_emptied, tidemark_f0s FROM x;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.
    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.
    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM "tidemark"."copies" AS s WHERE s."id" = u."id" FOR UPDATE) AS x;
  END IF;
  IF true = ANY (tidemark_f0s) THEN
    WITH again AS (
      UPDATE "tidemark"."copies" AS s SET "_loud" = CASE WHEN u.tidemark_f0 THEN (SELECT (UPPER(r."name")) FROM "public"."users" AS r WHERE ((r."id"))::integer = s."id" AND ((r."email" <> ''))) ELSE s."_loud" END
      FROM unnest(tidemark_tids, tidemark_f0s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_loud" IS NULL AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF tidemark_emptied IS NOT NULL THEN
    DELETE FROM "tidemark"."copies" AS s WHERE s.ctid = ANY (tidemark_emptied) AND s."_rows" = 0 AND s."_loud" IS NULL;
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _settle_copies
CREATE CONSTRAINT TRIGGER "_settle_copies" AFTER INSERT ON "tidemark"."_pending_copies" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.waits) EXECUTE FUNCTION "tidemark"."_settle_copies"();

-- step tidemark._settle_copies always
ALTER TABLE "tidemark"."_pending_copies" ENABLE ALWAYS TRIGGER "_settle_copies";

-- step tidemark._flush_copies woven
SELECT tidemark._weave('_flush_copies', true, '', ARRAY['tidemark.copies']::text[], ARRAY['users']::text[]);

-- function tidemark._insert_copies_users
CREATE FUNCTION "tidemark"."_insert_copies_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_copies"[];
BEGIN
  SELECT n."id", n."name", n."email", EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_copies" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0")::"tidemark"."_delta_copies")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((n."id"))::integer AS "id", (1) AS "_rows", 1 AS "tidemark_touched0" FROM n WHERE (n."email" <> '')
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  IF ((tidemark_row."email" <> '')) THEN tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."id"))::integer, (1), 1)::"tidemark"."_delta_copies"; END IF;
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_copies" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_copies ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_copies ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _insert_copies_users
CREATE TRIGGER "_insert_copies_users" AFTER INSERT ON "public"."users" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_insert_copies_users"();

-- step tidemark._insert_copies_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_insert_copies_users";

-- function tidemark._update_copies_users
CREATE FUNCTION "tidemark"."_update_copies_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_copies"[];
BEGIN
  SELECT n."id" IS DISTINCT FROM o."id" OR n."name" IS DISTINCT FROM o."name" OR n."email" IS DISTINCT FROM o."email" AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o, n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_copies" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0")::"tidemark"."_delta_copies")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((o."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name", "email" FROM o EXCEPT ALL SELECT "id", "name", "email" FROM n) AS o WHERE (o."email" <> '')
      UNION ALL SELECT ((n."id"))::integer AS "id", (1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name", "email" FROM n EXCEPT ALL SELECT "id", "name", "email" FROM o) AS n WHERE (n."email" <> '')
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_copies" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0")::"tidemark"."_delta_copies")
    FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((o."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name", "email" FROM o EXCEPT ALL SELECT "id", "name", "email" FROM n) AS o WHERE (o."email" <> '')
      UNION ALL SELECT ((n."id"))::integer AS "id", (1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name", "email" FROM n EXCEPT ALL SELECT "id", "name", "email" FROM o) AS n WHERE (n."email" <> '')
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS y HAVING count(*) > 0;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_copies ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_copies ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _update_copies_users
CREATE TRIGGER "_update_copies_users" AFTER UPDATE ON "public"."users" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_update_copies_users"();

-- step tidemark._update_copies_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_update_copies_users";

-- function tidemark._delete_copies_users
CREATE FUNCTION "tidemark"."_delete_copies_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_copies"[];
BEGIN
  SELECT o."id", o."name", o."email", EXISTS (SELECT FROM o OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_copies" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0")::"tidemark"."_delta_copies")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((o."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM o WHERE (o."email" <> '')
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  IF ((tidemark_row."email" <> '')) THEN tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."id"))::integer, -(1), 1)::"tidemark"."_delta_copies"; END IF;
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_copies" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_copies ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_copies ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _delete_copies_users
CREATE TRIGGER "_delete_copies_users" AFTER DELETE ON "public"."users" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_delete_copies_users"();

-- step tidemark._delete_copies_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_delete_copies_users";

-- function tidemark._truncate_before_copies_users
CREATE FUNCTION "tidemark"."_truncate_before_copies_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
  INSERT INTO "tidemark"."_pending_copies" (deltas, waits)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0")::"tidemark"."_delta_copies"), true
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((r."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM "public"."users" AS r WHERE (r."email" <> '')
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_before_copies_users
CREATE TRIGGER "_truncate_before_copies_users" BEFORE TRUNCATE ON "public"."users" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_before_copies_users"();

-- step tidemark._truncate_before_copies_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_truncate_before_copies_users";

-- function tidemark._truncate_after_copies_users
CREATE FUNCTION "tidemark"."_truncate_after_copies_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  INSERT INTO "tidemark"."_pending_copies" (deltas) VALUES ('{}');
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_copies ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_copies ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_after_copies_users
CREATE TRIGGER "_truncate_after_copies_users" AFTER TRUNCATE ON "public"."users" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_after_copies_users"();

-- step tidemark._truncate_after_copies_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_truncate_after_copies_users";

-- view copies (public)
CREATE VIEW "public"."copies" AS SELECT
  (s."id")::integer AS "id",
  (s."_loud")::bigint AS "loud"
FROM "tidemark"."copies" AS s
WHERE s."_rows" > 0;

-- function tidemark._readonly_copies (public)
CREATE FUNCTION "tidemark"."_readonly_copies"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'copies is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_copies (public)
CREATE TRIGGER "_readonly_copies" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."copies" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_copies"();

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_copies" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "id" integer);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_copies" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_loud" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_copies" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_loud" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_copies" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "id" integer);

-- applier: every key
TRUNCATE pg_temp."_todo_copies" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_copies" ("id") SELECT * FROM (SELECT ((r."id"))::integer AS "id" FROM "public"."users" AS r WHERE (r."email" <> '') UNION SELECT "id" FROM "tidemark"."copies") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_copies" (tidemark_n, "id") SELECT tidemark_n, "id" FROM pg_temp."_todo_copies" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock
INSERT INTO "tidemark"."copies" AS s ("id") SELECT "id" FROM pg_temp."_batch_copies" ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows";

-- applier: recompute
DELETE FROM pg_temp."_stored_copies";
INSERT INTO pg_temp."_stored_copies" (tidemark_n, "id", "_rows", "_loud") SELECT b.tidemark_n, s."id", s."_rows", s."_loud" FROM pg_temp."_batch_copies" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."copies" AS s WHERE s."id" = b."id" OFFSET 0) AS s;
DELETE FROM pg_temp."_fresh_copies";
SELECT pg_catalog.set_config('seq_page_cost', '100', true), pg_catalog.set_config('enable_hashjoin', 'off', true), pg_catalog.set_config('enable_mergejoin', 'off', true);
INSERT INTO pg_temp."_fresh_copies" (tidemark_n, "id", "_rows", "_loud") SELECT b.tidemark_n, b."id", coalesce(f0."_rows", 0) AS "_rows", f0."_loud" AS "_loud" FROM pg_temp."_batch_copies" AS b LEFT JOIN LATERAL (SELECT 1 AS "_rows", (UPPER(r."name")) AS "_loud" FROM "public"."users" AS r WHERE ((r."id")) = b."id" AND ((r."email" <> '')) OFFSET 0) AS f0 ON true;
SELECT pg_catalog.set_config('seq_page_cost', NULL, true), pg_catalog.set_config('enable_hashjoin', NULL, true), pg_catalog.set_config('enable_mergejoin', NULL, true);
DELETE FROM pg_temp."_fresh_copies" AS s WHERE s."_rows" = 0 AND s."_loud" IS NULL;

-- applier: compare
SELECT 'missing' AS kind, s."id", NULL, NULL, NULL, s."_loud", s."_rows", s."_loud" FROM pg_temp."_fresh_copies" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_copies" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."id", s."_loud", s."_rows", s."_loud", NULL, NULL, NULL FROM pg_temp."_stored_copies" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_copies" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (s."_rows" = 0 AND s."_loud" IS NULL) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, z.v0, z.v1, z.v2 FROM (SELECT s.tidemark_n, s."id" AS k0, s."_loud" AS v0, s."_rows" AS v1, s."_loud" AS v2 FROM pg_temp."_stored_copies" AS s) AS a JOIN (SELECT s.tidemark_n, s."_loud" AS v0, s."_rows" AS v1, s."_loud" AS v2 FROM pg_temp."_fresh_copies" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_copies" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_copies" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS NOT DISTINCT FROM y."_rows" AND x."_loud" IS NOT DISTINCT FROM y."_loud");

-- applier: write
INSERT INTO "tidemark"."copies" AS s ("id", "_rows", "_loud") SELECT "id", "_rows", "_loud" FROM pg_temp."_fresh_copies" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_copies" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS NOT DISTINCT FROM f."_rows" AND o."_loud" IS NOT DISTINCT FROM f."_loud") ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_loud" = excluded."_loud";
DELETE FROM "tidemark"."copies" AS s USING pg_temp."_stored_copies" AS b WHERE s."id" = b."id" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_copies" AS f WHERE f.tidemark_n = b.tidemark_n);

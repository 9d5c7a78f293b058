-- one_row: linear at commit freshness
-- SELECT count(*) AS n, count(*) FILTER (WHERE live = 1) AS live FROM posts
-- because: one source, posts; every aggregate is kept by what each row adds or takes away

-- table tidemark.one_row
CREATE TABLE "tidemark"."one_row" (
  "_only" integer NOT NULL,
  "_rows" bigint NOT NULL DEFAULT 0,
  "_live" bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- index tidemark._unique_one_row
CREATE UNIQUE INDEX "_unique_one_row" ON "tidemark"."one_row" ("_only");

-- type tidemark._delta_one_row
CREATE TYPE "tidemark"."_delta_one_row" AS (
  "_only" integer,
  "_rows" integer,
  "_live" integer
);

-- table tidemark._pending_one_row
CREATE UNLOGGED TABLE "tidemark"."_pending_one_row" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), deltas "tidemark"."_delta_one_row"[] NOT NULL, waits boolean NOT NULL DEFAULT false);

-- step tidemark._pending_one_row storage
ALTER TABLE "tidemark"."_pending_one_row" ALTER COLUMN deltas SET STORAGE EXTERNAL;

-- index tidemark._pending_xid_one_row
CREATE INDEX "_pending_xid_one_row" ON "tidemark"."_pending_one_row" (xid);

-- function tidemark._flush_one_row
CREATE FUNCTION "tidemark"."_flush_one_row"() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
BEGIN
  WITH taken AS (DELETE FROM "tidemark"."_pending_one_row" WHERE xid = pg_current_xact_id() RETURNING deltas)
  INSERT INTO "tidemark"."one_row" AS s ("_only", "_rows", "_live")
    SELECT u."_only", sum(u."_rows")::bigint AS "_rows", sum(u."_live")::bigint AS "_live"
    FROM taken, unnest(taken.deltas) AS u GROUP BY u."_only" ORDER BY u."_only"
    ON CONFLICT ("_only") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_live" = s."_live" + excluded."_live"
;
END
$tidemark$;

-- function tidemark._settle_one_row
CREATE FUNCTION "tidemark"."_settle_one_row"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  tidemark_armed := current_setting('tidemark.armed', true);
  IF tidemark_armed = ' _flush_one_row ' THEN
    tidemark_armed := set_config('tidemark.armed', '', true);
  ELSE
    IF tidemark_armed <> '' THEN
      PERFORM set_config('tidemark.armed', '', true), tidemark._flush_all(tidemark_armed);
    END IF;
    PERFORM 1 FROM "tidemark"."_pending_one_row" WHERE xid = pg_current_xact_id();
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  WITH taken AS (DELETE FROM "tidemark"."_pending_one_row" WHERE xid = pg_current_xact_id() RETURNING deltas)
  INSERT INTO "tidemark"."one_row" AS s ("_only", "_rows", "_live")
    SELECT u."_only", sum(u."_rows")::bigint AS "_rows", sum(u."_live")::bigint AS "_live"
    FROM taken, unnest(taken.deltas) AS u GROUP BY u."_only" ORDER BY u."_only"
    ON CONFLICT ("_only") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_live" = s."_live" + excluded."_live"
;
  RETURN NULL;
END
$tidemark$;

-- trigger _settle_one_row
CREATE CONSTRAINT TRIGGER "_settle_one_row" AFTER INSERT ON "tidemark"."_pending_one_row" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.waits) EXECUTE FUNCTION "tidemark"."_settle_one_row"();

-- step tidemark._settle_one_row always
ALTER TABLE "tidemark"."_pending_one_row" ENABLE ALWAYS TRIGGER "_settle_one_row";

-- step tidemark._flush_one_row woven
SELECT tidemark._weave('_flush_one_row', true, '', ARRAY['tidemark.one_row']::text[], ARRAY['posts']::text[]);

-- function tidemark._insert_one_row_posts
CREATE FUNCTION "tidemark"."_insert_one_row_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_one_row"[];
BEGIN
  SELECT n."live", EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_one_row" (deltas)
    SELECT array_agg(ROW(y."_only", y."_rows", y."_live")::"tidemark"."_delta_one_row")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "_only", sum("_rows")::integer AS "_rows", sum("_live")::integer AS "_live" FROM (
      SELECT (1)::integer AS "_only", (1) AS "_rows", (CASE WHEN (n."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM n
    ) AS z GROUP BY "_only" HAVING sum("_rows") <> 0 OR sum("_live") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  tidemark_deltas := tidemark_deltas || ROW((1)::integer, (1), (CASE WHEN (tidemark_row."live" = 1) THEN 1 ELSE 0 END))::"tidemark"."_delta_one_row";
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_one_row" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_one_row ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_one_row ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _insert_one_row_posts
CREATE TRIGGER "_insert_one_row_posts" AFTER INSERT ON "public"."posts" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_insert_one_row_posts"();

-- step tidemark._insert_one_row_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_insert_one_row_posts";

-- function tidemark._update_one_row_posts
CREATE FUNCTION "tidemark"."_update_one_row_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_one_row"[];
BEGIN
  SELECT n."live" IS DISTINCT FROM o."live" AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o, n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_one_row" (deltas)
    SELECT array_agg(ROW(y."_only", y."_rows", y."_live")::"tidemark"."_delta_one_row")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "_only", sum("_rows")::integer AS "_rows", sum("_live")::integer AS "_live" FROM (
      SELECT (1)::integer AS "_only", -(1) AS "_rows", -(CASE WHEN (o."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM o
      UNION ALL SELECT (1)::integer AS "_only", (1) AS "_rows", (CASE WHEN (n."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM n
    ) AS z GROUP BY "_only" HAVING sum("_rows") <> 0 OR sum("_live") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_one_row" (deltas)
    SELECT array_agg(ROW(y."_only", y."_rows", y."_live")::"tidemark"."_delta_one_row")
    FROM (
    SELECT "_only", sum("_rows")::integer AS "_rows", sum("_live")::integer AS "_live" FROM (
      SELECT (1)::integer AS "_only", -(1) AS "_rows", -(CASE WHEN (o."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM o
      UNION ALL SELECT (1)::integer AS "_only", (1) AS "_rows", (CASE WHEN (n."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM n
    ) AS z GROUP BY "_only" HAVING sum("_rows") <> 0 OR sum("_live") <> 0
    ) AS y HAVING count(*) > 0;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_one_row ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_one_row ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _update_one_row_posts
CREATE TRIGGER "_update_one_row_posts" AFTER UPDATE ON "public"."posts" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_update_one_row_posts"();

-- step tidemark._update_one_row_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_update_one_row_posts";

-- function tidemark._delete_one_row_posts
CREATE FUNCTION "tidemark"."_delete_one_row_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_one_row"[];
BEGIN
  SELECT o."live", EXISTS (SELECT FROM o OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_one_row" (deltas)
    SELECT array_agg(ROW(y."_only", y."_rows", y."_live")::"tidemark"."_delta_one_row")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "_only", sum("_rows")::integer AS "_rows", sum("_live")::integer AS "_live" FROM (
      SELECT (1)::integer AS "_only", -(1) AS "_rows", -(CASE WHEN (o."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM o
    ) AS z GROUP BY "_only" HAVING sum("_rows") <> 0 OR sum("_live") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  tidemark_deltas := tidemark_deltas || ROW((1)::integer, -(1), -(CASE WHEN (tidemark_row."live" = 1) THEN 1 ELSE 0 END))::"tidemark"."_delta_one_row";
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_one_row" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_one_row ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_one_row ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _delete_one_row_posts
CREATE TRIGGER "_delete_one_row_posts" AFTER DELETE ON "public"."posts" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_delete_one_row_posts"();

-- step tidemark._delete_one_row_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_delete_one_row_posts";

-- function tidemark._truncate_before_one_row_posts
CREATE FUNCTION "tidemark"."_truncate_before_one_row_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
  INSERT INTO "tidemark"."_pending_one_row" (deltas, waits)
    SELECT array_agg(ROW(y."_only", y."_rows", y."_live")::"tidemark"."_delta_one_row"), true
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "_only", sum("_rows")::integer AS "_rows", sum("_live")::integer AS "_live" FROM (
      SELECT (1)::integer AS "_only", -(1) AS "_rows", -(CASE WHEN (r."live" = 1) THEN 1 ELSE 0 END) AS "_live" FROM "public"."posts" AS r
    ) AS z GROUP BY "_only" HAVING sum("_rows") <> 0 OR sum("_live") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_before_one_row_posts
CREATE TRIGGER "_truncate_before_one_row_posts" BEFORE TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_before_one_row_posts"();

-- step tidemark._truncate_before_one_row_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_truncate_before_one_row_posts";

-- function tidemark._truncate_after_one_row_posts
CREATE FUNCTION "tidemark"."_truncate_after_one_row_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  INSERT INTO "tidemark"."_pending_one_row" (deltas) VALUES ('{}');
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_one_row ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_one_row ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_after_one_row_posts
CREATE TRIGGER "_truncate_after_one_row_posts" AFTER TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_after_one_row_posts"();

-- step tidemark._truncate_after_one_row_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_truncate_after_one_row_posts";

-- view one_row (public)
CREATE VIEW "public"."one_row" AS SELECT
  ((s."_rows"))::bigint AS "n",
  ((s."_live"))::bigint AS "live"
FROM "tidemark"."one_row" AS s
WHERE 1 = 1;

-- function tidemark._readonly_one_row (public)
CREATE FUNCTION "tidemark"."_readonly_one_row"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'one_row is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_one_row (public)
CREATE TRIGGER "_readonly_one_row" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."one_row" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_one_row"();

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_one_row" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "_only" integer);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_one_row" (tidemark_n bigint PRIMARY KEY, "_only" integer, "_rows" bigint, "_live" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_one_row" (tidemark_n bigint PRIMARY KEY, "_only" integer, "_rows" bigint, "_live" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_one_row" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "_only" integer);

-- applier: every key
TRUNCATE pg_temp."_todo_one_row" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_one_row" ("_only") SELECT * FROM (SELECT 1 AS "_only" UNION SELECT "_only" FROM "tidemark"."one_row") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_one_row" (tidemark_n, "_only") SELECT tidemark_n, "_only" FROM pg_temp."_todo_one_row" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock
INSERT INTO "tidemark"."one_row" AS s ("_only") SELECT "_only" FROM pg_temp."_batch_one_row" ORDER BY "_only" ON CONFLICT ("_only") DO UPDATE SET "_rows" = s."_rows";

-- applier: recompute
ANALYZE pg_temp."_batch_one_row";
DELETE FROM pg_temp."_stored_one_row";
INSERT INTO pg_temp."_stored_one_row" (tidemark_n, "_only", "_rows", "_live") SELECT b.tidemark_n, s."_only", s."_rows", s."_live" FROM pg_temp."_batch_one_row" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."one_row" AS s WHERE s."_only" = b."_only" OFFSET 0) AS s;
DELETE FROM pg_temp."_fresh_one_row";
INSERT INTO pg_temp."_fresh_one_row" (tidemark_n, "_only", "_rows", "_live") SELECT b.tidemark_n, b."_only", coalesce(f0."_rows", 0) AS "_rows", coalesce(f0."_live", 0) AS "_live" FROM pg_temp."_batch_one_row" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0)::bigint AS "_rows", coalesce(sum(CASE WHEN (r."live" = 1) THEN 1 ELSE 0 END), 0)::bigint AS "_live" FROM pg_temp."_batch_one_row" AS b JOIN "public"."posts" AS r ON (1) = b."_only" GROUP BY b.tidemark_n) AS f0 ON f0.tidemark_n = b.tidemark_n;
DELETE FROM pg_temp."_fresh_one_row" AS s WHERE 1 = 0;

-- applier: compare
SELECT 'missing' AS kind, s."_only", NULL, NULL, NULL, NULL, (s."_rows"), (s."_live"), s."_rows", s."_live" FROM pg_temp."_fresh_one_row" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_one_row" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."_only", (s."_rows"), (s."_live"), s."_rows", s."_live", NULL, NULL, NULL, NULL FROM pg_temp."_stored_one_row" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_one_row" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, z.v0, z.v1, z.v2, z.v3 FROM (SELECT s.tidemark_n, s."_only" AS k0, (s."_rows") AS v0, (s."_live") AS v1, s."_rows" AS v2, s."_live" AS v3 FROM pg_temp."_stored_one_row" AS s) AS a JOIN (SELECT s.tidemark_n, (s."_rows") AS v0, (s."_live") AS v1, s."_rows" AS v2, s."_live" AS v3 FROM pg_temp."_fresh_one_row" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_one_row" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_one_row" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS NOT DISTINCT FROM y."_rows" AND x."_live" IS NOT DISTINCT FROM y."_live");

-- applier: write
INSERT INTO "tidemark"."one_row" AS s ("_only", "_rows", "_live") SELECT "_only", "_rows", "_live" FROM pg_temp."_fresh_one_row" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_one_row" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS NOT DISTINCT FROM f."_rows" AND o."_live" IS NOT DISTINCT FROM f."_live") ORDER BY "_only" ON CONFLICT ("_only") DO UPDATE SET "_rows" = excluded."_rows", "_live" = excluded."_live";
DELETE FROM "tidemark"."one_row" AS s USING pg_temp."_stored_one_row" AS b WHERE s."_only" = b."_only" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_one_row" AS f WHERE f.tidemark_n = b.tidemark_n);

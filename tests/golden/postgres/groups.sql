-- groups: linear at commit freshness
-- SELECT author, count(*) AS n, sum(score) AS score, max(score) AS best FROM posts WHERE live = 1 GROUP BY author
-- because: one source, posts; every aggregate is kept by what each row adds or takes away

-- table tidemark.groups
CREATE TABLE "tidemark"."groups" (
  "author" integer,
  "_rows" bigint NOT NULL DEFAULT 0,
  "_score_sum" bigint NOT NULL DEFAULT 0,
  "_score_values" bigint NOT NULL DEFAULT 0,
  "_best" integer
) WITH (fillfactor = 70);

-- index tidemark._unique_groups
CREATE UNIQUE INDEX "_unique_groups" ON "tidemark"."groups" ("author") NULLS NOT DISTINCT;

-- type tidemark._delta_groups
CREATE TYPE "tidemark"."_delta_groups" AS (
  "author" integer,
  "_rows" integer,
  "_score_sum" bigint,
  "_score_values" integer,
  "_best+" integer,
  "_best-" integer
);

-- table tidemark._pending_groups
CREATE UNLOGGED TABLE "tidemark"."_pending_groups" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), deltas "tidemark"."_delta_groups"[] NOT NULL, waits boolean NOT NULL DEFAULT false);

-- step tidemark._pending_groups storage
ALTER TABLE "tidemark"."_pending_groups" ALTER COLUMN deltas SET STORAGE EXTERNAL;

-- index tidemark._pending_xid_groups
CREATE INDEX "_pending_xid_groups" ON "tidemark"."_pending_groups" (xid);

-- function tidemark._flush_groups
CREATE FUNCTION "tidemark"."_flush_groups"() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_memory "tidemark"."_delta_groups"[];
  tidemark_tids tid[];
  tidemark_emptied tid[];
  tidemark_moved tid[];
  tidemark_f0s boolean[];
BEGIN
  WITH taken AS (DELETE FROM "tidemark"."_pending_groups" WHERE xid = pg_current_xact_id() RETURNING deltas)
  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;
  IF tidemark_memory IS NULL THEN RETURN; END IF;
  WITH d AS (
    SELECT u."author", sum(u."_rows")::bigint AS "_rows", sum(u."_score_sum")::bigint AS "_score_sum", sum(u."_score_values")::bigint AS "_score_values", max(u."_best+") AS "_best+", max(u."_best-") AS "_best-"
    FROM unnest(tidemark_memory) AS u GROUP BY u."author"
  ), written AS (
    INSERT INTO "tidemark"."groups" AS s ("author", "_rows", "_score_sum", "_score_values", "_best") SELECT d."author", d."_rows", d."_score_sum", d."_score_values", d."_best+" FROM d ORDER BY d."author"
    ON CONFLICT ("author") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_score_sum" = s."_score_sum" + excluded."_score_sum", "_score_values" = s."_score_values" + excluded."_score_values", "_best" = greatest(s."_best", excluded."_best")
    RETURNING s.ctid AS tidemark_tid, s.*
  ), x AS (
    SELECT w.tidemark_tid, w."_rows" = 0 AND w."_score_sum" = 0 AND w."_score_values" = 0 AND w."_best" IS NULL AS tidemark_emptied, coalesce(d."_best-" >= w."_best" OR (pg_trigger_depth() > 1 AND d."_best+" >= w."_best"), false) AS tidemark_f0
    FROM written AS w JOIN d ON hash_record_extended(ROW(w."author"), 0) = hash_record_extended(ROW(d."author"), 0) AND w."author" IS NOT DISTINCT FROM d."author"
  )
  SELECT array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_f0),
         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), array_agg(x.tidemark_f0) FILTER (WHERE x.tidemark_f0)
  INTO tidemark_tids, tidemark_emptied, tidemark_f0s FROM x;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.
    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.
    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM "tidemark"."groups" AS s WHERE s."author" IS NOT DISTINCT FROM u."author" FOR UPDATE) AS x;
  END IF;
  IF true = ANY (tidemark_f0s) THEN
    WITH again AS (
      UPDATE "tidemark"."groups" AS s SET "_best" = CASE WHEN u.tidemark_f0 THEN (SELECT max((r."score")) FROM "public"."posts" AS r WHERE (((r."author"))::integer = s."author" OR (((r."author"))::integer IS NULL AND s."author" IS NULL)) AND ((r."live" = 1))) ELSE s."_best" END
      FROM unnest(tidemark_tids, tidemark_f0s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_best" IS NULL AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF tidemark_emptied IS NOT NULL THEN
    DELETE FROM "tidemark"."groups" AS s WHERE s.ctid = ANY (tidemark_emptied) AND s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_best" IS NULL;
  END IF;
END
$tidemark$;

-- function tidemark._settle_groups
CREATE FUNCTION "tidemark"."_settle_groups"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
  tidemark_memory "tidemark"."_delta_groups"[];
  tidemark_tids tid[];
  tidemark_emptied tid[];
  tidemark_moved tid[];
  tidemark_f0s boolean[];
BEGIN
  tidemark_armed := current_setting('tidemark.armed', true);
  IF tidemark_armed = ' _flush_groups ' THEN
    tidemark_armed := set_config('tidemark.armed', '', true);
  ELSE
    IF tidemark_armed <> '' THEN
      PERFORM set_config('tidemark.armed', '', true), tidemark._flush_all(tidemark_armed);
    END IF;
    PERFORM 1 FROM "tidemark"."_pending_groups" WHERE xid = pg_current_xact_id();
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  WITH taken AS (DELETE FROM "tidemark"."_pending_groups" WHERE xid = pg_current_xact_id() RETURNING deltas)
  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;
  IF tidemark_memory IS NULL THEN RETURN NULL; END IF;
  WITH d AS (
    SELECT u."author", sum(u."_rows")::bigint AS "_rows", sum(u."_score_sum")::bigint AS "_score_sum", sum(u."_score_values")::bigint AS "_score_values", max(u."_best+") AS "_best+", max(u."_best-") AS "_best-"
    FROM unnest(tidemark_memory) AS u GROUP BY u."author"
  ), written AS (
    INSERT INTO "tidemark"."groups" AS s ("author", "_rows", "_score_sum", "_score_values", "_best") SELECT d."author", d."_rows", d."_score_sum", d."_score_values", d."_best+" FROM d ORDER BY d."author"
    ON CONFLICT ("author") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_score_sum" = s."_score_sum" + excluded."_score_sum", "_score_values" = s."_score_values" + excluded."_score_values", "_best" = greatest(s."_best", excluded."_best")
    RETURNING s.ctid AS tidemark_tid, s.*
  ), x AS (
    SELECT w.tidemark_tid, w."_rows" = 0 AND w."_score_sum" = 0 AND w."_score_values" = 0 AND w."_best" IS NULL AS tidemark_emptied, coalesce(d."_best-" >= w."_best" OR (pg_trigger_depth() > 1 AND d."_best+" >= w."_best"), false) AS tidemark_f0
    FROM written AS w JOIN d ON hash_record_extended(ROW(w."author"), 0) = hash_record_extended(ROW(d."author"), 0) AND w."author" IS NOT DISTINCT FROM d."author"
  )
  SELECT array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_f0),
         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), array_agg(x.tidemark_f0) FILTER (WHERE x.tidemark_f0)
  INTO tidemark_tids, tidemark_emptied, tidemark_f0s FROM x;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.
    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.
    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM "tidemark"."groups" AS s WHERE s."author" IS NOT DISTINCT FROM u."author" FOR UPDATE) AS x;
  END IF;
  IF true = ANY (tidemark_f0s) THEN
    WITH again AS (
      UPDATE "tidemark"."groups" AS s SET "_best" = CASE WHEN u.tidemark_f0 THEN (SELECT max((r."score")) FROM "public"."posts" AS r WHERE (((r."author"))::integer = s."author" OR (((r."author"))::integer IS NULL AND s."author" IS NULL)) AND ((r."live" = 1))) ELSE s."_best" END
      FROM unnest(tidemark_tids, tidemark_f0s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_best" IS NULL AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF tidemark_emptied IS NOT NULL THEN
    DELETE FROM "tidemark"."groups" AS s WHERE s.ctid = ANY (tidemark_emptied) AND s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_best" IS NULL;
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _settle_groups
CREATE CONSTRAINT TRIGGER "_settle_groups" AFTER INSERT ON "tidemark"."_pending_groups" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.waits) EXECUTE FUNCTION "tidemark"."_settle_groups"();

-- step tidemark._settle_groups always
ALTER TABLE "tidemark"."_pending_groups" ENABLE ALWAYS TRIGGER "_settle_groups";

-- step tidemark._flush_groups woven
SELECT tidemark._weave('_flush_groups', true, '', ARRAY['tidemark.groups']::text[], ARRAY['posts']::text[]);

-- function tidemark._insert_groups_posts
CREATE FUNCTION "tidemark"."_insert_groups_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_groups"[];
BEGIN
  SELECT n."author", n."score", n."live", EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_groups" (deltas)
    SELECT array_agg(ROW(y."author", y."_rows", y."_score_sum", y."_score_values", y."_best+", y."_best-")::"tidemark"."_delta_groups")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "author", sum("_rows")::integer AS "_rows", sum("_score_sum")::bigint AS "_score_sum", sum("_score_values")::integer AS "_score_values", max("_best+") AS "_best+", max("_best-") AS "_best-" FROM (
      SELECT ((n."author"))::integer AS "author", (1) AS "_rows", (coalesce((n."score"), 0)::bigint) AS "_score_sum", (CASE WHEN (n."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", ((n."score"))::integer AS "_best+", NULL::integer AS "_best-" FROM n WHERE (n."live" = 1)
    ) AS z GROUP BY "author" HAVING sum("_rows") <> 0 OR sum("_score_sum") <> 0 OR sum("_score_values") <> 0 OR max("_best+") IS DISTINCT FROM max("_best-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  IF ((tidemark_row."live" = 1)) THEN tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."author"))::integer, (1), (coalesce((tidemark_row."score"), 0)::bigint), (CASE WHEN (tidemark_row."score") IS NOT NULL THEN 1 ELSE 0 END), ((tidemark_row."score"))::integer, NULL::integer)::"tidemark"."_delta_groups"; END IF;
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_groups" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_groups ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_groups ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _insert_groups_posts
CREATE TRIGGER "_insert_groups_posts" AFTER INSERT ON "public"."posts" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_insert_groups_posts"();

-- step tidemark._insert_groups_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_insert_groups_posts";

-- function tidemark._update_groups_posts
CREATE FUNCTION "tidemark"."_update_groups_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_groups"[];
BEGIN
  SELECT n."author" IS DISTINCT FROM o."author" OR n."score" IS DISTINCT FROM o."score" OR n."live" IS DISTINCT FROM o."live" AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o, n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_groups" (deltas)
    SELECT array_agg(ROW(y."author", y."_rows", y."_score_sum", y."_score_values", y."_best+", y."_best-")::"tidemark"."_delta_groups")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "author", sum("_rows")::integer AS "_rows", sum("_score_sum")::bigint AS "_score_sum", sum("_score_values")::integer AS "_score_values", max("_best+") AS "_best+", max("_best-") AS "_best-" FROM (
      SELECT ((o."author"))::integer AS "author", -(1) AS "_rows", -(coalesce((o."score"), 0)::bigint) AS "_score_sum", -(CASE WHEN (o."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", NULL::integer AS "_best+", ((o."score"))::integer AS "_best-" FROM o WHERE (o."live" = 1)
      UNION ALL SELECT ((n."author"))::integer AS "author", (1) AS "_rows", (coalesce((n."score"), 0)::bigint) AS "_score_sum", (CASE WHEN (n."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", ((n."score"))::integer AS "_best+", NULL::integer AS "_best-" FROM n WHERE (n."live" = 1)
    ) AS z GROUP BY "author" HAVING sum("_rows") <> 0 OR sum("_score_sum") <> 0 OR sum("_score_values") <> 0 OR max("_best+") IS DISTINCT FROM max("_best-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_groups" (deltas)
    SELECT array_agg(ROW(y."author", y."_rows", y."_score_sum", y."_score_values", y."_best+", y."_best-")::"tidemark"."_delta_groups")
    FROM (
    SELECT "author", sum("_rows")::integer AS "_rows", sum("_score_sum")::bigint AS "_score_sum", sum("_score_values")::integer AS "_score_values", max("_best+") AS "_best+", max("_best-") AS "_best-" FROM (
      SELECT ((o."author"))::integer AS "author", -(1) AS "_rows", -(coalesce((o."score"), 0)::bigint) AS "_score_sum", -(CASE WHEN (o."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", NULL::integer AS "_best+", ((o."score"))::integer AS "_best-" FROM o WHERE (o."live" = 1)
      UNION ALL SELECT ((n."author"))::integer AS "author", (1) AS "_rows", (coalesce((n."score"), 0)::bigint) AS "_score_sum", (CASE WHEN (n."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", ((n."score"))::integer AS "_best+", NULL::integer AS "_best-" FROM n WHERE (n."live" = 1)
    ) AS z GROUP BY "author" HAVING sum("_rows") <> 0 OR sum("_score_sum") <> 0 OR sum("_score_values") <> 0 OR max("_best+") IS DISTINCT FROM max("_best-")
    ) AS y HAVING count(*) > 0;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_groups ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_groups ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _update_groups_posts
CREATE TRIGGER "_update_groups_posts" AFTER UPDATE ON "public"."posts" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_update_groups_posts"();

-- step tidemark._update_groups_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_update_groups_posts";

-- function tidemark._delete_groups_posts
CREATE FUNCTION "tidemark"."_delete_groups_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_groups"[];
BEGIN
  SELECT o."author", o."score", o."live", EXISTS (SELECT FROM o OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_groups" (deltas)
    SELECT array_agg(ROW(y."author", y."_rows", y."_score_sum", y."_score_values", y."_best+", y."_best-")::"tidemark"."_delta_groups")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "author", sum("_rows")::integer AS "_rows", sum("_score_sum")::bigint AS "_score_sum", sum("_score_values")::integer AS "_score_values", max("_best+") AS "_best+", max("_best-") AS "_best-" FROM (
      SELECT ((o."author"))::integer AS "author", -(1) AS "_rows", -(coalesce((o."score"), 0)::bigint) AS "_score_sum", -(CASE WHEN (o."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", NULL::integer AS "_best+", ((o."score"))::integer AS "_best-" FROM o WHERE (o."live" = 1)
    ) AS z GROUP BY "author" HAVING sum("_rows") <> 0 OR sum("_score_sum") <> 0 OR sum("_score_values") <> 0 OR max("_best+") IS DISTINCT FROM max("_best-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  IF ((tidemark_row."live" = 1)) THEN tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."author"))::integer, -(1), -(coalesce((tidemark_row."score"), 0)::bigint), -(CASE WHEN (tidemark_row."score") IS NOT NULL THEN 1 ELSE 0 END), NULL::integer, ((tidemark_row."score"))::integer)::"tidemark"."_delta_groups"; END IF;
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_groups" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_groups ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_groups ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _delete_groups_posts
CREATE TRIGGER "_delete_groups_posts" AFTER DELETE ON "public"."posts" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_delete_groups_posts"();

-- step tidemark._delete_groups_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_delete_groups_posts";

-- function tidemark._truncate_before_groups_posts
CREATE FUNCTION "tidemark"."_truncate_before_groups_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
  INSERT INTO "tidemark"."_pending_groups" (deltas, waits)
    SELECT array_agg(ROW(y."author", y."_rows", y."_score_sum", y."_score_values", y."_best+", y."_best-")::"tidemark"."_delta_groups"), true
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "author", sum("_rows")::integer AS "_rows", sum("_score_sum")::bigint AS "_score_sum", sum("_score_values")::integer AS "_score_values", max("_best+") AS "_best+", max("_best-") AS "_best-" FROM (
      SELECT ((r."author"))::integer AS "author", -(1) AS "_rows", -(coalesce((r."score"), 0)::bigint) AS "_score_sum", -(CASE WHEN (r."score") IS NOT NULL THEN 1 ELSE 0 END) AS "_score_values", NULL::integer AS "_best+", ((r."score"))::integer AS "_best-" FROM "public"."posts" AS r WHERE (r."live" = 1)
    ) AS z GROUP BY "author" HAVING sum("_rows") <> 0 OR sum("_score_sum") <> 0 OR sum("_score_values") <> 0 OR max("_best+") IS DISTINCT FROM max("_best-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_before_groups_posts
CREATE TRIGGER "_truncate_before_groups_posts" BEFORE TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_before_groups_posts"();

-- step tidemark._truncate_before_groups_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_truncate_before_groups_posts";

-- function tidemark._truncate_after_groups_posts
CREATE FUNCTION "tidemark"."_truncate_after_groups_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  INSERT INTO "tidemark"."_pending_groups" (deltas) VALUES ('{}');
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_groups ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_groups ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_after_groups_posts
CREATE TRIGGER "_truncate_after_groups_posts" AFTER TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_after_groups_posts"();

-- step tidemark._truncate_after_groups_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_truncate_after_groups_posts";

-- view groups (public)
CREATE VIEW "public"."groups" AS SELECT
  (s."author")::integer AS "author",
  ((s."_rows"))::bigint AS "n",
  ((CASE WHEN s."_score_values" > 0 THEN s."_score_sum" END))::bigint AS "score",
  ((s."_best"))::bigint AS "best"
FROM "tidemark"."groups" AS s
WHERE s."_rows" > 0;

-- function tidemark._readonly_groups (public)
CREATE FUNCTION "tidemark"."_readonly_groups"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'groups is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_groups (public)
CREATE TRIGGER "_readonly_groups" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."groups" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_groups"();

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_groups" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "author" integer);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_groups" (tidemark_n bigint PRIMARY KEY, "author" integer, "_rows" bigint, "_score_sum" bigint, "_score_values" bigint, "_best" integer);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_groups" (tidemark_n bigint PRIMARY KEY, "author" integer, "_rows" bigint, "_score_sum" bigint, "_score_values" bigint, "_best" integer);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_groups" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "author" integer);

-- applier: every key
TRUNCATE pg_temp."_todo_groups" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_groups" ("author") SELECT * FROM (SELECT ((r."author"))::integer AS "author" FROM "public"."posts" AS r WHERE (r."live" = 1) UNION SELECT "author" FROM "tidemark"."groups") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_groups" (tidemark_n, "author") SELECT tidemark_n, "author" FROM pg_temp."_todo_groups" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock
INSERT INTO "tidemark"."groups" AS s ("author") SELECT "author" FROM pg_temp."_batch_groups" ORDER BY "author" ON CONFLICT ("author") DO UPDATE SET "_rows" = s."_rows";

-- applier: recompute
ANALYZE pg_temp."_batch_groups";
DELETE FROM pg_temp."_stored_groups";
INSERT INTO pg_temp."_stored_groups" (tidemark_n, "author", "_rows", "_score_sum", "_score_values", "_best") SELECT b.tidemark_n, s."author", s."_rows", s."_score_sum", s."_score_values", s."_best" FROM pg_temp."_batch_groups" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."groups" AS s WHERE s."author" = b."author" OFFSET 0) AS s;
INSERT INTO pg_temp."_stored_groups" (tidemark_n, "author", "_rows", "_score_sum", "_score_values", "_best") SELECT b.tidemark_n, s."author", s."_rows", s."_score_sum", s."_score_values", s."_best" FROM pg_temp."_batch_groups" AS b JOIN "tidemark"."groups" AS s ON s."author" IS NOT DISTINCT FROM b."author" AND (b."author" IS NULL);
DELETE FROM pg_temp."_fresh_groups";
INSERT INTO pg_temp."_fresh_groups" (tidemark_n, "author", "_rows", "_score_sum", "_score_values", "_best") SELECT b.tidemark_n, b."author", coalesce(f0."_rows", 0) AS "_rows", coalesce(f0."_score_sum", 0) AS "_score_sum", coalesce(f0."_score_values", 0) AS "_score_values", f0."_best" AS "_best" FROM pg_temp."_batch_groups" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0)::bigint AS "_rows", coalesce(sum(coalesce((r."score"), 0)::bigint), 0)::bigint AS "_score_sum", coalesce(sum(CASE WHEN (r."score") IS NOT NULL THEN 1 ELSE 0 END), 0)::bigint AS "_score_values", max((r."score")) AS "_best" FROM pg_temp."_batch_groups" AS b JOIN "public"."posts" AS r ON ((r."author")) = b."author" AND ((r."live" = 1)) GROUP BY b.tidemark_n UNION ALL SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0)::bigint AS "_rows", coalesce(sum(coalesce((r."score"), 0)::bigint), 0)::bigint AS "_score_sum", coalesce(sum(CASE WHEN (r."score") IS NOT NULL THEN 1 ELSE 0 END), 0)::bigint AS "_score_values", max((r."score")) AS "_best" FROM pg_temp."_batch_groups" AS b JOIN "public"."posts" AS r ON ((r."author")) IS NOT DISTINCT FROM b."author" AND (b."author" IS NULL) AND ((r."live" = 1)) GROUP BY b.tidemark_n) AS f0 ON f0.tidemark_n = b.tidemark_n;
DELETE FROM pg_temp."_fresh_groups" AS s WHERE s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_best" IS NULL;

-- applier: compare
SELECT 'missing' AS kind, s."author", NULL, NULL, NULL, NULL, NULL, NULL, NULL, (s."_rows"), (CASE WHEN s."_score_values" > 0 THEN s."_score_sum" END), (s."_best"), s."_rows", s."_score_sum", s."_score_values", s."_best" FROM pg_temp."_fresh_groups" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_groups" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."author", (s."_rows"), (CASE WHEN s."_score_values" > 0 THEN s."_score_sum" END), (s."_best"), s."_rows", s."_score_sum", s."_score_values", s."_best", NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_temp."_stored_groups" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_groups" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_best" IS NULL) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, a.v4, a.v5, a.v6, z.v0, z.v1, z.v2, z.v3, z.v4, z.v5, z.v6 FROM (SELECT s.tidemark_n, s."author" AS k0, (s."_rows") AS v0, (CASE WHEN s."_score_values" > 0 THEN s."_score_sum" END) AS v1, (s."_best") AS v2, s."_rows" AS v3, s."_score_sum" AS v4, s."_score_values" AS v5, s."_best" AS v6 FROM pg_temp."_stored_groups" AS s) AS a JOIN (SELECT s.tidemark_n, (s."_rows") AS v0, (CASE WHEN s."_score_values" > 0 THEN s."_score_sum" END) AS v1, (s."_best") AS v2, s."_rows" AS v3, s."_score_sum" AS v4, s."_score_values" AS v5, s."_best" AS v6 FROM pg_temp."_fresh_groups" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_groups" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_groups" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS NOT DISTINCT FROM y."_rows" AND x."_score_sum" IS NOT DISTINCT FROM y."_score_sum" AND x."_score_values" IS NOT DISTINCT FROM y."_score_values" AND x."_best" IS NOT DISTINCT FROM y."_best");

-- applier: write
INSERT INTO "tidemark"."groups" AS s ("author", "_rows", "_score_sum", "_score_values", "_best") SELECT "author", "_rows", "_score_sum", "_score_values", "_best" FROM pg_temp."_fresh_groups" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_groups" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS NOT DISTINCT FROM f."_rows" AND o."_score_sum" IS NOT DISTINCT FROM f."_score_sum" AND o."_score_values" IS NOT DISTINCT FROM f."_score_values" AND o."_best" IS NOT DISTINCT FROM f."_best") ORDER BY "author" ON CONFLICT ("author") DO UPDATE SET "_rows" = excluded."_rows", "_score_sum" = excluded."_score_sum", "_score_values" = excluded."_score_values", "_best" = excluded."_best";
DELETE FROM "tidemark"."groups" AS s USING pg_temp."_stored_groups" AS b WHERE s."author" = b."author" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_groups" AS f WHERE f.tidemark_n = b.tidemark_n) AND NOT (b."author" IS NULL);
DELETE FROM "tidemark"."groups" AS s USING pg_temp."_stored_groups" AS b WHERE s."author" IS NOT DISTINCT FROM b."author" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_groups" AS f WHERE f.tidemark_n = b.tidemark_n) AND (b."author" IS NULL);

-- advice: computing best of one key anew when the extreme value leaves reads all of posts without it
CREATE INDEX CONCURRENTLY "posts_author_idx" ON "public"."posts" ("author");

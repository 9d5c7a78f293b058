-- universe: linear at commit freshness
-- SELECT u.id, u.name, (SELECT count(*) FROM posts p WHERE p.author = u.id AND p.live = 1) AS posts, (SELECT min(p.score) FROM posts p WHERE p.author = u.id) AS least, EXISTS (SELECT 1 FROM profiles f WHERE f.user_id = u.id) AS has_profile FROM users u
-- because: a row for each row of users; aggregates over posts, profiles point at its key

-- table tidemark.universe
CREATE TABLE "tidemark"."universe" (
  "id" integer NOT NULL,
  "_rows" bigint NOT NULL DEFAULT 0,
  "_name" text,
  "_posts" bigint NOT NULL DEFAULT 0,
  "_least" integer,
  "_exists" bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- index tidemark._unique_universe
CREATE UNIQUE INDEX "_unique_universe" ON "tidemark"."universe" ("id");

-- type tidemark._delta_universe
CREATE TYPE "tidemark"."_delta_universe" AS (
  "id" integer,
  "_rows" integer,
  "tidemark_touched0" integer,
  "_posts" integer,
  "_least+" integer,
  "_least-" integer,
  "_exists" integer
);

-- table tidemark._pending_universe
CREATE UNLOGGED TABLE "tidemark"."_pending_universe" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), deltas "tidemark"."_delta_universe"[] NOT NULL, waits boolean NOT NULL DEFAULT false);

-- step tidemark._pending_universe storage
ALTER TABLE "tidemark"."_pending_universe" ALTER COLUMN deltas SET STORAGE EXTERNAL;

-- index tidemark._pending_xid_universe
CREATE INDEX "_pending_xid_universe" ON "tidemark"."_pending_universe" (xid);

-- function tidemark._flush_universe
CREATE FUNCTION "tidemark"."_flush_universe"() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_memory "tidemark"."_delta_universe"[];
  tidemark_tids tid[];
  tidemark_emptied tid[];
  tidemark_moved tid[];
  tidemark_f0s boolean[];
  tidemark_f1s boolean[];
BEGIN
  WITH taken AS (DELETE FROM "tidemark"."_pending_universe" WHERE xid = pg_current_xact_id() RETURNING deltas)
  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;
  IF tidemark_memory IS NULL THEN RETURN; END IF;
  WITH d AS (
    SELECT u."id", sum(u."_rows")::bigint AS "_rows", max(u."tidemark_touched0") AS "tidemark_touched0", sum(u."_posts")::bigint AS "_posts", min(u."_least+") AS "_least+", min(u."_least-") AS "_least-", sum(u."_exists")::bigint AS "_exists"
    FROM unnest(tidemark_memory) AS u GROUP BY u."id"
  ), written AS (
    INSERT INTO "tidemark"."universe" AS s ("id", "_rows", "_posts", "_least", "_exists") SELECT d."id", d."_rows", d."_posts", d."_least+", d."_exists" FROM d ORDER BY d."id"
    ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_posts" = s."_posts" + excluded."_posts", "_least" = least(s."_least", excluded."_least"), "_exists" = s."_exists" + excluded."_exists"
    RETURNING s.ctid AS tidemark_tid, s.*
  ), x AS (
    SELECT w.tidemark_tid, w."_rows" = 0 AND w."_name" IS NULL AND w."_posts" = 0 AND w."_least" IS NULL AND w."_exists" = 0 AS tidemark_emptied, coalesce(d."tidemark_touched0" > 0, false) AS tidemark_f0, coalesce(d."_least-" <= w."_least" OR (pg_trigger_depth() > 1 AND d."_least+" <= w."_least"), false) AS tidemark_f1
    FROM written AS w JOIN d ON w."id" = d."id"
  )
  SELECT array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_f0 OR x.tidemark_f1),
         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), array_agg(x.tidemark_f0) FILTER (WHERE x.tidemark_f0 OR x.tidemark_f1), array_agg(x.tidemark_f1) FILTER (WHERE x.tidemark_f0 OR x.tidemark_f1)
  INTO tidemark_tids, tidemark_emptied, tidemark_f0s, tidemark_f1s FROM x;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.
    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.
    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM "tidemark"."universe" AS s WHERE s."id" = u."id" FOR UPDATE) AS x;
  END IF;
  IF true = ANY (tidemark_f0s) THEN
    WITH again AS (
      UPDATE "tidemark"."universe" AS s SET "_name" = CASE WHEN u.tidemark_f0 THEN (SELECT (r."name") FROM "public"."users" AS r WHERE ((r."id"))::integer = s."id") ELSE s."_name" END
      FROM unnest(tidemark_tids, tidemark_f0s, tidemark_f1s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_f1, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0 AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF true = ANY (tidemark_f1s) THEN
    WITH again AS (
      UPDATE "tidemark"."universe" AS s SET "_least" = CASE WHEN u.tidemark_f1 THEN (SELECT min((r."score")) FROM "public"."posts" AS r WHERE ((r."author"))::integer = s."id" AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) ELSE s."_least" END
      FROM unnest(tidemark_tids, tidemark_f0s, tidemark_f1s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_f1, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0 AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF tidemark_emptied IS NOT NULL THEN
    DELETE FROM "tidemark"."universe" AS s WHERE s.ctid = ANY (tidemark_emptied) AND s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0;
  END IF;
END
$tidemark$;

-- function tidemark._settle_universe
CREATE FUNCTION "tidemark"."_settle_universe"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off SET enable_seqscan = off SET jit = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
  tidemark_memory "tidemark"."_delta_universe"[];
  tidemark_tids tid[];
  tidemark_emptied tid[];
  tidemark_moved tid[];
  tidemark_f0s boolean[];
  tidemark_f1s boolean[];
BEGIN
  tidemark_armed := current_setting('tidemark.armed', true);
  IF tidemark_armed = ' _flush_universe ' THEN
    tidemark_armed := set_config('tidemark.armed', '', true);
  ELSE
    IF tidemark_armed <> '' THEN
      PERFORM set_config('tidemark.armed', '', true), tidemark._flush_all(tidemark_armed);
    END IF;
    PERFORM 1 FROM "tidemark"."_pending_universe" WHERE xid = pg_current_xact_id();
    IF NOT FOUND THEN RETURN NULL; END IF;
  END IF;
  WITH taken AS (DELETE FROM "tidemark"."_pending_universe" WHERE xid = pg_current_xact_id() RETURNING deltas)
  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;
  IF tidemark_memory IS NULL THEN RETURN NULL; END IF;
  WITH d AS (
    SELECT u."id", sum(u."_rows")::bigint AS "_rows", max(u."tidemark_touched0") AS "tidemark_touched0", sum(u."_posts")::bigint AS "_posts", min(u."_least+") AS "_least+", min(u."_least-") AS "_least-", sum(u."_exists")::bigint AS "_exists"
    FROM unnest(tidemark_memory) AS u GROUP BY u."id"
  ), written AS (
    INSERT INTO "tidemark"."universe" AS s ("id", "_rows", "_posts", "_least", "_exists") SELECT d."id", d."_rows", d."_posts", d."_least+", d."_exists" FROM d ORDER BY d."id"
    ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_posts" = s."_posts" + excluded."_posts", "_least" = least(s."_least", excluded."_least"), "_exists" = s."_exists" + excluded."_exists"
    RETURNING s.ctid AS tidemark_tid, s.*
  ), x AS (
    SELECT w.tidemark_tid, w."_rows" = 0 AND w."_name" IS NULL AND w."_posts" = 0 AND w."_least" IS NULL AND w."_exists" = 0 AS tidemark_emptied, coalesce(d."tidemark_touched0" > 0, false) AS tidemark_f0, coalesce(d."_least-" <= w."_least" OR (pg_trigger_depth() > 1 AND d."_least+" <= w."_least"), false) AS tidemark_f1
    FROM written AS w JOIN d ON w."id" = d."id"
  )
  SELECT array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_f0 OR x.tidemark_f1),
         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), array_agg(x.tidemark_f0) FILTER (WHERE x.tidemark_f0 OR x.tidemark_f1), array_agg(x.tidemark_f1) FILTER (WHERE x.tidemark_f0 OR x.tidemark_f1)
  INTO tidemark_tids, tidemark_emptied, tidemark_f0s, tidemark_f1s FROM x;
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.
    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.
    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM "tidemark"."universe" AS s WHERE s."id" = u."id" FOR UPDATE) AS x;
  END IF;
  IF true = ANY (tidemark_f0s) THEN
    WITH again AS (
      UPDATE "tidemark"."universe" AS s SET "_name" = CASE WHEN u.tidemark_f0 THEN (SELECT (r."name") FROM "public"."users" AS r WHERE ((r."id"))::integer = s."id") ELSE s."_name" END
      FROM unnest(tidemark_tids, tidemark_f0s, tidemark_f1s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_f1, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0 AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF true = ANY (tidemark_f1s) THEN
    WITH again AS (
      UPDATE "tidemark"."universe" AS s SET "_least" = CASE WHEN u.tidemark_f1 THEN (SELECT min((r."score")) FROM "public"."posts" AS r WHERE ((r."author"))::integer = s."id" AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) ELSE s."_least" END
      FROM unnest(tidemark_tids, tidemark_f0s, tidemark_f1s) WITH ORDINALITY AS u(tidemark_tid, tidemark_f0, tidemark_f1, tidemark_n)
      WHERE s.ctid = u.tidemark_tid
      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0 AS tidemark_emptied)
    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),
           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)
    INTO tidemark_tids, tidemark_moved FROM again AS a;
    tidemark_emptied := tidemark_emptied || tidemark_moved;
  END IF;
  IF tidemark_emptied IS NOT NULL THEN
    DELETE FROM "tidemark"."universe" AS s WHERE s.ctid = ANY (tidemark_emptied) AND s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0;
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _settle_universe
CREATE CONSTRAINT TRIGGER "_settle_universe" AFTER INSERT ON "tidemark"."_pending_universe" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.waits) EXECUTE FUNCTION "tidemark"."_settle_universe"();

-- step tidemark._settle_universe always
ALTER TABLE "tidemark"."_pending_universe" ENABLE ALWAYS TRIGGER "_settle_universe";

-- step tidemark._flush_universe woven
SELECT tidemark._weave('_flush_universe', true, '', ARRAY['tidemark.universe']::text[], ARRAY['users', 'posts', 'profiles']::text[]);

-- function tidemark._insert_universe_users
CREATE FUNCTION "tidemark"."_insert_universe_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT n."id", n."name", EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0", 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((n."id"))::integer AS "id", (1) AS "_rows", 1 AS "tidemark_touched0" FROM n
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."id"))::integer, (1), 1, 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe";
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _insert_universe_users
CREATE TRIGGER "_insert_universe_users" AFTER INSERT ON "public"."users" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_insert_universe_users"();

-- step tidemark._insert_universe_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_insert_universe_users";

-- function tidemark._update_universe_users
CREATE FUNCTION "tidemark"."_update_universe_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT n."id" IS DISTINCT FROM o."id" OR n."name" IS DISTINCT FROM o."name" AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o, n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0", 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((o."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name" FROM o EXCEPT ALL SELECT "id", "name" FROM n) AS o
      UNION ALL SELECT ((n."id"))::integer AS "id", (1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name" FROM n EXCEPT ALL SELECT "id", "name" FROM o) AS n
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0", 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe")
    FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((o."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name" FROM o EXCEPT ALL SELECT "id", "name" FROM n) AS o
      UNION ALL SELECT ((n."id"))::integer AS "id", (1) AS "_rows", 1 AS "tidemark_touched0" FROM (SELECT "id", "name" FROM n EXCEPT ALL SELECT "id", "name" FROM o) AS n
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS y HAVING count(*) > 0;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _update_universe_users
CREATE TRIGGER "_update_universe_users" AFTER UPDATE ON "public"."users" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_update_universe_users"();

-- step tidemark._update_universe_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_update_universe_users";

-- function tidemark._delete_universe_users
CREATE FUNCTION "tidemark"."_delete_universe_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT o."id", o."name", EXISTS (SELECT FROM o OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0", 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((o."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM o
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."id"))::integer, -(1), 1, 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe";
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _delete_universe_users
CREATE TRIGGER "_delete_universe_users" AFTER DELETE ON "public"."users" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_delete_universe_users"();

-- step tidemark._delete_universe_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_delete_universe_users";

-- function tidemark._truncate_before_universe_users
CREATE FUNCTION "tidemark"."_truncate_before_universe_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas, waits)
    SELECT array_agg(ROW(y."id", y."_rows", y."tidemark_touched0", 0, NULL::integer, NULL::integer, 0)::"tidemark"."_delta_universe"), true
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_rows")::integer AS "_rows", max("tidemark_touched0") AS "tidemark_touched0" FROM (
      SELECT ((r."id"))::integer AS "id", -(1) AS "_rows", 1 AS "tidemark_touched0" FROM "public"."users" AS r
    ) AS z GROUP BY "id" HAVING sum("_rows") <> 0 OR max("tidemark_touched0") > 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_before_universe_users
CREATE TRIGGER "_truncate_before_universe_users" BEFORE TRUNCATE ON "public"."users" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_before_universe_users"();

-- step tidemark._truncate_before_universe_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_truncate_before_universe_users";

-- function tidemark._truncate_after_universe_users
CREATE FUNCTION "tidemark"."_truncate_after_universe_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES ('{}');
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_after_universe_users
CREATE TRIGGER "_truncate_after_universe_users" AFTER TRUNCATE ON "public"."users" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_after_universe_users"();

-- step tidemark._truncate_after_universe_users always
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_truncate_after_universe_users";

-- function tidemark._insert_universe_posts
CREATE FUNCTION "tidemark"."_insert_universe_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT n."author", n."score", n."live", EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, y."_posts", y."_least+", y."_least-", 0)::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_posts")::integer AS "_posts", min("_least+") AS "_least+", min("_least-") AS "_least-" FROM (
      SELECT ((n."author"))::integer AS "id", (CASE WHEN (n."live" = 1) THEN 1 ELSE 0 END) AS "_posts", ((n."score"))::integer AS "_least+", NULL::integer AS "_least-" FROM n WHERE (((n."live" = 1)) OR (1 = 1)) AND (n."author") IS NOT NULL
    ) AS z GROUP BY "id" HAVING sum("_posts") <> 0 OR min("_least+") IS DISTINCT FROM min("_least-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  IF ((((tidemark_row."live" = 1)) OR (1 = 1)) AND (tidemark_row."author") IS NOT NULL) AND ((CASE WHEN (tidemark_row."live" = 1) THEN 1 ELSE 0 END) <> 0 OR ((tidemark_row."score")) IS NOT NULL) THEN tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."author"))::integer, 0, 0, (CASE WHEN (tidemark_row."live" = 1) THEN 1 ELSE 0 END), ((tidemark_row."score"))::integer, NULL::integer, 0)::"tidemark"."_delta_universe"; END IF;
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _insert_universe_posts
CREATE TRIGGER "_insert_universe_posts" AFTER INSERT ON "public"."posts" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_insert_universe_posts"();

-- step tidemark._insert_universe_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_insert_universe_posts";

-- function tidemark._update_universe_posts
CREATE FUNCTION "tidemark"."_update_universe_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT n."author" IS DISTINCT FROM o."author" OR n."score" IS DISTINCT FROM o."score" OR n."live" IS DISTINCT FROM o."live" AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o, n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, y."_posts", y."_least+", y."_least-", 0)::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_posts")::integer AS "_posts", min("_least+") AS "_least+", min("_least-") AS "_least-" FROM (
      SELECT ((o."author"))::integer AS "id", -(CASE WHEN (o."live" = 1) THEN 1 ELSE 0 END) AS "_posts", NULL::integer AS "_least+", ((o."score"))::integer AS "_least-" FROM o WHERE (((o."live" = 1)) OR (1 = 1)) AND (o."author") IS NOT NULL
      UNION ALL SELECT ((n."author"))::integer AS "id", (CASE WHEN (n."live" = 1) THEN 1 ELSE 0 END) AS "_posts", ((n."score"))::integer AS "_least+", NULL::integer AS "_least-" FROM n WHERE (((n."live" = 1)) OR (1 = 1)) AND (n."author") IS NOT NULL
    ) AS z GROUP BY "id" HAVING sum("_posts") <> 0 OR min("_least+") IS DISTINCT FROM min("_least-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, y."_posts", y."_least+", y."_least-", 0)::"tidemark"."_delta_universe")
    FROM (
    SELECT "id", sum("_posts")::integer AS "_posts", min("_least+") AS "_least+", min("_least-") AS "_least-" FROM (
      SELECT ((o."author"))::integer AS "id", -(CASE WHEN (o."live" = 1) THEN 1 ELSE 0 END) AS "_posts", NULL::integer AS "_least+", ((o."score"))::integer AS "_least-" FROM o WHERE (((o."live" = 1)) OR (1 = 1)) AND (o."author") IS NOT NULL
      UNION ALL SELECT ((n."author"))::integer AS "id", (CASE WHEN (n."live" = 1) THEN 1 ELSE 0 END) AS "_posts", ((n."score"))::integer AS "_least+", NULL::integer AS "_least-" FROM n WHERE (((n."live" = 1)) OR (1 = 1)) AND (n."author") IS NOT NULL
    ) AS z GROUP BY "id" HAVING sum("_posts") <> 0 OR min("_least+") IS DISTINCT FROM min("_least-")
    ) AS y HAVING count(*) > 0;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _update_universe_posts
CREATE TRIGGER "_update_universe_posts" AFTER UPDATE ON "public"."posts" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_update_universe_posts"();

-- step tidemark._update_universe_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_update_universe_posts";

-- function tidemark._delete_universe_posts
CREATE FUNCTION "tidemark"."_delete_universe_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT o."author", o."score", o."live", EXISTS (SELECT FROM o OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, y."_posts", y."_least+", y."_least-", 0)::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_posts")::integer AS "_posts", min("_least+") AS "_least+", min("_least-") AS "_least-" FROM (
      SELECT ((o."author"))::integer AS "id", -(CASE WHEN (o."live" = 1) THEN 1 ELSE 0 END) AS "_posts", NULL::integer AS "_least+", ((o."score"))::integer AS "_least-" FROM o WHERE (((o."live" = 1)) OR (1 = 1)) AND (o."author") IS NOT NULL
    ) AS z GROUP BY "id" HAVING sum("_posts") <> 0 OR min("_least+") IS DISTINCT FROM min("_least-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  IF ((((tidemark_row."live" = 1)) OR (1 = 1)) AND (tidemark_row."author") IS NOT NULL) AND ((CASE WHEN (tidemark_row."live" = 1) THEN 1 ELSE 0 END) <> 0 OR ((tidemark_row."score")) IS NOT NULL) THEN tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."author"))::integer, 0, 0, -(CASE WHEN (tidemark_row."live" = 1) THEN 1 ELSE 0 END), NULL::integer, ((tidemark_row."score"))::integer, 0)::"tidemark"."_delta_universe"; END IF;
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _delete_universe_posts
CREATE TRIGGER "_delete_universe_posts" AFTER DELETE ON "public"."posts" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_delete_universe_posts"();

-- step tidemark._delete_universe_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_delete_universe_posts";

-- function tidemark._truncate_before_universe_posts
CREATE FUNCTION "tidemark"."_truncate_before_universe_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas, waits)
    SELECT array_agg(ROW(y."id", 0, 0, y."_posts", y."_least+", y."_least-", 0)::"tidemark"."_delta_universe"), true
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_posts")::integer AS "_posts", min("_least+") AS "_least+", min("_least-") AS "_least-" FROM (
      SELECT ((r."author"))::integer AS "id", -(CASE WHEN (r."live" = 1) THEN 1 ELSE 0 END) AS "_posts", NULL::integer AS "_least+", ((r."score"))::integer AS "_least-" FROM "public"."posts" AS r WHERE (((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL
    ) AS z GROUP BY "id" HAVING sum("_posts") <> 0 OR min("_least+") IS DISTINCT FROM min("_least-")
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_before_universe_posts
CREATE TRIGGER "_truncate_before_universe_posts" BEFORE TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_before_universe_posts"();

-- step tidemark._truncate_before_universe_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_truncate_before_universe_posts";

-- function tidemark._truncate_after_universe_posts
CREATE FUNCTION "tidemark"."_truncate_after_universe_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES ('{}');
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_after_universe_posts
CREATE TRIGGER "_truncate_after_universe_posts" AFTER TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_after_universe_posts"();

-- step tidemark._truncate_after_universe_posts always
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_truncate_after_universe_posts";

-- function tidemark._insert_universe_profiles
CREATE FUNCTION "tidemark"."_insert_universe_profiles"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT n."user_id", EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, 0, NULL::integer, NULL::integer, y."_exists")::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_exists")::integer AS "_exists" FROM (
      SELECT ((n."user_id"))::integer AS "id", (1) AS "_exists" FROM n
    ) AS z GROUP BY "id" HAVING sum("_exists") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."user_id"))::integer, 0, 0, 0, NULL::integer, NULL::integer, (1))::"tidemark"."_delta_universe";
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _insert_universe_profiles
CREATE TRIGGER "_insert_universe_profiles" AFTER INSERT ON "public"."profiles" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_insert_universe_profiles"();

-- step tidemark._insert_universe_profiles always
ALTER TABLE "public"."profiles" ENABLE ALWAYS TRIGGER "_insert_universe_profiles";

-- function tidemark._update_universe_profiles
CREATE FUNCTION "tidemark"."_update_universe_profiles"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT n."user_id" IS DISTINCT FROM o."user_id" AS tidemark_changed, EXISTS (SELECT FROM n OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o, n LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, 0, NULL::integer, NULL::integer, y."_exists")::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_exists")::integer AS "_exists" FROM (
      SELECT ((o."user_id"))::integer AS "id", -(1) AS "_exists" FROM o
      UNION ALL SELECT ((n."user_id"))::integer AS "id", (1) AS "_exists" FROM n
    ) AS z GROUP BY "id" HAVING sum("_exists") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  IF NOT tidemark_row.tidemark_changed THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, 0, NULL::integer, NULL::integer, y."_exists")::"tidemark"."_delta_universe")
    FROM (
    SELECT "id", sum("_exists")::integer AS "_exists" FROM (
      SELECT ((o."user_id"))::integer AS "id", -(1) AS "_exists" FROM o
      UNION ALL SELECT ((n."user_id"))::integer AS "id", (1) AS "_exists" FROM n
    ) AS z GROUP BY "id" HAVING sum("_exists") <> 0
    ) AS y HAVING count(*) > 0;
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _update_universe_profiles
CREATE TRIGGER "_update_universe_profiles" AFTER UPDATE ON "public"."profiles" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_update_universe_profiles"();

-- step tidemark._update_universe_profiles always
ALTER TABLE "public"."profiles" ENABLE ALWAYS TRIGGER "_update_universe_profiles";

-- function tidemark._delete_universe_profiles
CREATE FUNCTION "tidemark"."_delete_universe_profiles"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_row record;
  tidemark_armed text;
  tidemark_deltas "tidemark"."_delta_universe"[];
BEGIN
  SELECT o."user_id", EXISTS (SELECT FROM o OFFSET 1) AS tidemark_more
    INTO tidemark_row FROM o LIMIT 1;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF tidemark_row.tidemark_more THEN
  INSERT INTO "tidemark"."_pending_universe" (deltas)
    SELECT array_agg(ROW(y."id", 0, 0, 0, NULL::integer, NULL::integer, y."_exists")::"tidemark"."_delta_universe")
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_exists")::integer AS "_exists" FROM (
      SELECT ((o."user_id"))::integer AS "id", -(1) AS "_exists" FROM o
    ) AS z GROUP BY "id" HAVING sum("_exists") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  ELSE
  tidemark_deltas := NULL;
  tidemark_deltas := tidemark_deltas || ROW(((tidemark_row."user_id"))::integer, 0, 0, 0, NULL::integer, NULL::integer, -(1))::"tidemark"."_delta_universe";
  IF tidemark_deltas IS NULL THEN RETURN NULL; END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES (tidemark_deltas);
  END IF;
  IF NOT FOUND THEN RETURN NULL; END IF;
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _delete_universe_profiles
CREATE TRIGGER "_delete_universe_profiles" AFTER DELETE ON "public"."profiles" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_delete_universe_profiles"();

-- step tidemark._delete_universe_profiles always
ALTER TABLE "public"."profiles" ENABLE ALWAYS TRIGGER "_delete_universe_profiles";

-- function tidemark._truncate_before_universe_profiles
CREATE FUNCTION "tidemark"."_truncate_before_universe_profiles"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'TRUNCATE of a table that Tidemark watches needs READ COMMITTED'
      USING ERRCODE = 'feature_not_supported', DETAIL = 'An older snapshot cannot see every row that goes.';
  END IF;
  INSERT INTO "tidemark"."_pending_universe" (deltas, waits)
    SELECT array_agg(ROW(y."id", 0, 0, 0, NULL::integer, NULL::integer, y."_exists")::"tidemark"."_delta_universe"), true
    FROM (SELECT x.*, row_number() OVER () / 10000 AS tidemark_chunk FROM (
    SELECT "id", sum("_exists")::integer AS "_exists" FROM (
      SELECT ((r."user_id"))::integer AS "id", -(1) AS "_exists" FROM "public"."profiles" AS r
    ) AS z GROUP BY "id" HAVING sum("_exists") <> 0
    ) AS x) AS y GROUP BY y.tidemark_chunk;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_before_universe_profiles
CREATE TRIGGER "_truncate_before_universe_profiles" BEFORE TRUNCATE ON "public"."profiles" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_before_universe_profiles"();

-- step tidemark._truncate_before_universe_profiles always
ALTER TABLE "public"."profiles" ENABLE ALWAYS TRIGGER "_truncate_before_universe_profiles";

-- function tidemark._truncate_after_universe_profiles
CREATE FUNCTION "tidemark"."_truncate_after_universe_profiles"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, "public", pg_temp SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off AS $tidemark$
#variable_conflict use_column
DECLARE
  tidemark_armed text;
BEGIN
  INSERT INTO "tidemark"."_pending_universe" (deltas) VALUES ('{}');
  tidemark_armed := coalesce(current_setting('tidemark.armed', true), '');
  IF strpos(tidemark_armed, ' _flush_universe ') = 0 THEN
    tidemark_armed := set_config('tidemark.armed', tidemark_armed || ' _flush_universe ', true);
  END IF;
  RETURN NULL;
END
$tidemark$;

-- trigger _truncate_after_universe_profiles
CREATE TRIGGER "_truncate_after_universe_profiles" AFTER TRUNCATE ON "public"."profiles" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_truncate_after_universe_profiles"();

-- step tidemark._truncate_after_universe_profiles always
ALTER TABLE "public"."profiles" ENABLE ALWAYS TRIGGER "_truncate_after_universe_profiles";

-- view universe (public)
CREATE VIEW "public"."universe" AS SELECT
  (s."id")::integer AS "id",
  (s."_name")::text AS "name",
  (((s."_posts")))::bigint AS "posts",
  (((s."_least")))::bigint AS "least",
  ((s."_exists" > 0))::bigint AS "has_profile"
FROM "tidemark"."universe" AS s
WHERE s."_rows" > 0;

-- function tidemark._readonly_universe (public)
CREATE FUNCTION "tidemark"."_readonly_universe"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'universe is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_universe (public)
CREATE TRIGGER "_readonly_universe" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."universe" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_universe"();

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_universe" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "id" integer);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_universe" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_name" text, "_posts" bigint, "_least" integer, "_exists" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_universe" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_name" text, "_posts" bigint, "_least" integer, "_exists" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_universe" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "id" integer);

-- applier: every key
TRUNCATE pg_temp."_todo_universe" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_universe" ("id") SELECT * FROM (SELECT ((r."id"))::integer AS "id" FROM "public"."users" AS r UNION SELECT ((r."author"))::integer AS "id" FROM "public"."posts" AS r WHERE (((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL UNION SELECT ((r."user_id"))::integer AS "id" FROM "public"."profiles" AS r UNION SELECT "id" FROM "tidemark"."universe") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_universe" (tidemark_n, "id") SELECT tidemark_n, "id" FROM pg_temp."_todo_universe" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock
INSERT INTO "tidemark"."universe" AS s ("id") SELECT "id" FROM pg_temp."_batch_universe" ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows";

-- applier: recompute
ANALYZE pg_temp."_batch_universe";
DELETE FROM pg_temp."_stored_universe";
INSERT INTO pg_temp."_stored_universe" (tidemark_n, "id", "_rows", "_name", "_posts", "_least", "_exists") SELECT b.tidemark_n, s."id", s."_rows", s."_name", s."_posts", s."_least", s."_exists" FROM pg_temp."_batch_universe" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."universe" AS s WHERE s."id" = b."id" OFFSET 0) AS s;
DELETE FROM pg_temp."_fresh_universe";
INSERT INTO pg_temp."_fresh_universe" (tidemark_n, "id", "_rows", "_name", "_posts", "_least", "_exists") SELECT b.tidemark_n, b."id", coalesce(f0."_rows", 0) AS "_rows", f0."_name" AS "_name", coalesce(f1."_posts", 0) AS "_posts", f1."_least" AS "_least", coalesce(f2."_exists", 0) AS "_exists" FROM pg_temp."_batch_universe" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, 1 AS "_rows", (r."name") AS "_name" FROM pg_temp."_batch_universe" AS b JOIN "public"."users" AS r ON ((r."id")) = b."id") AS f0 ON f0.tidemark_n = b.tidemark_n LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(CASE WHEN (r."live" = 1) THEN 1 ELSE 0 END), 0)::bigint AS "_posts", min((r."score")) AS "_least" FROM pg_temp."_batch_universe" AS b JOIN "public"."posts" AS r ON ((r."author")) = b."id" AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL) GROUP BY b.tidemark_n) AS f1 ON f1.tidemark_n = b.tidemark_n LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0)::bigint AS "_exists" FROM pg_temp."_batch_universe" AS b JOIN "public"."profiles" AS r ON ((r."user_id")) = b."id" GROUP BY b.tidemark_n) AS f2 ON f2.tidemark_n = b.tidemark_n;
DELETE FROM pg_temp."_fresh_universe" AS s WHERE s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0;

-- applier: compare
SELECT 'missing' AS kind, s."id", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, s."_name", ((s."_posts")), ((s."_least")), (s."_exists" > 0), s."_rows", s."_name", s."_posts", s."_least", s."_exists" FROM pg_temp."_fresh_universe" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_universe" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."id", s."_name", ((s."_posts")), ((s."_least")), (s."_exists" > 0), s."_rows", s."_name", s."_posts", s."_least", s."_exists", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_temp."_stored_universe" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_universe" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, a.v4, a.v5, a.v6, a.v7, a.v8, z.v0, z.v1, z.v2, z.v3, z.v4, z.v5, z.v6, z.v7, z.v8 FROM (SELECT s.tidemark_n, s."id" AS k0, s."_name" AS v0, ((s."_posts")) AS v1, ((s."_least")) AS v2, (s."_exists" > 0) AS v3, s."_rows" AS v4, s."_name" AS v5, s."_posts" AS v6, s."_least" AS v7, s."_exists" AS v8 FROM pg_temp."_stored_universe" AS s) AS a JOIN (SELECT s.tidemark_n, s."_name" AS v0, ((s."_posts")) AS v1, ((s."_least")) AS v2, (s."_exists" > 0) AS v3, s."_rows" AS v4, s."_name" AS v5, s."_posts" AS v6, s."_least" AS v7, s."_exists" AS v8 FROM pg_temp."_fresh_universe" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_universe" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_universe" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS NOT DISTINCT FROM y."_rows" AND x."_name" IS NOT DISTINCT FROM y."_name" AND x."_posts" IS NOT DISTINCT FROM y."_posts" AND x."_least" IS NOT DISTINCT FROM y."_least" AND x."_exists" IS NOT DISTINCT FROM y."_exists");

-- applier: write
INSERT INTO "tidemark"."universe" AS s ("id", "_rows", "_name", "_posts", "_least", "_exists") SELECT "id", "_rows", "_name", "_posts", "_least", "_exists" FROM pg_temp."_fresh_universe" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_universe" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS NOT DISTINCT FROM f."_rows" AND o."_name" IS NOT DISTINCT FROM f."_name" AND o."_posts" IS NOT DISTINCT FROM f."_posts" AND o."_least" IS NOT DISTINCT FROM f."_least" AND o."_exists" IS NOT DISTINCT FROM f."_exists") ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_name" = excluded."_name", "_posts" = excluded."_posts", "_least" = excluded."_least", "_exists" = excluded."_exists";
DELETE FROM "tidemark"."universe" AS s USING pg_temp."_stored_universe" AS b WHERE s."id" = b."id" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_universe" AS f WHERE f.tidemark_n = b.tidemark_n);

-- advice: computing least of one key anew when the extreme value leaves reads all of posts without it
CREATE INDEX CONCURRENTLY "posts_author_idx" ON "public"."posts" ("author");

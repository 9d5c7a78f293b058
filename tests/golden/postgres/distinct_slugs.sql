-- distinct_slugs: keyed at tick freshness
-- SELECT author, count(DISTINCT state) AS states FROM posts GROUP BY author
-- because: affected keys are recomputed, because count(DISTINCT …) needs the multiplicity of each value

-- table tidemark.distinct_slugs
CREATE TABLE "tidemark"."distinct_slugs" (
  "author" integer,
  "states" bigint
) WITH (fillfactor = 70);

-- index tidemark._unique_distinct_slugs
CREATE UNIQUE INDEX "_unique_distinct_slugs" ON "tidemark"."distinct_slugs" ("author") NULLS NOT DISTINCT;

-- table tidemark._dirty_distinct_slugs
CREATE TABLE "tidemark"."_dirty_distinct_slugs" (tidemark_n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "author" integer);

-- index tidemark._dirty_unique_distinct_slugs
CREATE UNIQUE INDEX "_dirty_unique_distinct_slugs" ON "tidemark"."_dirty_distinct_slugs" ("author") NULLS NOT DISTINCT;

-- view distinct_slugs (public)
CREATE VIEW "public"."distinct_slugs" AS SELECT s."author", s."states" FROM "tidemark"."distinct_slugs" AS s;

-- function tidemark._readonly_distinct_slugs (public)
CREATE FUNCTION "tidemark"."_readonly_distinct_slugs"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'distinct_slugs is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_distinct_slugs (public)
CREATE TRIGGER "_readonly_distinct_slugs" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."distinct_slugs" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_distinct_slugs"();

-- table tidemark._capture_log_posts (shared by all that read posts)
CREATE TABLE "tidemark"."_capture_log_posts" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), weight smallint NOT NULL, "c_author" integer, "c_state" text) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1);

-- function tidemark._capture_insert_posts (shared by all that read posts)
CREATE FUNCTION "tidemark"."_capture_insert_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_state") SELECT 1, n."author", n."state" FROM n;
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_insert_posts (shared by all that read posts)
CREATE TRIGGER "_capture_insert_posts" AFTER INSERT ON "public"."posts" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_insert_posts"();

-- step tidemark._capture_insert_posts always (shared by all that read posts)
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_capture_insert_posts";

-- function tidemark._capture_update_posts (shared by all that read posts)
CREATE FUNCTION "tidemark"."_capture_update_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_state") SELECT -1, o."author", o."state" FROM (SELECT "author", "state" FROM o EXCEPT ALL SELECT "author", "state" FROM n) AS o;
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_state") SELECT 1, n."author", n."state" FROM (SELECT "author", "state" FROM n EXCEPT ALL SELECT "author", "state" FROM o) AS n;
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_update_posts (shared by all that read posts)
CREATE TRIGGER "_capture_update_posts" AFTER UPDATE ON "public"."posts" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_update_posts"();

-- step tidemark._capture_update_posts always (shared by all that read posts)
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_capture_update_posts";

-- function tidemark._capture_delete_posts (shared by all that read posts)
CREATE FUNCTION "tidemark"."_capture_delete_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_state") SELECT -1, o."author", o."state" FROM o;
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_delete_posts (shared by all that read posts)
CREATE TRIGGER "_capture_delete_posts" AFTER DELETE ON "public"."posts" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_delete_posts"();

-- step tidemark._capture_delete_posts always (shared by all that read posts)
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_capture_delete_posts";

-- function tidemark._capture_truncate_after_posts (shared by all that read posts)
CREATE FUNCTION "tidemark"."_capture_truncate_after_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_posts" (weight) VALUES (0);
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_truncate_after_posts (shared by all that read posts)
CREATE TRIGGER "_capture_truncate_after_posts" AFTER TRUNCATE ON "public"."posts" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_truncate_after_posts"();

-- step tidemark._capture_truncate_after_posts always (shared by all that read posts)
ALTER TABLE "public"."posts" ENABLE ALWAYS TRIGGER "_capture_truncate_after_posts";

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_distinct_slugs" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "author" integer); CREATE INDEX IF NOT EXISTS "_batch_unit_distinct_slugs" ON pg_temp."_batch_distinct_slugs" ("author");
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_distinct_slugs" (tidemark_n bigint PRIMARY KEY, "author" integer, "states" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_distinct_slugs" (tidemark_n bigint PRIMARY KEY, "author" integer, "states" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_distinct_slugs" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "author" integer);

-- applier: every key
TRUNCATE pg_temp."_todo_distinct_slugs" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_distinct_slugs" ("author") SELECT * FROM (SELECT q."author" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "public"."posts" AS "posts" GROUP BY "posts"."author") AS q UNION SELECT "author" FROM "tidemark"."distinct_slugs") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_distinct_slugs" (tidemark_n, "author") SELECT tidemark_n, "author" FROM pg_temp."_todo_distinct_slugs" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
ANALYZE pg_temp."_batch_distinct_slugs";
DELETE FROM pg_temp."_stored_distinct_slugs";
INSERT INTO pg_temp."_stored_distinct_slugs" (tidemark_n, "author", "states") SELECT b.tidemark_n, s."author", s."states" FROM pg_temp."_batch_distinct_slugs" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."distinct_slugs" AS s WHERE s."author" = b."author" OFFSET 0) AS s;
INSERT INTO pg_temp."_stored_distinct_slugs" (tidemark_n, "author", "states") SELECT b.tidemark_n, s."author", s."states" FROM pg_temp."_batch_distinct_slugs" AS b JOIN "tidemark"."distinct_slugs" AS s ON s."author" IS NOT DISTINCT FROM b."author" AND (b."author" IS NULL);
DELETE FROM pg_temp."_fresh_distinct_slugs";
INSERT INTO pg_temp."_fresh_distinct_slugs" (tidemark_n, "author", "states") SELECT tidemark_x.tidemark_n, q."author", q."states" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "public"."posts" AS "posts" WHERE ("posts"."author") IN (SELECT tidemark_x."author" FROM pg_temp."_batch_distinct_slugs" AS tidemark_x) GROUP BY "posts"."author") AS q JOIN pg_temp."_batch_distinct_slugs" AS tidemark_x ON q."author" = tidemark_x."author";
INSERT INTO pg_temp."_fresh_distinct_slugs" (tidemark_n, "author", "states") SELECT tidemark_x.tidemark_n, q."author", q."states" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "public"."posts" AS "posts" WHERE (("posts"."author") IS NULL) AND EXISTS (SELECT 1 FROM pg_temp."_batch_distinct_slugs" AS tidemark_x WHERE tidemark_x."author" IS NULL) AND EXISTS (SELECT 1 FROM pg_temp."_batch_distinct_slugs" AS tidemark_x WHERE tidemark_x."author" IS NOT DISTINCT FROM ("posts"."author")) GROUP BY "posts"."author") AS q JOIN pg_temp."_batch_distinct_slugs" AS tidemark_x ON q."author" IS NOT DISTINCT FROM tidemark_x."author" AND (tidemark_x."author" IS NULL);

-- applier: compare
SELECT 'missing' AS kind, s."author", NULL, s."states" FROM pg_temp."_fresh_distinct_slugs" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_distinct_slugs" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."author", s."states", NULL FROM pg_temp."_stored_distinct_slugs" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_distinct_slugs" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, z.v0 FROM (SELECT s.tidemark_n, s."author" AS k0, s."states" AS v0 FROM pg_temp."_stored_distinct_slugs" AS s) AS a JOIN (SELECT s.tidemark_n, s."states" AS v0 FROM pg_temp."_fresh_distinct_slugs" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_distinct_slugs" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_distinct_slugs" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."states" IS NOT DISTINCT FROM y."states");

-- applier: write
INSERT INTO "tidemark"."distinct_slugs" AS s ("author", "states") SELECT "author", "states" FROM pg_temp."_fresh_distinct_slugs" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_distinct_slugs" AS o WHERE o.tidemark_n = f.tidemark_n AND o."states" IS NOT DISTINCT FROM f."states") ORDER BY "author" ON CONFLICT ("author") DO UPDATE SET "states" = excluded."states";
DELETE FROM "tidemark"."distinct_slugs" AS s USING pg_temp."_stored_distinct_slugs" AS b WHERE s."author" = b."author" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_distinct_slugs" AS f WHERE f.tidemark_n = b.tidemark_n) AND NOT (b."author" IS NULL);
DELETE FROM "tidemark"."distinct_slugs" AS s USING pg_temp."_stored_distinct_slugs" AS b WHERE s."author" IS NOT DISTINCT FROM b."author" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_distinct_slugs" AS f WHERE f.tidemark_n = b.tidemark_n) AND (b."author" IS NULL);

-- applier: the whole result
DROP TABLE IF EXISTS pg_temp."_whole_distinct_slugs";
CREATE TEMP TABLE pg_temp."_whole_distinct_slugs" AS SELECT CAST(0 AS bigint) AS tidemark_n, (z."author")::integer AS "author", (z."states")::bigint AS "states" FROM (SELECT q."author", q."states" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "public"."posts" AS "posts" GROUP BY "posts"."author") AS q) AS z;
INSERT INTO pg_temp."_whole_distinct_slugs" (tidemark_n, "author", "states") SELECT row_number() OVER (ORDER BY "author"), "author", "states" FROM (SELECT "author", "states" FROM pg_temp."_whole_distinct_slugs" EXCEPT SELECT "author", "states" FROM "tidemark"."distinct_slugs") AS z;
INSERT INTO pg_temp."_whole_distinct_slugs" (tidemark_n, "author") SELECT -row_number() OVER (ORDER BY "author"), "author" FROM (SELECT "author" FROM "tidemark"."distinct_slugs" EXCEPT SELECT "author" FROM pg_temp."_whole_distinct_slugs") AS z;
DO 'BEGIN IF pg_catalog.pg_relation_size(''pg_temp."_whole_distinct_slugs"'') > 8388608 THEN CREATE INDEX ON pg_temp."_whole_distinct_slugs" (tidemark_n); END IF; END';
DELETE FROM "tidemark"."distinct_slugs" AS s USING pg_temp."_whole_distinct_slugs" AS b WHERE s."author" = b."author" AND b.tidemark_n < -CAST(:low AS bigint) AND b.tidemark_n >= -CAST(:high AS bigint) AND NOT (b."author" IS NULL);
DELETE FROM "tidemark"."distinct_slugs" AS s USING pg_temp."_whole_distinct_slugs" AS b WHERE s."author" IS NOT DISTINCT FROM b."author" AND b.tidemark_n < -CAST(:low AS bigint) AND b.tidemark_n >= -CAST(:high AS bigint) AND (b."author" IS NULL);
INSERT INTO "tidemark"."distinct_slugs" AS s ("author", "states") SELECT "author", "states" FROM pg_temp."_whole_distinct_slugs" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT ("author") DO UPDATE SET "states" = excluded."states";
DELETE FROM "tidemark"."_dirty_distinct_slugs";

-- applier: changes of posts to keys
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_slice_posts_distinct_slugs" (weight smallint NOT NULL, "c_author" integer, "c_state" text);
INSERT INTO pg_temp."_reached_distinct_slugs" ("author") SELECT DISTINCT ("posts"."c_author")::integer FROM pg_temp."_slice_posts_distinct_slugs" AS "posts" WHERE "posts".weight <> 0;

-- applier: dirty keys
INSERT INTO pg_temp."_batch_distinct_slugs" (tidemark_n, "author") SELECT tidemark_n, "author" FROM "tidemark"."_dirty_distinct_slugs" ORDER BY "author" LIMIT :limit;
DELETE FROM "tidemark"."_dirty_distinct_slugs" WHERE tidemark_n = ANY (ARRAY(SELECT tidemark_n FROM pg_temp."_batch_distinct_slugs"));
INSERT INTO "tidemark"."_dirty_distinct_slugs" ("author") SELECT "author" FROM (SELECT "author" FROM "tidemark"."distinct_slugs") AS k WHERE 1 = 1 ON CONFLICT ("author") DO NOTHING;
INSERT INTO "tidemark"."_dirty_distinct_slugs" ("author") SELECT "author" FROM (SELECT q."author" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "public"."posts" AS "posts" GROUP BY "posts"."author") AS q) AS k WHERE 1 = 1 ON CONFLICT ("author") DO NOTHING;

-- advice: recomputing a key reads all of posts without it
CREATE INDEX CONCURRENTLY "posts_author_idx" ON "public"."posts" ("author");

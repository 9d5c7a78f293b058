-- joined: keyed at tick freshness
-- SELECT u.name, count(*) AS n, sum(p.score) AS score FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.name
-- because: affected keys are recomputed, because it joins several sources

-- table tidemark.joined
CREATE TABLE "tidemark"."joined" (
  "name" text,
  "n" bigint,
  "score" bigint
) WITH (fillfactor = 70);

-- index tidemark._unique_joined
CREATE UNIQUE INDEX "_unique_joined" ON "tidemark"."joined" ("name") NULLS NOT DISTINCT;

-- table tidemark._dirty_joined
CREATE TABLE "tidemark"."_dirty_joined" (tidemark_n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "name" text);

-- index tidemark._dirty_unique_joined
CREATE UNIQUE INDEX "_dirty_unique_joined" ON "tidemark"."_dirty_joined" ("name") NULLS NOT DISTINCT;

-- view joined (public)
CREATE VIEW "public"."joined" AS SELECT s."name", s."n", s."score" FROM "tidemark"."joined" AS s;

-- function tidemark._readonly_joined (public)
CREATE FUNCTION "tidemark"."_readonly_joined"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'joined is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_joined (public)
CREATE TRIGGER "_readonly_joined" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."joined" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_joined"();

-- table tidemark._capture_log_users (shared by all that read users)
CREATE TABLE "tidemark"."_capture_log_users" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), weight smallint NOT NULL, "c_id" integer, "c_name" text) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1);

-- function tidemark._capture_insert_users (shared by all that read users)
CREATE FUNCTION "tidemark"."_capture_insert_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id", "c_name") SELECT 1, n."id", n."name" FROM n;
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_insert_users (shared by all that read users)
CREATE TRIGGER "_capture_insert_users" AFTER INSERT ON "public"."users" REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_insert_users"();

-- step tidemark._capture_insert_users always (shared by all that read users)
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_capture_insert_users";

-- function tidemark._capture_update_users (shared by all that read users)
CREATE FUNCTION "tidemark"."_capture_update_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id", "c_name") SELECT -1, o."id", o."name" FROM (SELECT "id", "name" FROM o EXCEPT ALL SELECT "id", "name" FROM n) AS o;
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id", "c_name") SELECT 1, n."id", n."name" FROM (SELECT "id", "name" FROM n EXCEPT ALL SELECT "id", "name" FROM o) AS n;
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_update_users (shared by all that read users)
CREATE TRIGGER "_capture_update_users" AFTER UPDATE ON "public"."users" REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_update_users"();

-- step tidemark._capture_update_users always (shared by all that read users)
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_capture_update_users";

-- function tidemark._capture_delete_users (shared by all that read users)
CREATE FUNCTION "tidemark"."_capture_delete_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id", "c_name") SELECT -1, o."id", o."name" FROM o;
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_delete_users (shared by all that read users)
CREATE TRIGGER "_capture_delete_users" AFTER DELETE ON "public"."users" REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_delete_users"();

-- step tidemark._capture_delete_users always (shared by all that read users)
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_capture_delete_users";

-- function tidemark._capture_truncate_after_users (shared by all that read users)
CREATE FUNCTION "tidemark"."_capture_truncate_after_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_users" (weight) VALUES (0);
  RETURN NULL;
END
$tidemark$;

-- trigger _capture_truncate_after_users (shared by all that read users)
CREATE TRIGGER "_capture_truncate_after_users" AFTER TRUNCATE ON "public"."users" FOR EACH STATEMENT EXECUTE FUNCTION "tidemark"."_capture_truncate_after_users"();

-- step tidemark._capture_truncate_after_users always (shared by all that read users)
ALTER TABLE "public"."users" ENABLE ALWAYS TRIGGER "_capture_truncate_after_users";

-- table tidemark._capture_log_posts (shared by all that read posts)
CREATE TABLE "tidemark"."_capture_log_posts" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), weight smallint NOT NULL, "c_author" integer, "c_score" integer) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1);

-- function tidemark._capture_insert_posts (shared by all that read posts)
CREATE FUNCTION "tidemark"."_capture_insert_posts"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_score") SELECT 1, n."author", n."score" FROM n;
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
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_score") SELECT -1, o."author", o."score" FROM (SELECT "author", "score" FROM o EXCEPT ALL SELECT "author", "score" FROM n) AS o;
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_score") SELECT 1, n."author", n."score" FROM (SELECT "author", "score" FROM n EXCEPT ALL SELECT "author", "score" FROM o) AS n;
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
  INSERT INTO "tidemark"."_capture_log_posts" (weight, "c_author", "c_score") SELECT -1, o."author", o."score" FROM o;
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
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_joined" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "name" text); CREATE INDEX IF NOT EXISTS "_batch_unit_joined" ON pg_temp."_batch_joined" ("name");
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_joined" (tidemark_n bigint PRIMARY KEY, "name" text, "n" bigint, "score" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_joined" (tidemark_n bigint PRIMARY KEY, "name" text, "n" bigint, "score" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_joined" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "name" text);

-- applier: every key
TRUNCATE pg_temp."_todo_joined" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_joined" ("name") SELECT * FROM (SELECT q."name" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "public"."users" AS "u" LEFT JOIN "public"."posts" AS "p" ON "p"."author" = "u"."id" GROUP BY "u"."name") AS q UNION SELECT "name" FROM "tidemark"."joined") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_joined" (tidemark_n, "name") SELECT tidemark_n, "name" FROM pg_temp."_todo_joined" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
ANALYZE pg_temp."_batch_joined";
DELETE FROM pg_temp."_stored_joined";
INSERT INTO pg_temp."_stored_joined" (tidemark_n, "name", "n", "score") SELECT b.tidemark_n, s."name", s."n", s."score" FROM pg_temp."_batch_joined" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."joined" AS s WHERE s."name" = b."name" OFFSET 0) AS s;
INSERT INTO pg_temp."_stored_joined" (tidemark_n, "name", "n", "score") SELECT b.tidemark_n, s."name", s."n", s."score" FROM pg_temp."_batch_joined" AS b JOIN "tidemark"."joined" AS s ON s."name" IS NOT DISTINCT FROM b."name" AND (b."name" IS NULL);
DELETE FROM pg_temp."_fresh_joined";
INSERT INTO pg_temp."_fresh_joined" (tidemark_n, "name", "n", "score") SELECT tidemark_x.tidemark_n, q."name", q."n", q."score" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "public"."users" AS "u" LEFT JOIN "public"."posts" AS "p" ON "p"."author" = "u"."id" WHERE ("u"."name") IN (SELECT tidemark_x."name" FROM pg_temp."_batch_joined" AS tidemark_x) GROUP BY "u"."name") AS q JOIN pg_temp."_batch_joined" AS tidemark_x ON q."name" = tidemark_x."name";
INSERT INTO pg_temp."_fresh_joined" (tidemark_n, "name", "n", "score") SELECT tidemark_x.tidemark_n, q."name", q."n", q."score" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "public"."users" AS "u" LEFT JOIN "public"."posts" AS "p" ON "p"."author" = "u"."id" WHERE (("u"."name") IS NULL) AND EXISTS (SELECT 1 FROM pg_temp."_batch_joined" AS tidemark_x WHERE tidemark_x."name" IS NULL) AND EXISTS (SELECT 1 FROM pg_temp."_batch_joined" AS tidemark_x WHERE tidemark_x."name" IS NOT DISTINCT FROM ("u"."name")) GROUP BY "u"."name") AS q JOIN pg_temp."_batch_joined" AS tidemark_x ON q."name" IS NOT DISTINCT FROM tidemark_x."name" AND (tidemark_x."name" IS NULL);

-- applier: compare
SELECT 'missing' AS kind, s."name", NULL, NULL, s."n", s."score" FROM pg_temp."_fresh_joined" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_joined" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."name", s."n", s."score", NULL, NULL FROM pg_temp."_stored_joined" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_joined" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, z.v0, z.v1 FROM (SELECT s.tidemark_n, s."name" AS k0, s."n" AS v0, s."score" AS v1 FROM pg_temp."_stored_joined" AS s) AS a JOIN (SELECT s.tidemark_n, s."n" AS v0, s."score" AS v1 FROM pg_temp."_fresh_joined" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_joined" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_joined" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."n" IS NOT DISTINCT FROM y."n" AND x."score" IS NOT DISTINCT FROM y."score");

-- applier: write
INSERT INTO "tidemark"."joined" AS s ("name", "n", "score") SELECT "name", "n", "score" FROM pg_temp."_fresh_joined" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_joined" AS o WHERE o.tidemark_n = f.tidemark_n AND o."n" IS NOT DISTINCT FROM f."n" AND o."score" IS NOT DISTINCT FROM f."score") ORDER BY "name" ON CONFLICT ("name") DO UPDATE SET "n" = excluded."n", "score" = excluded."score";
DELETE FROM "tidemark"."joined" AS s USING pg_temp."_stored_joined" AS b WHERE s."name" = b."name" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_joined" AS f WHERE f.tidemark_n = b.tidemark_n) AND NOT (b."name" IS NULL);
DELETE FROM "tidemark"."joined" AS s USING pg_temp."_stored_joined" AS b WHERE s."name" IS NOT DISTINCT FROM b."name" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_joined" AS f WHERE f.tidemark_n = b.tidemark_n) AND (b."name" IS NULL);

-- applier: the whole result
DROP TABLE IF EXISTS pg_temp."_whole_joined";
CREATE TEMP TABLE pg_temp."_whole_joined" AS SELECT CAST(0 AS bigint) AS tidemark_n, (z."name")::text AS "name", (z."n")::bigint AS "n", (z."score")::bigint AS "score" FROM (SELECT q."name", q."n", q."score" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "public"."users" AS "u" LEFT JOIN "public"."posts" AS "p" ON "p"."author" = "u"."id" GROUP BY "u"."name") AS q) AS z;
INSERT INTO pg_temp."_whole_joined" (tidemark_n, "name", "n", "score") SELECT row_number() OVER (ORDER BY "name"), "name", "n", "score" FROM (SELECT "name", "n", "score" FROM pg_temp."_whole_joined" EXCEPT SELECT "name", "n", "score" FROM "tidemark"."joined") AS z;
INSERT INTO pg_temp."_whole_joined" (tidemark_n, "name") SELECT -row_number() OVER (ORDER BY "name"), "name" FROM (SELECT "name" FROM "tidemark"."joined" EXCEPT SELECT "name" FROM pg_temp."_whole_joined") AS z;
DO 'BEGIN IF pg_catalog.pg_relation_size(''pg_temp."_whole_joined"'') > 8388608 THEN CREATE INDEX ON pg_temp."_whole_joined" (tidemark_n); END IF; END';
DELETE FROM "tidemark"."joined" AS s USING pg_temp."_whole_joined" AS b WHERE s."name" = b."name" AND b.tidemark_n < -CAST(:low AS bigint) AND b.tidemark_n >= -CAST(:high AS bigint) AND NOT (b."name" IS NULL);
DELETE FROM "tidemark"."joined" AS s USING pg_temp."_whole_joined" AS b WHERE s."name" IS NOT DISTINCT FROM b."name" AND b.tidemark_n < -CAST(:low AS bigint) AND b.tidemark_n >= -CAST(:high AS bigint) AND (b."name" IS NULL);
INSERT INTO "tidemark"."joined" AS s ("name", "n", "score") SELECT "name", "n", "score" FROM pg_temp."_whole_joined" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT ("name") DO UPDATE SET "n" = excluded."n", "score" = excluded."score";
DELETE FROM "tidemark"."_dirty_joined";

-- applier: changes of users to keys
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_slice_users_joined" (weight smallint NOT NULL, "c_id" integer, "c_name" text);
INSERT INTO pg_temp."_reached_joined" ("name") SELECT DISTINCT ("u"."c_name")::text FROM pg_temp."_slice_users_joined" AS "u" WHERE "u".weight <> 0;

-- applier: changes of posts to keys
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_slice_posts_joined" (weight smallint NOT NULL, "c_author" integer, "c_score" integer);
INSERT INTO pg_temp."_reached_joined" ("name") SELECT DISTINCT ("u"."name")::text FROM (SELECT DISTINCT 1 AS weight, "c_author" FROM pg_temp."_slice_posts_joined" WHERE weight <> 0) AS "p", "public"."users" AS "u" WHERE "p".weight <> 0 AND ("p"."c_author" = "u"."id");

-- applier: dirty keys
INSERT INTO pg_temp."_batch_joined" (tidemark_n, "name") SELECT tidemark_n, "name" FROM "tidemark"."_dirty_joined" ORDER BY "name" LIMIT :limit;
DELETE FROM "tidemark"."_dirty_joined" WHERE tidemark_n = ANY (ARRAY(SELECT tidemark_n FROM pg_temp."_batch_joined"));
INSERT INTO "tidemark"."_dirty_joined" ("name") SELECT "name" FROM (SELECT "name" FROM "tidemark"."joined") AS k WHERE 1 = 1 ON CONFLICT ("name") DO NOTHING;
INSERT INTO "tidemark"."_dirty_joined" ("name") SELECT "name" FROM (SELECT q."name" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "public"."users" AS "u" LEFT JOIN "public"."posts" AS "p" ON "p"."author" = "u"."id" GROUP BY "u"."name") AS q) AS k WHERE 1 = 1 ON CONFLICT ("name") DO NOTHING;

-- advice: recomputing a key reads all of users without it
CREATE INDEX CONCURRENTLY "users_name_idx" ON "public"."users" ("name");

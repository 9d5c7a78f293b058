-- joined_sums: bilinear at tick freshness
-- SELECT u.id, count(*) AS n, sum(p.score) AS score FROM users u JOIN posts p ON p.author = u.id GROUP BY u.id
-- because: users, posts are joined, and every aggregate is kept by what changed rows join

-- table tidemark.joined_sums
CREATE TABLE "tidemark"."joined_sums" (
  "id" integer NOT NULL,
  "_rows" bigint NOT NULL DEFAULT 0,
  "_sum_sum" bigint NOT NULL DEFAULT 0,
  "_sum_values" bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

-- index tidemark._unique_joined_sums
CREATE UNIQUE INDEX "_unique_joined_sums" ON "tidemark"."joined_sums" ("id");

-- table tidemark._dirty_joined_sums
CREATE TABLE "tidemark"."_dirty_joined_sums" (tidemark_n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "id" integer);

-- index tidemark._dirty_unique_joined_sums
CREATE UNIQUE INDEX "_dirty_unique_joined_sums" ON "tidemark"."_dirty_joined_sums" ("id");

-- view joined_sums (public)
CREATE VIEW "public"."joined_sums" AS SELECT (s."id")::integer AS "id", ((s."_rows"))::bigint AS "n", ((CASE WHEN s."_sum_values" > 0 THEN s."_sum_sum" END))::bigint AS "score" FROM "tidemark"."joined_sums" AS s;

-- function tidemark._readonly_joined_sums (public)
CREATE FUNCTION "tidemark"."_readonly_joined_sums"() RETURNS trigger LANGUAGE plpgsql AS $tidemark$
#variable_conflict use_column
BEGIN RAISE EXCEPTION 'joined_sums is derived and kept by Tidemark: write to its sources instead' USING ERRCODE = 'feature_not_supported'; END
$tidemark$;

-- trigger _readonly_joined_sums (public)
CREATE TRIGGER "_readonly_joined_sums" INSTEAD OF INSERT OR UPDATE OR DELETE ON "public"."joined_sums" FOR EACH ROW EXECUTE FUNCTION "tidemark"."_readonly_joined_sums"();

-- table tidemark._capture_log_users (shared by all that read users)
CREATE TABLE "tidemark"."_capture_log_users" (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), weight smallint NOT NULL, "c_id" integer) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1);

-- function tidemark._capture_insert_users (shared by all that read users)
CREATE FUNCTION "tidemark"."_capture_insert_users"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $tidemark$
#variable_conflict use_column
BEGIN
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id") SELECT 1, n."id" FROM n;
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
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id") SELECT -1, o."id" FROM (SELECT "id" FROM o EXCEPT ALL SELECT "id" FROM n) AS o;
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id") SELECT 1, n."id" FROM (SELECT "id" FROM n EXCEPT ALL SELECT "id" FROM o) AS n;
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
  INSERT INTO "tidemark"."_capture_log_users" (weight, "c_id") SELECT -1, o."id" FROM o;
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
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_batch_joined_sums" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "id" integer); CREATE INDEX IF NOT EXISTS "_batch_unit_joined_sums" ON pg_temp."_batch_joined_sums" ("id");
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_fresh_joined_sums" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_sum_sum" bigint, "_sum_values" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_stored_joined_sums" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_sum_sum" bigint, "_sum_values" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_todo_joined_sums" (tidemark_n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "id" integer);

-- applier: every key
TRUNCATE pg_temp."_todo_joined_sums" RESTART IDENTITY;
INSERT INTO pg_temp."_todo_joined_sums" ("id") SELECT * FROM (SELECT q."id" FROM (SELECT "u"."id" AS "id", CAST(COALESCE(SUM(1), 0) AS BIGINT) AS "_rows", CAST(COALESCE(SUM(CAST(COALESCE(("p"."score"), 0) AS BIGINT)), 0) AS BIGINT) AS "_sum_sum", CAST(COALESCE(SUM(CASE WHEN ("p"."score") IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS "_sum_values" FROM "public"."users" AS "u", "public"."posts" AS "p" WHERE ("p"."author" = "u"."id") GROUP BY "u"."id") AS q UNION SELECT "id" FROM "tidemark"."joined_sums") AS k ORDER BY 1;
INSERT INTO pg_temp."_batch_joined_sums" (tidemark_n, "id") SELECT tidemark_n, "id" FROM pg_temp."_todo_joined_sums" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock
UPDATE "tidemark"."_checkpoint" SET even = 0 WHERE derived = 'joined_sums' AND generation = 1 AND even = 1;

-- applier: recompute
ANALYZE pg_temp."_batch_joined_sums";
DELETE FROM pg_temp."_stored_joined_sums";
INSERT INTO pg_temp."_stored_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values") SELECT b.tidemark_n, s."id", s."_rows", s."_sum_sum", s."_sum_values" FROM pg_temp."_batch_joined_sums" AS b CROSS JOIN LATERAL (SELECT * FROM "tidemark"."joined_sums" AS s WHERE s."id" = b."id" OFFSET 0) AS s;
DELETE FROM pg_temp."_fresh_joined_sums";
INSERT INTO pg_temp."_fresh_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values") SELECT tidemark_x.tidemark_n, q."id", q."_rows", q."_sum_sum", q."_sum_values" FROM (SELECT "u"."id" AS "id", CAST(COALESCE(SUM(1), 0) AS BIGINT) AS "_rows", CAST(COALESCE(SUM(CAST(COALESCE(("p"."score"), 0) AS BIGINT)), 0) AS BIGINT) AS "_sum_sum", CAST(COALESCE(SUM(CASE WHEN ("p"."score") IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS "_sum_values" FROM "public"."users" AS "u", "public"."posts" AS "p" WHERE (("p"."author" = "u"."id")) AND ("u"."id") IN (SELECT tidemark_x."id" FROM pg_temp."_batch_joined_sums" AS tidemark_x) GROUP BY "u"."id") AS q JOIN pg_temp."_batch_joined_sums" AS tidemark_x ON q."id" = tidemark_x."id";

-- applier: compare
SELECT 'missing' AS kind, s."id", NULL, NULL, NULL, NULL, NULL, (s."_rows"), (CASE WHEN s."_sum_values" > 0 THEN s."_sum_sum" END), s."_rows", s."_sum_sum", s."_sum_values" FROM pg_temp."_fresh_joined_sums" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_joined_sums" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."id", (s."_rows"), (CASE WHEN s."_sum_values" > 0 THEN s."_sum_sum" END), s."_rows", s."_sum_sum", s."_sum_values", NULL, NULL, NULL, NULL, NULL FROM pg_temp."_stored_joined_sums" AS s WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_joined_sums" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, a.v4, z.v0, z.v1, z.v2, z.v3, z.v4 FROM (SELECT s.tidemark_n, s."id" AS k0, (s."_rows") AS v0, (CASE WHEN s."_sum_values" > 0 THEN s."_sum_sum" END) AS v1, s."_rows" AS v2, s."_sum_sum" AS v3, s."_sum_values" AS v4 FROM pg_temp."_stored_joined_sums" AS s) AS a JOIN (SELECT s.tidemark_n, (s."_rows") AS v0, (CASE WHEN s."_sum_values" > 0 THEN s."_sum_sum" END) AS v1, s."_rows" AS v2, s."_sum_sum" AS v3, s."_sum_values" AS v4 FROM pg_temp."_fresh_joined_sums" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN pg_temp."_stored_joined_sums" AS x ON x.tidemark_n = a.tidemark_n JOIN pg_temp."_fresh_joined_sums" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS NOT DISTINCT FROM y."_rows" AND x."_sum_sum" IS NOT DISTINCT FROM y."_sum_sum" AND x."_sum_values" IS NOT DISTINCT FROM y."_sum_values");

-- applier: write
INSERT INTO "tidemark"."joined_sums" AS s ("id", "_rows", "_sum_sum", "_sum_values") SELECT "id", "_rows", "_sum_sum", "_sum_values" FROM pg_temp."_fresh_joined_sums" AS f WHERE NOT EXISTS (SELECT 1 FROM pg_temp."_stored_joined_sums" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS NOT DISTINCT FROM f."_rows" AND o."_sum_sum" IS NOT DISTINCT FROM f."_sum_sum" AND o."_sum_values" IS NOT DISTINCT FROM f."_sum_values") ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_sum_sum" = excluded."_sum_sum", "_sum_values" = excluded."_sum_values";
DELETE FROM "tidemark"."joined_sums" AS s USING pg_temp."_stored_joined_sums" AS b WHERE s."id" = b."id" AND NOT EXISTS (SELECT 1 FROM pg_temp."_fresh_joined_sums" AS f WHERE f.tidemark_n = b.tidemark_n);

-- applier: the whole result
DROP TABLE IF EXISTS pg_temp."_whole_joined_sums";
CREATE TEMP TABLE pg_temp."_whole_joined_sums" AS SELECT CAST(0 AS bigint) AS tidemark_n, (z."id")::integer AS "id", (z."_rows")::bigint AS "_rows", (z."_sum_sum")::bigint AS "_sum_sum", (z."_sum_values")::bigint AS "_sum_values" FROM (SELECT q."id", q."_rows", q."_sum_sum", q."_sum_values" FROM (SELECT "u"."id" AS "id", CAST(COALESCE(SUM(1), 0) AS BIGINT) AS "_rows", CAST(COALESCE(SUM(CAST(COALESCE(("p"."score"), 0) AS BIGINT)), 0) AS BIGINT) AS "_sum_sum", CAST(COALESCE(SUM(CASE WHEN ("p"."score") IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS "_sum_values" FROM "public"."users" AS "u", "public"."posts" AS "p" WHERE ("p"."author" = "u"."id") GROUP BY "u"."id") AS q) AS z;
INSERT INTO pg_temp."_whole_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values") SELECT row_number() OVER (ORDER BY "id"), "id", "_rows", "_sum_sum", "_sum_values" FROM (SELECT "id", "_rows", "_sum_sum", "_sum_values" FROM pg_temp."_whole_joined_sums" EXCEPT SELECT "id", "_rows", "_sum_sum", "_sum_values" FROM "tidemark"."joined_sums") AS z;
INSERT INTO pg_temp."_whole_joined_sums" (tidemark_n, "id") SELECT -row_number() OVER (ORDER BY "id"), "id" FROM (SELECT "id" FROM "tidemark"."joined_sums" EXCEPT SELECT "id" FROM pg_temp."_whole_joined_sums") AS z;
DO 'BEGIN IF pg_catalog.pg_relation_size(''pg_temp."_whole_joined_sums"'') > 8388608 THEN CREATE INDEX ON pg_temp."_whole_joined_sums" (tidemark_n); END IF; END';
UPDATE "tidemark"."_checkpoint" SET even = 0 WHERE derived = 'joined_sums' AND generation = 1 AND even = 1;
DELETE FROM "tidemark"."joined_sums" AS s USING pg_temp."_whole_joined_sums" AS b WHERE s."id" = b."id" AND b.tidemark_n < -CAST(:low AS bigint) AND b.tidemark_n >= -CAST(:high AS bigint);
INSERT INTO "tidemark"."joined_sums" AS s ("id", "_rows", "_sum_sum", "_sum_values") SELECT "id", "_rows", "_sum_sum", "_sum_values" FROM pg_temp."_whole_joined_sums" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_sum_sum" = excluded."_sum_sum", "_sum_values" = excluded."_sum_values";
DELETE FROM "tidemark"."_dirty_joined_sums";

-- applier: products
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_delta_joined_sums" ("id" integer, "_rows" bigint, "_sum_sum" bigint, "_sum_values" bigint);
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_ordered_joined_sums" (tidemark_n bigint PRIMARY KEY, "id" integer, "_rows" bigint, "_sum_sum" bigint, "_sum_values" bigint);
INSERT INTO pg_temp."_delta_joined_sums" ("id", "_rows", "_sum_sum", "_sum_values") SELECT ("u"."c_id")::integer, (sum("u".weight * (1)))::bigint, (sum("u".weight * (coalesce(("p"."score"), 0)::bigint)))::bigint, (sum("u".weight * (CASE WHEN ("p"."score") IS NOT NULL THEN 1 ELSE 0 END)))::bigint FROM pg_temp."_slice_users_joined_sums" AS "u", "public"."posts" AS "p" WHERE ("p"."author" = "u"."c_id") GROUP BY 1;
INSERT INTO pg_temp."_delta_joined_sums" ("id", "_rows", "_sum_sum", "_sum_values") SELECT ("u"."id")::integer, (sum("p".weight * (1)))::bigint, (sum("p".weight * (coalesce(("p"."c_score"), 0)::bigint)))::bigint, (sum("p".weight * (CASE WHEN ("p"."c_score") IS NOT NULL THEN 1 ELSE 0 END)))::bigint FROM pg_temp."_slice_posts_joined_sums" AS "p", "public"."users" AS "u" WHERE ("p"."c_author" = "u"."id") GROUP BY 1;
INSERT INTO pg_temp."_delta_joined_sums" ("id", "_rows", "_sum_sum", "_sum_values") SELECT ("u"."c_id")::integer, (sum(-1 * "u".weight * "p".weight * (1)))::bigint, (sum(-1 * "u".weight * "p".weight * (coalesce(("p"."c_score"), 0)::bigint)))::bigint, (sum(-1 * "u".weight * "p".weight * (CASE WHEN ("p"."c_score") IS NOT NULL THEN 1 ELSE 0 END)))::bigint FROM pg_temp."_slice_users_joined_sums" AS "u", pg_temp."_slice_posts_joined_sums" AS "p" WHERE ("p"."c_author" = "u"."c_id") GROUP BY 1;
INSERT INTO pg_temp."_ordered_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values") SELECT row_number() OVER (ORDER BY "id"), "id", "_rows", "_sum_sum", "_sum_values" FROM (SELECT d."id", (sum(d."_rows"))::bigint AS "_rows", (sum(d."_sum_sum"))::bigint AS "_sum_sum", (sum(d."_sum_values"))::bigint AS "_sum_values" FROM pg_temp."_delta_joined_sums" AS d GROUP BY d."id" HAVING (sum(d."_rows"))::bigint <> 0 OR (sum(d."_sum_sum"))::bigint <> 0 OR (sum(d."_sum_values"))::bigint <> 0) AS d;
ANALYZE pg_temp."_ordered_joined_sums";
SELECT count(*) FROM pg_temp."_ordered_joined_sums" AS b LEFT JOIN "tidemark"."joined_sums" AS s ON s."id" = b."id" WHERE ((coalesce(s."_rows", 0) + b."_rows") < 0);
INSERT INTO "tidemark"."joined_sums" AS s ("id", "_rows", "_sum_sum", "_sum_values") SELECT b."id", b."_rows", b."_sum_sum", b."_sum_values" FROM pg_temp."_ordered_joined_sums" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_sum_sum" = s."_sum_sum" + excluded."_sum_sum", "_sum_values" = s."_sum_values" + excluded."_sum_values";
DELETE FROM "tidemark"."joined_sums" AS s USING pg_temp."_ordered_joined_sums" AS b WHERE s."id" = b."id" AND b.tidemark_n > :low AND b.tidemark_n <= :high AND b."_rows" < 0 AND s."_rows" = 0;

-- applier: changes of users to keys
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_slice_users_joined_sums" (weight smallint NOT NULL, "c_id" integer);
INSERT INTO pg_temp."_reached_joined_sums" ("id") SELECT DISTINCT ("u"."c_id")::integer FROM pg_temp."_slice_users_joined_sums" AS "u" WHERE "u".weight <> 0 AND ("u"."c_id") IS NOT NULL;

-- applier: changes of posts to keys
CREATE TEMP TABLE IF NOT EXISTS pg_temp."_slice_posts_joined_sums" (weight smallint NOT NULL, "c_author" integer, "c_score" integer);
INSERT INTO pg_temp."_reached_joined_sums" ("id") SELECT DISTINCT ("p"."c_author")::integer FROM pg_temp."_slice_posts_joined_sums" AS "p" WHERE "p".weight <> 0 AND ("p"."c_author") IS NOT NULL;

-- applier: dirty keys
INSERT INTO pg_temp."_batch_joined_sums" (tidemark_n, "id") SELECT tidemark_n, "id" FROM "tidemark"."_dirty_joined_sums" ORDER BY "id" LIMIT :limit;
DELETE FROM "tidemark"."_dirty_joined_sums" WHERE tidemark_n = ANY (ARRAY(SELECT tidemark_n FROM pg_temp."_batch_joined_sums"));
INSERT INTO "tidemark"."_dirty_joined_sums" ("id") SELECT "id" FROM (SELECT "id" FROM "tidemark"."joined_sums") AS k WHERE 1 = 1 ON CONFLICT ("id") DO NOTHING;
INSERT INTO "tidemark"."_dirty_joined_sums" ("id") SELECT "id" FROM (SELECT q."id" FROM (SELECT "u"."id" AS "id", CAST(COALESCE(SUM(1), 0) AS BIGINT) AS "_rows", CAST(COALESCE(SUM(CAST(COALESCE(("p"."score"), 0) AS BIGINT)), 0) AS BIGINT) AS "_sum_sum", CAST(COALESCE(SUM(CASE WHEN ("p"."score") IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT) AS "_sum_values" FROM "public"."users" AS "u", "public"."posts" AS "p" WHERE ("p"."author" = "u"."id") GROUP BY "u"."id") AS q) AS k WHERE 1 = 1 ON CONFLICT ("id") DO NOTHING;

-- advice: a change of users finds what it joins by reading all of posts without it
CREATE INDEX CONCURRENTLY "posts_author_idx" ON "public"."posts" ("author");

-- joined_sums: bilinear at tick freshness
-- SELECT u.id, count(*) AS n, sum(p.score) AS score FROM users u JOIN posts p ON p.author = u.id GROUP BY u.id
-- because: users, posts are joined, and every aggregate is kept by what changed rows join

-- table tidemark_joined_sums
CREATE TABLE "tidemark_joined_sums" (
  "id" INTEGER NOT NULL,
  "_rows" INTEGER NOT NULL DEFAULT 0,
  "_sum_sum" NOT NULL DEFAULT 0,
  "_sum_values" INTEGER NOT NULL DEFAULT 0,
  "_sum_odd" INTEGER NOT NULL DEFAULT 0,
  "_sum_exact", PRIMARY KEY ("id")
) WITHOUT ROWID;

-- table tidemark__dirty_joined_sums
CREATE TABLE "tidemark__dirty_joined_sums" (tidemark_n INTEGER PRIMARY KEY AUTOINCREMENT, "id" INTEGER);

-- index tidemark__dirty_unique_joined_sums
CREATE UNIQUE INDEX "tidemark__dirty_unique_joined_sums" ON "tidemark__dirty_joined_sums" ("id");

-- view joined_sums (public)
CREATE VIEW "joined_sums" AS /* tidemark:ff4b0d616a1bd73c */ SELECT (s."id") AS "id", ((s."_rows")) AS "n", ((CASE WHEN (s."_sum_odd" > 0 OR typeof(s."_sum_sum") <> 'integer') THEN s."_sum_exact" WHEN s."_sum_values" > 0 THEN s."_sum_sum" END)) AS "score" FROM "tidemark_joined_sums" AS s;

-- trigger tidemark__readonly_joined_sums_insert (public)
CREATE TRIGGER "tidemark__readonly_joined_sums_insert" INSTEAD OF INSERT ON "joined_sums" BEGIN /* tidemark:ac9aca3d6ba183ff */ SELECT RAISE(ABORT, 'joined_sums is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_joined_sums_update (public)
CREATE TRIGGER "tidemark__readonly_joined_sums_update" INSTEAD OF UPDATE ON "joined_sums" BEGIN /* tidemark:5cf8316ef12d5705 */ SELECT RAISE(ABORT, 'joined_sums is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_joined_sums_delete (public)
CREATE TRIGGER "tidemark__readonly_joined_sums_delete" INSTEAD OF DELETE ON "joined_sums" BEGIN /* tidemark:7a85ac351f0dbecf */ SELECT RAISE(ABORT, 'joined_sums is derived and kept by Tidemark: write to its sources instead'); END;

-- table tidemark__capture_log_users (shared by all that read users)
CREATE TABLE "tidemark__capture_log_users" (id INTEGER PRIMARY KEY, pair INTEGER, weight smallint NOT NULL, "c_id" INTEGER);

-- trigger tidemark__capture_insert_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_insert_users" AFTER INSERT ON "users"
BEGIN /* tidemark:f409564c67e7589d */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id") SELECT 1, NEW."id";
END;

-- trigger tidemark__capture_delete_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_delete_users" AFTER DELETE ON "users"
BEGIN /* tidemark:f25c877f82f4f945 */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id") SELECT -1, OLD."id";
END;

-- trigger tidemark__capture_update_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_update_users" AFTER UPDATE OF "id", "rowid", "_rowid_", "oid" ON "users"
WHEN OLD."id" IS NOT NEW."id" COLLATE BINARY
BEGIN /* tidemark:12816bc1e47068dc */ 
  INSERT INTO "tidemark__capture_log_users" (pair, weight, "c_id") SELECT 1, -1, OLD."id";
  INSERT INTO "tidemark__capture_log_users" (pair, weight, "c_id") SELECT -1, 1, NEW."id";
END;

-- table tidemark__capture_stash_users (shared by all that read users)
CREATE TABLE "tidemark__capture_stash_users" (i0 INTEGER, "id" INTEGER, PRIMARY KEY (i0));

-- trigger tidemark__capture_stash_insert_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_stash_insert_users" BEFORE INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))))
BEGIN /* tidemark:dc173297aa703c7b */ 
  DELETE FROM "tidemark__capture_stash_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__capture_stash_users".i0);
  INSERT INTO "tidemark__capture_stash_users" (i0, "id") SELECT r."id", r."id" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email")))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id";
END;

-- trigger tidemark__capture_unstash_insert_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_unstash_insert_users" AFTER INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_users")
BEGIN /* tidemark:56b4c55634e73b14 */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id") SELECT -1, v."id" FROM "tidemark__capture_stash_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_users";
END;

-- trigger tidemark__capture_stash_update_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_stash_update_users" BEFORE UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:47ea84cbcfd649d9 */ 
  DELETE FROM "tidemark__capture_stash_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__capture_stash_users".i0);
  INSERT INTO "tidemark__capture_stash_users" (i0, "id") SELECT r."id", r."id" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id";
END;

-- trigger tidemark__capture_unstash_update_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_unstash_update_users" AFTER UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "tidemark__capture_stash_users")
BEGIN /* tidemark:4d6978ee013f483d */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id") SELECT -1, v."id" FROM "tidemark__capture_stash_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_users";
END;

-- trigger tidemark__capture_unstash_delete_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_unstash_delete_users" AFTER DELETE ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_users")
BEGIN /* tidemark:9d8a45ec1e666d89 */ 
  DELETE FROM "tidemark__capture_stash_users" WHERE "tidemark__capture_stash_users".i0 IS OLD."id";
END;

-- table tidemark__capture_log_posts (shared by all that read posts)
CREATE TABLE "tidemark__capture_log_posts" (id INTEGER PRIMARY KEY, pair INTEGER, weight smallint NOT NULL, "c_author" INTEGER, "c_score" INTEGER);

-- trigger tidemark__capture_insert_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_insert_posts" AFTER INSERT ON "posts"
BEGIN /* tidemark:3a8233ea9fa30f24 */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_score") SELECT 1, NEW."author", NEW."score";
END;

-- trigger tidemark__capture_delete_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_delete_posts" AFTER DELETE ON "posts"
BEGIN /* tidemark:491ae6bf7639c951 */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_score") SELECT -1, OLD."author", OLD."score";
END;

-- trigger tidemark__capture_update_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_update_posts" AFTER UPDATE OF "author", "score", "rowid", "_rowid_", "oid" ON "posts"
WHEN OLD."author" IS NOT NEW."author" COLLATE BINARY OR OLD."score" IS NOT NEW."score" COLLATE BINARY
BEGIN /* tidemark:07b956eaa3d87a51 */ 
  INSERT INTO "tidemark__capture_log_posts" (pair, weight, "c_author", "c_score") SELECT 1, -1, OLD."author", OLD."score";
  INSERT INTO "tidemark__capture_log_posts" (pair, weight, "c_author", "c_score") SELECT -1, 1, NEW."author", NEW."score";
END;

-- table tidemark__capture_stash_posts (shared by all that read posts)
CREATE TABLE "tidemark__capture_stash_posts" (i0 INTEGER, "author" INTEGER, "score" INTEGER, PRIMARY KEY (i0));

-- trigger tidemark__capture_stash_insert_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_stash_insert_posts" BEFORE INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))))
BEGIN /* tidemark:be8da487eabe9fb1 */ 
  DELETE FROM "tidemark__capture_stash_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__capture_stash_posts".i0);
  INSERT INTO "tidemark__capture_stash_posts" (i0, "author", "score") SELECT r."id", r."author", r."score" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1)))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "score" = excluded."score";
END;

-- trigger tidemark__capture_unstash_insert_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_unstash_insert_posts" AFTER INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_posts")
BEGIN /* tidemark:bb0c617cd3ffd2ef */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_score") SELECT -1, v."author", v."score" FROM "tidemark__capture_stash_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_posts";
END;

-- trigger tidemark__capture_stash_update_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_stash_update_posts" BEFORE UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:0819a62d5a38b82f */ 
  DELETE FROM "tidemark__capture_stash_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__capture_stash_posts".i0);
  INSERT INTO "tidemark__capture_stash_posts" (i0, "author", "score") SELECT r."id", r."author", r."score" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "score" = excluded."score";
END;

-- trigger tidemark__capture_unstash_update_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_unstash_update_posts" AFTER UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "tidemark__capture_stash_posts")
BEGIN /* tidemark:293459a235f79d12 */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_score") SELECT -1, v."author", v."score" FROM "tidemark__capture_stash_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_posts";
END;

-- trigger tidemark__capture_unstash_delete_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_unstash_delete_posts" AFTER DELETE ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_posts")
BEGIN /* tidemark:73eb744a535c001d */ 
  DELETE FROM "tidemark__capture_stash_posts" WHERE "tidemark__capture_stash_posts".i0 IS OLD."id";
END;

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_joined_sums" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_joined_sums" ON "tidemark__batch_joined_sums" ("id");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_joined_sums" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_sum_sum", "_sum_values" INTEGER, "_sum_odd" INTEGER, "_sum_exact");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_joined_sums" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_sum_sum", "_sum_values" INTEGER, "_sum_odd" INTEGER, "_sum_exact");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_joined_sums" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER);

-- applier: every key
DELETE FROM temp."tidemark__todo_joined_sums";
INSERT INTO temp."tidemark__todo_joined_sums" ("id") SELECT * FROM (SELECT q."id" FROM (SELECT "u"."id" AS "id", COALESCE(SUM(1), 0) AS "_rows", COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0) AS "_sum_sum", COALESCE(SUM(CASE WHEN NOT ("p"."score") IS NULL THEN 1 ELSE 0 END), 0) AS "_sum_values", COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0) AS "_sum_odd", CASE WHEN ((COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0)) > 0 OR TYPEOF((COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0))) <> 'integer') THEN SUM(("p"."score")) END AS "_sum_exact" FROM "users" AS "u" CROSS JOIN "posts" AS "p" WHERE ("p"."author" = "u"."id") GROUP BY "u"."id") AS q UNION SELECT "id" FROM "tidemark_joined_sums") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_joined_sums" (tidemark_n, "id") SELECT tidemark_n, "id" FROM temp."tidemark__todo_joined_sums" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock
UPDATE "tidemark__checkpoint" SET even = 0 WHERE derived = 'joined_sums' AND generation = 1 AND even = 1;

-- applier: recompute
DELETE FROM temp."tidemark__stored_joined_sums";
INSERT INTO temp."tidemark__stored_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact") SELECT b.tidemark_n, s."id", s."_rows", s."_sum_sum", s."_sum_values", s."_sum_odd", s."_sum_exact" FROM (SELECT * FROM temp."tidemark__batch_joined_sums" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_joined_sums" AS s ON s."id" = b."id";
DELETE FROM temp."tidemark__fresh_joined_sums";
INSERT INTO temp."tidemark__fresh_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact") SELECT tidemark_x.tidemark_n, q."id", q."_rows", q."_sum_sum", q."_sum_values", q."_sum_odd", q."_sum_exact" FROM (SELECT "u"."id" AS "id", COALESCE(SUM(1), 0) AS "_rows", COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0) AS "_sum_sum", COALESCE(SUM(CASE WHEN NOT ("p"."score") IS NULL THEN 1 ELSE 0 END), 0) AS "_sum_values", COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0) AS "_sum_odd", CASE WHEN ((COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0)) > 0 OR TYPEOF((COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0))) <> 'integer') THEN SUM(("p"."score")) END AS "_sum_exact" FROM "users" AS "u" CROSS JOIN "posts" AS "p" WHERE (("p"."author" = "u"."id")) AND ("u"."id") IN (SELECT tidemark_x."id" FROM temp."tidemark__batch_joined_sums" AS tidemark_x) GROUP BY "u"."id") AS q CROSS JOIN temp."tidemark__batch_joined_sums" AS tidemark_x ON q."id" = tidemark_x."id";

-- applier: compare
SELECT 'missing' AS kind, s."id", NULL, NULL, NULL, NULL, NULL, NULL, NULL, (s."_rows"), (CASE WHEN (s."_sum_odd" > 0 OR typeof(s."_sum_sum") <> 'integer') THEN s."_sum_exact" WHEN s."_sum_values" > 0 THEN s."_sum_sum" END), s."_rows", s."_sum_sum", s."_sum_values", s."_sum_odd", s."_sum_exact" FROM temp."tidemark__fresh_joined_sums" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_joined_sums" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."id", (s."_rows"), (CASE WHEN (s."_sum_odd" > 0 OR typeof(s."_sum_sum") <> 'integer') THEN s."_sum_exact" WHEN s."_sum_values" > 0 THEN s."_sum_sum" END), s."_rows", s."_sum_sum", s."_sum_values", s."_sum_odd", s."_sum_exact", NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM temp."tidemark__stored_joined_sums" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_joined_sums" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, a.v4, a.v5, a.v6, z.v0, z.v1, z.v2, z.v3, z.v4, z.v5, z.v6 FROM (SELECT s.tidemark_n, s."id" AS k0, (s."_rows") AS v0, (CASE WHEN (s."_sum_odd" > 0 OR typeof(s."_sum_sum") <> 'integer') THEN s."_sum_exact" WHEN s."_sum_values" > 0 THEN s."_sum_sum" END) AS v1, s."_rows" AS v2, s."_sum_sum" AS v3, s."_sum_values" AS v4, s."_sum_odd" AS v5, s."_sum_exact" AS v6 FROM temp."tidemark__stored_joined_sums" AS s) AS a JOIN (SELECT s.tidemark_n, (s."_rows") AS v0, (CASE WHEN (s."_sum_odd" > 0 OR typeof(s."_sum_sum") <> 'integer') THEN s."_sum_exact" WHEN s."_sum_values" > 0 THEN s."_sum_sum" END) AS v1, s."_rows" AS v2, s."_sum_sum" AS v3, s."_sum_values" AS v4, s."_sum_odd" AS v5, s."_sum_exact" AS v6 FROM temp."tidemark__fresh_joined_sums" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_joined_sums" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_joined_sums" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS y."_rows" AND x."_sum_sum" IS y."_sum_sum" AND x."_sum_values" IS y."_sum_values" AND x."_sum_odd" IS y."_sum_odd" AND x."_sum_exact" IS y."_sum_exact");

-- applier: write
INSERT INTO "tidemark_joined_sums" AS s ("id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact") SELECT "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact" FROM temp."tidemark__fresh_joined_sums" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_joined_sums" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS f."_rows" AND o."_sum_sum" IS f."_sum_sum" COLLATE BINARY AND typeof(o."_sum_sum") = typeof(f."_sum_sum") AND o."_sum_values" IS f."_sum_values" AND o."_sum_odd" IS f."_sum_odd" AND o."_sum_exact" IS f."_sum_exact" COLLATE BINARY AND typeof(o."_sum_exact") = typeof(f."_sum_exact")) ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_sum_sum" = excluded."_sum_sum", "_sum_values" = excluded."_sum_values", "_sum_odd" = excluded."_sum_odd", "_sum_exact" = excluded."_sum_exact";
DELETE FROM "tidemark_joined_sums" WHERE ("id") IN (SELECT b."id" FROM temp."tidemark__stored_joined_sums" AS b WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_joined_sums" AS f WHERE f.tidemark_n = b.tidemark_n));

-- applier: the whole result
DELETE FROM temp."tidemark__whole_joined_sums";
INSERT INTO temp."tidemark__whole_joined_sums" ("id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact") SELECT q."id", q."_rows", q."_sum_sum", q."_sum_values", q."_sum_odd", q."_sum_exact" FROM (SELECT "u"."id" AS "id", COALESCE(SUM(1), 0) AS "_rows", COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0) AS "_sum_sum", COALESCE(SUM(CASE WHEN NOT ("p"."score") IS NULL THEN 1 ELSE 0 END), 0) AS "_sum_values", COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0) AS "_sum_odd", CASE WHEN ((COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0)) > 0 OR TYPEOF((COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0))) <> 'integer') THEN SUM(("p"."score")) END AS "_sum_exact" FROM "users" AS "u" CROSS JOIN "posts" AS "p" WHERE ("p"."author" = "u"."id") GROUP BY "u"."id") AS q;
DELETE FROM temp."tidemark__fresh_joined_sums";
INSERT INTO temp."tidemark__fresh_joined_sums" ("id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact") SELECT "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact" FROM (SELECT "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact", typeof("_sum_sum"), typeof("_sum_exact") FROM temp."tidemark__whole_joined_sums" EXCEPT SELECT "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact", typeof("_sum_sum"), typeof("_sum_exact") FROM "tidemark_joined_sums") AS z ORDER BY "id";
DELETE FROM temp."tidemark__stored_joined_sums";
INSERT INTO temp."tidemark__stored_joined_sums" ("id") SELECT "id" FROM (SELECT "id" FROM "tidemark_joined_sums" EXCEPT SELECT "id" FROM temp."tidemark__whole_joined_sums") AS z ORDER BY "id";
UPDATE "tidemark__checkpoint" SET even = 0 WHERE derived = 'joined_sums' AND generation = 1 AND even = 1;
DELETE FROM "tidemark_joined_sums" WHERE ("id") IN (SELECT b."id" FROM temp."tidemark__stored_joined_sums" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high);
INSERT INTO "tidemark_joined_sums" AS s ("id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact") SELECT "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd", "_sum_exact" FROM temp."tidemark__fresh_joined_sums" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_sum_sum" = excluded."_sum_sum", "_sum_values" = excluded."_sum_values", "_sum_odd" = excluded."_sum_odd", "_sum_exact" = excluded."_sum_exact";
DELETE FROM "tidemark__dirty_joined_sums";

-- applier: products
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__delta_joined_sums" ("id" INTEGER, "_rows" INTEGER, "tidemark_high_sum_sum" INTEGER, "tidemark_low_sum_sum" INTEGER, "_sum_values" INTEGER, "_sum_odd" INTEGER);
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__ordered_joined_sums" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_sum_sum", "_sum_values" INTEGER, "_sum_odd" INTEGER);
INSERT INTO temp."tidemark__delta_joined_sums" ("id", "_rows", "tidemark_high_sum_sum", "tidemark_low_sum_sum", "_sum_values", "_sum_odd") SELECT ("u"."c_id"), sum("u".weight * (1)), sum("u".weight * ((CASE WHEN typeof(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END) >> 32)), sum("u".weight * ((CASE WHEN typeof(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END) & 4294967295)), sum("u".weight * (CASE WHEN ("p"."score") IS NOT NULL THEN 1 ELSE 0 END)), sum("u".weight * (CASE WHEN typeof(("p"."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END)) FROM temp."tidemark__slice_users_joined_sums" AS "u" CROSS JOIN "posts" AS "p" WHERE ("p"."author" = "u"."c_id") GROUP BY 1;
INSERT INTO temp."tidemark__delta_joined_sums" ("id", "_rows", "tidemark_high_sum_sum", "tidemark_low_sum_sum", "_sum_values", "_sum_odd") SELECT ("u"."id"), sum("p".weight * (1)), sum("p".weight * ((CASE WHEN typeof(("p"."c_score")) = 'integer' THEN ("p"."c_score") ELSE 0 END) >> 32)), sum("p".weight * ((CASE WHEN typeof(("p"."c_score")) = 'integer' THEN ("p"."c_score") ELSE 0 END) & 4294967295)), sum("p".weight * (CASE WHEN ("p"."c_score") IS NOT NULL THEN 1 ELSE 0 END)), sum("p".weight * (CASE WHEN typeof(("p"."c_score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END)) FROM temp."tidemark__slice_posts_joined_sums" AS "p" CROSS JOIN "users" AS "u" WHERE ("p"."c_author" = "u"."id") GROUP BY 1;
INSERT INTO temp."tidemark__delta_joined_sums" ("id", "_rows", "tidemark_high_sum_sum", "tidemark_low_sum_sum", "_sum_values", "_sum_odd") SELECT ("u"."c_id"), sum(-1 * "u".weight * "p".weight * (1)), sum(-1 * "u".weight * "p".weight * ((CASE WHEN typeof(("p"."c_score")) = 'integer' THEN ("p"."c_score") ELSE 0 END) >> 32)), sum(-1 * "u".weight * "p".weight * ((CASE WHEN typeof(("p"."c_score")) = 'integer' THEN ("p"."c_score") ELSE 0 END) & 4294967295)), sum(-1 * "u".weight * "p".weight * (CASE WHEN ("p"."c_score") IS NOT NULL THEN 1 ELSE 0 END)), sum(-1 * "u".weight * "p".weight * (CASE WHEN typeof(("p"."c_score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END)) FROM temp."tidemark__slice_users_joined_sums" AS "u" CROSS JOIN temp."tidemark__slice_posts_joined_sums" AS "p" WHERE ("p"."c_author" = "u"."c_id") GROUP BY 1;
INSERT INTO temp."tidemark__ordered_joined_sums" (tidemark_n, "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd") SELECT row_number() OVER (ORDER BY "id"), "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd" FROM (SELECT "id", "_rows", "_sum_sum", "_sum_values", "_sum_odd" FROM (SELECT d."id", sum(d."_rows") AS "_rows", (sum(d."tidemark_high_sum_sum") * 4294967296 + sum(d."tidemark_low_sum_sum")) AS "_sum_sum", sum(d."_sum_values") AS "_sum_values", sum(d."_sum_odd") AS "_sum_odd", CASE WHEN sum(d."_rows") <> 0 OR sum(d."tidemark_high_sum_sum") <> 0 OR sum(d."tidemark_low_sum_sum") <> 0 OR sum(d."_sum_values") <> 0 OR sum(d."_sum_odd") <> 0 THEN 1 ELSE 0 END AS tidemark_moved FROM temp."tidemark__delta_joined_sums" AS d GROUP BY d."id") AS b WHERE b.tidemark_moved = 1 OR EXISTS (SELECT 1 FROM "tidemark_joined_sums" AS s WHERE s."id" = b."id" AND (s."_sum_exact" IS NOT NULL))) AS d;
SELECT count(*) FROM temp."tidemark__ordered_joined_sums" AS b LEFT JOIN "tidemark_joined_sums" AS s ON s."id" = b."id" WHERE ((coalesce(s."_rows", 0) + b."_rows") < 0 OR typeof((coalesce(s."_sum_sum", 0) + b."_sum_sum")) <> 'integer' OR s."_sum_exact" IS NOT NULL OR (((coalesce(s."_sum_odd", 0) + b."_sum_odd") > 0 OR typeof((coalesce(s."_sum_sum", 0) + b."_sum_sum")) <> 'integer')));
INSERT INTO "tidemark_joined_sums" AS s ("id", "_rows", "_sum_sum", "_sum_values", "_sum_odd") SELECT b."id", b."_rows", b."_sum_sum", b."_sum_values", b."_sum_odd" FROM temp."tidemark__ordered_joined_sums" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT ("id") DO UPDATE SET "_rows" = s."_rows" + excluded."_rows", "_sum_sum" = s."_sum_sum" + excluded."_sum_sum", "_sum_values" = s."_sum_values" + excluded."_sum_values", "_sum_odd" = s."_sum_odd" + excluded."_sum_odd";
DELETE FROM "tidemark_joined_sums" WHERE ("id") IN (SELECT b."id" FROM temp."tidemark__ordered_joined_sums" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high AND b."_rows" < 0) AND "tidemark_joined_sums"."_rows" = 0;

-- applier: changes of users to keys
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__slice_users_joined_sums" (id INTEGER, weight smallint NOT NULL, "c_id" INTEGER);
INSERT INTO temp."tidemark__reached_joined_sums" ("id") SELECT DISTINCT +("u"."c_id") FROM (SELECT * FROM temp."tidemark__slice_users_joined_sums" WHERE likelihood(rowid IS rowid, 0.000001)) AS "u" WHERE "u".weight <> 0 AND ("u"."c_id") IS NOT NULL;

-- applier: changes of posts to keys
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__slice_posts_joined_sums" (id INTEGER, weight smallint NOT NULL, "c_author" INTEGER, "c_score" INTEGER);
INSERT INTO temp."tidemark__reached_joined_sums" ("id") SELECT DISTINCT +("p"."c_author") FROM (SELECT * FROM temp."tidemark__slice_posts_joined_sums" WHERE likelihood(rowid IS rowid, 0.000001)) AS "p" WHERE "p".weight <> 0 AND ("p"."c_author") IS NOT NULL;

-- applier: dirty keys
INSERT INTO temp."tidemark__batch_joined_sums" (tidemark_n, "id") SELECT tidemark_n, "id" FROM "tidemark__dirty_joined_sums" ORDER BY tidemark_n LIMIT :limit;
DELETE FROM "tidemark__dirty_joined_sums" WHERE tidemark_n IN (SELECT tidemark_n FROM temp."tidemark__batch_joined_sums");
INSERT INTO "tidemark__dirty_joined_sums" ("id") SELECT "id" FROM (SELECT "id" FROM "tidemark_joined_sums") AS k WHERE 1 = 1 ON CONFLICT ("id") DO NOTHING;
INSERT INTO "tidemark__dirty_joined_sums" ("id") SELECT "id" FROM (SELECT q."id" FROM (SELECT "u"."id" AS "id", COALESCE(SUM(1), 0) AS "_rows", COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0) AS "_sum_sum", COALESCE(SUM(CASE WHEN NOT ("p"."score") IS NULL THEN 1 ELSE 0 END), 0) AS "_sum_values", COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0) AS "_sum_odd", CASE WHEN ((COALESCE(SUM(CASE WHEN NOT TYPEOF(("p"."score")) IN ('integer', 'null') THEN 1 ELSE 0 END), 0)) > 0 OR TYPEOF((COALESCE(SUM(CASE WHEN TYPEOF(("p"."score")) = 'integer' THEN ("p"."score") ELSE 0 END), 0))) <> 'integer') THEN SUM(("p"."score")) END AS "_sum_exact" FROM "users" AS "u" CROSS JOIN "posts" AS "p" WHERE ("p"."author" = "u"."id") GROUP BY "u"."id") AS q) AS k WHERE 1 = 1 ON CONFLICT ("id") DO NOTHING;

-- advice: a change of users finds what it joins by reading all of posts without it
CREATE INDEX "posts_author_idx" ON "posts" ("author");

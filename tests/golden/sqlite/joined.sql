-- joined: keyed at tick freshness
-- SELECT u.name, count(*) AS n, sum(p.score) AS score FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.name
-- because: affected keys are recomputed, because it joins several sources

-- table tidemark_joined
CREATE TABLE "tidemark_joined" (
  "name" TEXT,
  "n",
  "score"
);

-- index tidemark__unique_joined
CREATE UNIQUE INDEX "tidemark__unique_joined" ON "tidemark_joined" (ifnull("name", 0), ("name" IS NULL));

-- table tidemark__dirty_joined
CREATE TABLE "tidemark__dirty_joined" (tidemark_n INTEGER PRIMARY KEY AUTOINCREMENT, "name" TEXT);

-- index tidemark__dirty_unique_joined
CREATE UNIQUE INDEX "tidemark__dirty_unique_joined" ON "tidemark__dirty_joined" (ifnull("name", 0), ("name" IS NULL));

-- view joined (public)
CREATE VIEW "joined" AS /* tidemark:4e2176c4e0a3d654 */ SELECT s."name", s."n", s."score" FROM "tidemark_joined" AS s;

-- trigger tidemark__readonly_joined_insert (public)
CREATE TRIGGER "tidemark__readonly_joined_insert" INSTEAD OF INSERT ON "joined" BEGIN /* tidemark:40fecc2d8dc3e4f0 */ SELECT RAISE(ABORT, 'joined is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_joined_update (public)
CREATE TRIGGER "tidemark__readonly_joined_update" INSTEAD OF UPDATE ON "joined" BEGIN /* tidemark:f81252660154b96e */ SELECT RAISE(ABORT, 'joined is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_joined_delete (public)
CREATE TRIGGER "tidemark__readonly_joined_delete" INSTEAD OF DELETE ON "joined" BEGIN /* tidemark:36bb0a799a00b83b */ SELECT RAISE(ABORT, 'joined is derived and kept by Tidemark: write to its sources instead'); END;

-- table tidemark__capture_log_users (shared by all that read users)
CREATE TABLE "tidemark__capture_log_users" (id INTEGER PRIMARY KEY, pair INTEGER, weight smallint NOT NULL, "c_id" INTEGER, "c_name" TEXT);

-- trigger tidemark__capture_insert_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_insert_users" AFTER INSERT ON "users"
BEGIN /* tidemark:306e204585b80be0 */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id", "c_name") SELECT 1, NEW."id", NEW."name";
END;

-- trigger tidemark__capture_delete_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_delete_users" AFTER DELETE ON "users"
BEGIN /* tidemark:1673a511f5d3a9df */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id", "c_name") SELECT -1, OLD."id", OLD."name";
END;

-- trigger tidemark__capture_update_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_update_users" AFTER UPDATE OF "id", "name", "rowid", "_rowid_", "oid" ON "users"
WHEN OLD."id" IS NOT NEW."id" COLLATE BINARY OR OLD."name" IS NOT NEW."name" COLLATE BINARY
BEGIN /* tidemark:3779cee9d7e725b8 */ 
  INSERT INTO "tidemark__capture_log_users" (pair, weight, "c_id", "c_name") SELECT 1, -1, OLD."id", OLD."name";
  INSERT INTO "tidemark__capture_log_users" (pair, weight, "c_id", "c_name") SELECT -1, 1, NEW."id", NEW."name";
END;

-- table tidemark__capture_stash_users (shared by all that read users)
CREATE TABLE "tidemark__capture_stash_users" (i0 INTEGER, "id" INTEGER, "name" TEXT, PRIMARY KEY (i0));

-- trigger tidemark__capture_stash_insert_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_stash_insert_users" BEFORE INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))))
BEGIN /* tidemark:d3af7393239ecac5 */ 
  DELETE FROM "tidemark__capture_stash_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__capture_stash_users".i0);
  INSERT INTO "tidemark__capture_stash_users" (i0, "id", "name") SELECT r."id", r."id", r."name" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email")))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id", "name" = excluded."name";
END;

-- trigger tidemark__capture_unstash_insert_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_unstash_insert_users" AFTER INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_users")
BEGIN /* tidemark:31efa7069961e581 */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id", "c_name") SELECT -1, v."id", v."name" FROM "tidemark__capture_stash_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_users";
END;

-- trigger tidemark__capture_stash_update_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_stash_update_users" BEFORE UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:29681392198718d0 */ 
  DELETE FROM "tidemark__capture_stash_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__capture_stash_users".i0);
  INSERT INTO "tidemark__capture_stash_users" (i0, "id", "name") SELECT r."id", r."id", r."name" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id", "name" = excluded."name";
END;

-- trigger tidemark__capture_unstash_update_users (shared by all that read users)
CREATE TRIGGER "tidemark__capture_unstash_update_users" AFTER UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "tidemark__capture_stash_users")
BEGIN /* tidemark:2e3404e5bf27da18 */ 
  INSERT INTO "tidemark__capture_log_users" (weight, "c_id", "c_name") SELECT -1, v."id", v."name" FROM "tidemark__capture_stash_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0));
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
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_joined" (tidemark_n INTEGER PRIMARY KEY, "name" TEXT); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_joined" ON "tidemark__batch_joined" ("name");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_joined" (tidemark_n INTEGER PRIMARY KEY, "name" TEXT, "n", "score");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_joined" (tidemark_n INTEGER PRIMARY KEY, "name" TEXT, "n", "score");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_joined" (tidemark_n INTEGER PRIMARY KEY, "name" TEXT);

-- applier: every key
DELETE FROM temp."tidemark__todo_joined";
INSERT INTO temp."tidemark__todo_joined" ("name") SELECT * FROM (SELECT q."name" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "users" AS "u" LEFT JOIN "posts" AS "p" ON "p"."author" = "u"."id" GROUP BY "u"."name") AS q UNION SELECT "name" FROM "tidemark_joined") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_joined" (tidemark_n, "name") SELECT tidemark_n, "name" FROM temp."tidemark__todo_joined" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
DELETE FROM temp."tidemark__stored_joined";
INSERT INTO temp."tidemark__stored_joined" (tidemark_n, "name", "n", "score") SELECT b.tidemark_n, s."name", s."n", s."score" FROM (SELECT * FROM temp."tidemark__batch_joined" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_joined" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_joined" AS i WHERE ifnull(i."name", 0) = ifnull(b."name", 0) AND (i."name" IS NULL) = (b."name" IS NULL));
DELETE FROM temp."tidemark__fresh_joined";
INSERT INTO temp."tidemark__fresh_joined" (tidemark_n, "name", "n", "score") SELECT tidemark_x.tidemark_n, q."name", q."n", q."score" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "users" AS "u" LEFT JOIN "posts" AS "p" ON "p"."author" = "u"."id" WHERE ("u"."name") IN (SELECT tidemark_x."name" FROM temp."tidemark__batch_joined" AS tidemark_x) GROUP BY "u"."name") AS q CROSS JOIN temp."tidemark__batch_joined" AS tidemark_x ON q."name" = tidemark_x."name";
INSERT INTO temp."tidemark__fresh_joined" (tidemark_n, "name", "n", "score") SELECT tidemark_x.tidemark_n, q."name", q."n", q."score" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "users" AS "u" LEFT JOIN "posts" AS "p" ON "p"."author" = "u"."id" WHERE (("u"."name") IS NULL) AND EXISTS (SELECT 1 FROM temp."tidemark__batch_joined" AS tidemark_x WHERE tidemark_x."name" IS NULL) AND EXISTS (SELECT 1 FROM temp."tidemark__batch_joined" AS tidemark_x WHERE tidemark_x."name" IS ("u"."name")) GROUP BY "u"."name") AS q CROSS JOIN temp."tidemark__batch_joined" AS tidemark_x ON q."name" IS tidemark_x."name" AND (tidemark_x."name" IS NULL) LIMIT (SELECT CASE WHEN EXISTS (SELECT 1 FROM temp."tidemark__batch_joined" AS tidemark_x WHERE tidemark_x."name" IS NULL) THEN -1 ELSE 0 END);

-- applier: compare
SELECT 'missing' AS kind, s."name", NULL, NULL, s."n", s."score" FROM temp."tidemark__fresh_joined" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_joined" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."name", s."n", s."score", NULL, NULL FROM temp."tidemark__stored_joined" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_joined" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, z.v0, z.v1 FROM (SELECT s.tidemark_n, s."name" AS k0, s."n" AS v0, s."score" AS v1 FROM temp."tidemark__stored_joined" AS s) AS a JOIN (SELECT s.tidemark_n, s."n" AS v0, s."score" AS v1 FROM temp."tidemark__fresh_joined" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_joined" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_joined" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."n" IS y."n" AND x."score" IS y."score");

-- applier: write
INSERT INTO "tidemark_joined" AS s ("name", "n", "score") SELECT "name", "n", "score" FROM temp."tidemark__fresh_joined" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_joined" AS o WHERE o.tidemark_n = f.tidemark_n AND o."n" IS f."n" COLLATE BINARY AND typeof(o."n") = typeof(f."n") AND o."score" IS f."score" COLLATE BINARY AND typeof(o."score") = typeof(f."score")) ORDER BY "name" ON CONFLICT (ifnull("name", 0), ("name" IS NULL)) DO UPDATE SET "n" = excluded."n", "score" = excluded."score";
DELETE FROM "tidemark_joined" WHERE rowid IN (SELECT s.rowid FROM temp."tidemark__stored_joined" AS b JOIN "tidemark_joined" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_joined" AS i WHERE ifnull(i."name", 0) = ifnull(b."name", 0) AND (i."name" IS NULL) = (b."name" IS NULL)) WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_joined" AS f WHERE f.tidemark_n = b.tidemark_n));

-- applier: the whole result
DELETE FROM temp."tidemark__whole_joined";
INSERT INTO temp."tidemark__whole_joined" ("name", "n", "score") SELECT q."name", q."n", q."score" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "users" AS "u" LEFT JOIN "posts" AS "p" ON "p"."author" = "u"."id" GROUP BY "u"."name") AS q;
DELETE FROM temp."tidemark__fresh_joined";
INSERT INTO temp."tidemark__fresh_joined" ("name", "n", "score") SELECT "name", "n", "score" FROM (SELECT "name", "n", "score", typeof("n"), typeof("score") FROM temp."tidemark__whole_joined" EXCEPT SELECT "name", "n", "score", typeof("n"), typeof("score") FROM "tidemark_joined") AS z ORDER BY "name";
DELETE FROM temp."tidemark__stored_joined";
INSERT INTO temp."tidemark__stored_joined" ("name") SELECT "name" FROM (SELECT "name" FROM "tidemark_joined" EXCEPT SELECT "name" FROM temp."tidemark__whole_joined") AS z ORDER BY "name";
DELETE FROM "tidemark_joined" WHERE rowid IN (SELECT s.rowid FROM temp."tidemark__stored_joined" AS b JOIN "tidemark_joined" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_joined" AS i WHERE ifnull(i."name", 0) = ifnull(b."name", 0) AND (i."name" IS NULL) = (b."name" IS NULL)) WHERE b.tidemark_n > :low AND b.tidemark_n <= :high);
INSERT INTO "tidemark_joined" AS s ("name", "n", "score") SELECT "name", "n", "score" FROM temp."tidemark__fresh_joined" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT (ifnull("name", 0), ("name" IS NULL)) DO UPDATE SET "n" = excluded."n", "score" = excluded."score";
DELETE FROM "tidemark__dirty_joined";

-- applier: changes of users to keys
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__slice_users_joined" (id INTEGER, weight smallint NOT NULL, "c_id" INTEGER, "c_name" TEXT);
INSERT INTO temp."tidemark__reached_joined" ("name") SELECT DISTINCT +("u"."c_name") FROM (SELECT * FROM temp."tidemark__slice_users_joined" WHERE likelihood(rowid IS rowid, 0.000001)) AS "u" WHERE "u".weight <> 0;

-- applier: changes of posts to keys
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__slice_posts_joined" (id INTEGER, weight smallint NOT NULL, "c_author" INTEGER, "c_score" INTEGER);
INSERT INTO temp."tidemark__reached_joined" ("name") SELECT DISTINCT +("u"."name") FROM (SELECT DISTINCT 1 AS weight, "c_author" FROM (SELECT * FROM temp."tidemark__slice_posts_joined" WHERE likelihood(rowid IS rowid, 0.000001)) WHERE weight <> 0) AS "p", "users" AS "u" WHERE "p".weight <> 0 AND ("p"."c_author" = "u"."id");

-- applier: dirty keys
INSERT INTO temp."tidemark__batch_joined" (tidemark_n, "name") SELECT tidemark_n, "name" FROM "tidemark__dirty_joined" ORDER BY tidemark_n LIMIT :limit;
DELETE FROM "tidemark__dirty_joined" WHERE tidemark_n IN (SELECT tidemark_n FROM temp."tidemark__batch_joined");
INSERT INTO "tidemark__dirty_joined" ("name") SELECT "name" FROM (SELECT "name" FROM "tidemark_joined") AS k WHERE 1 = 1 ON CONFLICT (ifnull("name", 0), ("name" IS NULL)) DO NOTHING;
INSERT INTO "tidemark__dirty_joined" ("name") SELECT "name" FROM (SELECT q."name" FROM (SELECT "u"."name" AS "name", COUNT(*) AS "n", SUM("p"."score") AS "score" FROM "users" AS "u" LEFT JOIN "posts" AS "p" ON "p"."author" = "u"."id" GROUP BY "u"."name") AS q) AS k WHERE 1 = 1 ON CONFLICT (ifnull("name", 0), ("name" IS NULL)) DO NOTHING;

-- advice: recomputing a key reads all of users without it
CREATE INDEX "users_name_idx" ON "users" ("name");

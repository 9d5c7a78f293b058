-- universe: linear at commit freshness
-- SELECT u.id, u.name, (SELECT count(*) FROM posts p WHERE p.author = u.id AND p.live = 1) AS posts, (SELECT min(p.score) FROM posts p WHERE p.author = u.id) AS least, EXISTS (SELECT 1 FROM profiles f WHERE f.user_id = u.id) AS has_profile FROM users u
-- because: a row for each row of users; aggregates over posts, profiles point at its key

-- table tidemark_universe
CREATE TABLE "tidemark_universe" (
  "id" INTEGER NOT NULL,
  "_rows" INTEGER NOT NULL DEFAULT 0,
  "_name" TEXT,
  "_posts" INTEGER NOT NULL DEFAULT 0,
  "_least",
  "_exists" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("id")
) WITHOUT ROWID;

-- trigger tidemark__insert_universe_users
CREATE TRIGGER "tidemark__insert_universe_users" AFTER INSERT ON "users"
BEGIN /* tidemark:30ab82fdccc3a170 */ 
  INSERT INTO "tidemark_universe" ("id", "_rows", "_name") SELECT ((NEW."id")), 1, (NEW."name") WHERE 1
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_name" = excluded."_name";
END;

-- trigger tidemark__delete_universe_users
CREATE TRIGGER "tidemark__delete_universe_users" AFTER DELETE ON "users"
BEGIN /* tidemark:4317c55a7b80764f */ 
  INSERT INTO "tidemark_universe" ("id", "_rows") SELECT ((OLD."id")), -(1) WHERE 1
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" - (1), "_name" = NULL;
  DELETE FROM "tidemark_universe" WHERE "tidemark_universe"."id" = ((OLD."id")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
END;

-- trigger tidemark__update_universe_users
CREATE TRIGGER "tidemark__update_universe_users" AFTER UPDATE OF "id", "name", "rowid", "_rowid_", "oid" ON "users"
WHEN OLD."id" IS NOT NEW."id" COLLATE BINARY OR OLD."name" IS NOT NEW."name" COLLATE BINARY
BEGIN /* tidemark:daaa45f22f804d29 */ 
  UPDATE "tidemark_universe" SET "_rows" = "_rows" - (1) + (1), "_name" = (NEW."name") WHERE (((OLD."id")) IS ((NEW."id"))) AND "tidemark_universe"."id" = ((NEW."id"));
  INSERT INTO "tidemark_universe" ("id", "_rows") SELECT ((OLD."id")), -(1) WHERE (((OLD."id")) IS ((NEW."id"))) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" - (1), "_name" = NULL;
  INSERT INTO "tidemark_universe" ("id", "_rows", "_name") SELECT ((NEW."id")), 1, (NEW."name") WHERE (((OLD."id")) IS ((NEW."id"))) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_name" = excluded."_name";
  DELETE FROM "tidemark_universe" WHERE (((OLD."id")) IS ((NEW."id"))) IS NOT TRUE AND "tidemark_universe"."id" = ((OLD."id")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
END;

-- table tidemark__stash_universe_users
CREATE TABLE "tidemark__stash_universe_users" (i0 INTEGER, "id" INTEGER, "name" TEXT, PRIMARY KEY (i0));

-- trigger tidemark__stash_insert_universe_users
CREATE TRIGGER "tidemark__stash_insert_universe_users" BEFORE INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))))
BEGIN /* tidemark:34924b336bfc3200 */ 
  DELETE FROM "tidemark__stash_universe_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__stash_universe_users".i0);
  INSERT INTO "tidemark__stash_universe_users" (i0, "id", "name") SELECT r."id", r."id", r."name" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email")))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id", "name" = excluded."name";
END;

-- trigger tidemark__unstash_insert_universe_users
CREATE TRIGGER "tidemark__unstash_insert_universe_users" AFTER INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_universe_users")
BEGIN /* tidemark:31a33a2f3523a352 */ 
  INSERT INTO "tidemark_universe" ("id", "_rows") SELECT ((v."id")), -(1) FROM "tidemark__stash_universe_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0))
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows";
  UPDATE "tidemark_universe" SET "_name" = (SELECT (r."name") FROM "users" AS r WHERE ((r."id")) = "tidemark_universe"."id") WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_universe_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)));
  DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_universe_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0))) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  DELETE FROM "tidemark__stash_universe_users";
END;

-- trigger tidemark__stash_update_universe_users
CREATE TRIGGER "tidemark__stash_update_universe_users" BEFORE UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:df40b59f3fc677ba */ 
  DELETE FROM "tidemark__stash_universe_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__stash_universe_users".i0);
  INSERT INTO "tidemark__stash_universe_users" (i0, "id", "name") SELECT r."id", r."id", r."name" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id", "name" = excluded."name";
END;

-- trigger tidemark__unstash_update_universe_users
CREATE TRIGGER "tidemark__unstash_update_universe_users" AFTER UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "tidemark__stash_universe_users")
BEGIN /* tidemark:fcc112ff607337dd */ 
  INSERT INTO "tidemark_universe" ("id", "_rows") SELECT ((v."id")), -(1) FROM "tidemark__stash_universe_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0))
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows";
  UPDATE "tidemark_universe" SET "_name" = (SELECT (r."name") FROM "users" AS r WHERE ((r."id")) = "tidemark_universe"."id") WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_universe_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)));
  DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_universe_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0))) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  DELETE FROM "tidemark__stash_universe_users";
END;

-- trigger tidemark__unstash_delete_universe_users
CREATE TRIGGER "tidemark__unstash_delete_universe_users" AFTER DELETE ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_universe_users")
BEGIN /* tidemark:313faa503aaac309 */ 
  DELETE FROM "tidemark__stash_universe_users" WHERE "tidemark__stash_universe_users".i0 IS OLD."id";
END;

-- trigger tidemark__insert_universe_posts
CREATE TRIGGER "tidemark__insert_universe_posts" AFTER INSERT ON "posts"
BEGIN /* tidemark:ddd826ef8d93e000 */ 
  INSERT INTO "tidemark_universe" ("id", "_posts", "_least") SELECT ((NEW."author")), CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END, (NEW."score") WHERE ((((NEW."live" = 1)) OR (1 = 1)) AND (NEW."author") IS NOT NULL)
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" + excluded."_posts", "_least" = CASE WHEN "_least" IS NULL OR excluded."_least" < "_least" THEN excluded."_least" ELSE "_least" END;
END;

-- trigger tidemark__delete_universe_posts
CREATE TRIGGER "tidemark__delete_universe_posts" AFTER DELETE ON "posts"
BEGIN /* tidemark:2c09d054d0cc46a2 */ 
  INSERT INTO "tidemark_universe" ("id", "_posts") SELECT ((OLD."author")), -(CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END) WHERE ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL)
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END), "_least" = CASE WHEN "_least" = ((OLD."score")) THEN (SELECT min((r."score")) FROM "posts" AS r WHERE ((r."author")) = ((OLD."author")) AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) ELSE "_least" END;
  DELETE FROM "tidemark_universe" WHERE ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND "tidemark_universe"."id" = ((OLD."author")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
END;

-- trigger tidemark__update_universe_posts
CREATE TRIGGER "tidemark__update_universe_posts" AFTER UPDATE OF "author", "score", "live", "rowid", "_rowid_", "oid" ON "posts"
WHEN OLD."author" IS NOT NEW."author" COLLATE BINARY OR OLD."score" IS NOT NEW."score" COLLATE BINARY OR OLD."live" IS NOT NEW."live" COLLATE BINARY
BEGIN /* tidemark:6819c165d00eba72 */ 
  INSERT INTO "tidemark_universe" ("id", "_posts", "_least") SELECT ((NEW."author")), (CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END) - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END), (NEW."score") WHERE (((OLD."author")) IS ((NEW."author")) AND ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND ((((NEW."live" = 1)) OR (1 = 1)) AND (NEW."author") IS NOT NULL))
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END) + (CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END), "_least" = CASE WHEN ((NEW."score")) IS ((OLD."score")) COLLATE BINARY AND typeof(((NEW."score"))) = typeof(((OLD."score"))) THEN "_least" WHEN "_least" IS NULL OR ((NEW."score")) < "_least" THEN ((NEW."score")) WHEN "_least" = ((OLD."score")) THEN (SELECT min((r."score")) FROM "posts" AS r WHERE ((r."author")) = ((NEW."author")) AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) ELSE "_least" END;
  DELETE FROM "tidemark_universe" WHERE "tidemark_universe"."id" = ((NEW."author")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  INSERT INTO "tidemark_universe" ("id", "_posts") SELECT ((OLD."author")), -(CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END) WHERE ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND (((OLD."author")) IS ((NEW."author")) AND ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND ((((NEW."live" = 1)) OR (1 = 1)) AND (NEW."author") IS NOT NULL)) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END), "_least" = CASE WHEN "_least" = ((OLD."score")) THEN (SELECT min((r."score")) FROM "posts" AS r WHERE ((r."author")) = ((OLD."author")) AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) ELSE "_least" END;
  INSERT INTO "tidemark_universe" ("id", "_posts", "_least") SELECT ((NEW."author")), CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END, (NEW."score") WHERE ((((NEW."live" = 1)) OR (1 = 1)) AND (NEW."author") IS NOT NULL) AND (((OLD."author")) IS ((NEW."author")) AND ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND ((((NEW."live" = 1)) OR (1 = 1)) AND (NEW."author") IS NOT NULL)) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" + excluded."_posts", "_least" = CASE WHEN "_least" IS NULL OR excluded."_least" < "_least" THEN excluded."_least" ELSE "_least" END;
  DELETE FROM "tidemark_universe" WHERE ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND (((OLD."author")) IS ((NEW."author")) AND ((((OLD."live" = 1)) OR (1 = 1)) AND (OLD."author") IS NOT NULL) AND ((((NEW."live" = 1)) OR (1 = 1)) AND (NEW."author") IS NOT NULL)) IS NOT TRUE AND "tidemark_universe"."id" = ((OLD."author")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
END;

-- table tidemark__stash_universe_posts
CREATE TABLE "tidemark__stash_universe_posts" (i0 INTEGER, "author" INTEGER, "score" INTEGER, "live" INTEGER, PRIMARY KEY (i0));

-- trigger tidemark__stash_insert_universe_posts
CREATE TRIGGER "tidemark__stash_insert_universe_posts" BEFORE INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))))
BEGIN /* tidemark:ec06bb0d332460d3 */ 
  DELETE FROM "tidemark__stash_universe_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__stash_universe_posts".i0);
  INSERT INTO "tidemark__stash_universe_posts" (i0, "author", "score", "live") SELECT r."id", r."author", r."score", r."live" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1)))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "score" = excluded."score", "live" = excluded."live";
END;

-- trigger tidemark__unstash_insert_universe_posts
CREATE TRIGGER "tidemark__unstash_insert_universe_posts" AFTER INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_universe_posts")
BEGIN /* tidemark:30b44172c55e58f5 */ 
  INSERT INTO "tidemark_universe" ("id", "_posts") SELECT ((v."author")), -(CASE WHEN (v."live" = 1) THEN 1 ELSE 0 END) FROM "tidemark__stash_universe_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((((v."live" = 1)) OR (1 = 1)) AND (v."author") IS NOT NULL)
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" + excluded."_posts";
  UPDATE "tidemark_universe" SET "_least" = (SELECT min((r."score")) FROM "posts" AS r WHERE ((r."author")) = "tidemark_universe"."id" AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) WHERE ("id") IN (SELECT ((v."author")) FROM "tidemark__stash_universe_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((((v."live" = 1)) OR (1 = 1)) AND (v."author") IS NOT NULL));
  DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT ((v."author")) FROM "tidemark__stash_universe_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((((v."live" = 1)) OR (1 = 1)) AND (v."author") IS NOT NULL)) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  DELETE FROM "tidemark__stash_universe_posts";
END;

-- trigger tidemark__stash_update_universe_posts
CREATE TRIGGER "tidemark__stash_update_universe_posts" BEFORE UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:42c6ace0bf8ffe82 */ 
  DELETE FROM "tidemark__stash_universe_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__stash_universe_posts".i0);
  INSERT INTO "tidemark__stash_universe_posts" (i0, "author", "score", "live") SELECT r."id", r."author", r."score", r."live" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "score" = excluded."score", "live" = excluded."live";
END;

-- trigger tidemark__unstash_update_universe_posts
CREATE TRIGGER "tidemark__unstash_update_universe_posts" AFTER UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "tidemark__stash_universe_posts")
BEGIN /* tidemark:4a1276acc1467eab */ 
  INSERT INTO "tidemark_universe" ("id", "_posts") SELECT ((v."author")), -(CASE WHEN (v."live" = 1) THEN 1 ELSE 0 END) FROM "tidemark__stash_universe_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((((v."live" = 1)) OR (1 = 1)) AND (v."author") IS NOT NULL)
  ON CONFLICT ("id") DO UPDATE SET "_posts" = "_posts" + excluded."_posts";
  UPDATE "tidemark_universe" SET "_least" = (SELECT min((r."score")) FROM "posts" AS r WHERE ((r."author")) = "tidemark_universe"."id" AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL)) WHERE ("id") IN (SELECT ((v."author")) FROM "tidemark__stash_universe_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((((v."live" = 1)) OR (1 = 1)) AND (v."author") IS NOT NULL));
  DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT ((v."author")) FROM "tidemark__stash_universe_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((((v."live" = 1)) OR (1 = 1)) AND (v."author") IS NOT NULL)) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  DELETE FROM "tidemark__stash_universe_posts";
END;

-- trigger tidemark__unstash_delete_universe_posts
CREATE TRIGGER "tidemark__unstash_delete_universe_posts" AFTER DELETE ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_universe_posts")
BEGIN /* tidemark:67ca0187a719b60d */ 
  DELETE FROM "tidemark__stash_universe_posts" WHERE "tidemark__stash_universe_posts".i0 IS OLD."id";
END;

-- trigger tidemark__insert_universe_profiles
CREATE TRIGGER "tidemark__insert_universe_profiles" AFTER INSERT ON "profiles"
BEGIN /* tidemark:4cdd26052ffa6d16 */ 
  INSERT INTO "tidemark_universe" ("id", "_exists") SELECT ((NEW."user_id")), 1 WHERE 1
  ON CONFLICT ("id") DO UPDATE SET "_exists" = "_exists" + excluded."_exists";
END;

-- trigger tidemark__delete_universe_profiles
CREATE TRIGGER "tidemark__delete_universe_profiles" AFTER DELETE ON "profiles"
BEGIN /* tidemark:9b25f967fd019b06 */ 
  INSERT INTO "tidemark_universe" ("id", "_exists") SELECT ((OLD."user_id")), -(1) WHERE 1
  ON CONFLICT ("id") DO UPDATE SET "_exists" = "_exists" - (1);
  DELETE FROM "tidemark_universe" WHERE "tidemark_universe"."id" = ((OLD."user_id")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
END;

-- trigger tidemark__update_universe_profiles
CREATE TRIGGER "tidemark__update_universe_profiles" AFTER UPDATE OF "user_id", "rowid", "_rowid_", "oid" ON "profiles"
WHEN OLD."user_id" IS NOT NEW."user_id" COLLATE BINARY
BEGIN /* tidemark:0c870b94c9f59081 */ 
  INSERT INTO "tidemark_universe" ("id", "_exists") SELECT ((OLD."user_id")), -1 WHERE (((OLD."user_id")) IS ((NEW."user_id"))) IS NOT TRUE UNION ALL SELECT ((NEW."user_id")), 1 WHERE (((OLD."user_id")) IS ((NEW."user_id"))) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_exists" = "_exists" + excluded."_exists";
  DELETE FROM "tidemark_universe" WHERE (((((OLD."user_id")) IS ((NEW."user_id"))) IS NOT TRUE)) AND "tidemark_universe"."id" = ((OLD."user_id")) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
END;

-- table tidemark__stash_universe_profiles
CREATE TABLE "tidemark__stash_universe_profiles" (i0 INTEGER, "user_id" INTEGER, PRIMARY KEY (i0));

-- trigger tidemark__stash_insert_universe_profiles
CREATE TRIGGER "tidemark__stash_insert_universe_profiles" BEFORE INSERT ON "profiles"
WHEN EXISTS (SELECT 1 FROM "profiles" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."user_id") = (NEW."user_id"))))
BEGIN /* tidemark:b03503f264c9034e */ 
  DELETE FROM "tidemark__stash_universe_profiles" WHERE EXISTS (SELECT 1 FROM "profiles" AS t WHERE t."user_id" IS "tidemark__stash_universe_profiles".i0);
  INSERT INTO "tidemark__stash_universe_profiles" (i0, "user_id") SELECT r."user_id", r."user_id" FROM "profiles" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."user_id") = (NEW."user_id")))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "user_id" = excluded."user_id";
END;

-- trigger tidemark__unstash_insert_universe_profiles
CREATE TRIGGER "tidemark__unstash_insert_universe_profiles" AFTER INSERT ON "profiles"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_universe_profiles")
BEGIN /* tidemark:56afc39d99eb9d3a */ 
  INSERT INTO "tidemark_universe" ("id", "_exists") SELECT ((v."user_id")), -(1) FROM "tidemark__stash_universe_profiles" AS v WHERE (v.i0 IS NEW."user_id" OR NOT EXISTS (SELECT 1 FROM "profiles" AS t WHERE t."user_id" IS v.i0))
  ON CONFLICT ("id") DO UPDATE SET "_exists" = "_exists" + excluded."_exists";
  DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT ((v."user_id")) FROM "tidemark__stash_universe_profiles" AS v WHERE (v.i0 IS NEW."user_id" OR NOT EXISTS (SELECT 1 FROM "profiles" AS t WHERE t."user_id" IS v.i0))) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  DELETE FROM "tidemark__stash_universe_profiles";
END;

-- trigger tidemark__stash_update_universe_profiles
CREATE TRIGGER "tidemark__stash_update_universe_profiles" BEFORE UPDATE OF "user_id", "rowid", "_rowid_", "oid" ON "profiles"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."user_id" IS NOT NEW."user_id" COLLATE BINARY OR typeof(OLD."user_id") <> typeof(NEW."user_id")) AND EXISTS (SELECT 1 FROM "profiles" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."user_id") = (NEW."user_id"))) AND NOT (r."user_id" IS OLD."user_id"))
BEGIN /* tidemark:b5d021f129cf9b19 */ 
  DELETE FROM "tidemark__stash_universe_profiles" WHERE EXISTS (SELECT 1 FROM "profiles" AS t WHERE t."user_id" IS "tidemark__stash_universe_profiles".i0);
  INSERT INTO "tidemark__stash_universe_profiles" (i0, "user_id") SELECT r."user_id", r."user_id" FROM "profiles" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."user_id") = (NEW."user_id"))) AND NOT (r."user_id" IS OLD."user_id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "user_id" = excluded."user_id";
END;

-- trigger tidemark__unstash_update_universe_profiles
CREATE TRIGGER "tidemark__unstash_update_universe_profiles" AFTER UPDATE OF "user_id", "rowid", "_rowid_", "oid" ON "profiles"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."user_id" IS NOT NEW."user_id" COLLATE BINARY OR typeof(OLD."user_id") <> typeof(NEW."user_id")) AND EXISTS (SELECT 1 FROM "tidemark__stash_universe_profiles")
BEGIN /* tidemark:20888ee41257b72d */ 
  INSERT INTO "tidemark_universe" ("id", "_exists") SELECT ((v."user_id")), -(1) FROM "tidemark__stash_universe_profiles" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."user_id" IS NOT NEW."user_id" COLLATE BINARY OR typeof(OLD."user_id") <> typeof(NEW."user_id")) AND NOT (v.i0 IS OLD."user_id") AND (v.i0 IS NEW."user_id" OR NOT EXISTS (SELECT 1 FROM "profiles" AS t WHERE t."user_id" IS v.i0))
  ON CONFLICT ("id") DO UPDATE SET "_exists" = "_exists" + excluded."_exists";
  DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT ((v."user_id")) FROM "tidemark__stash_universe_profiles" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."user_id" IS NOT NEW."user_id" COLLATE BINARY OR typeof(OLD."user_id") <> typeof(NEW."user_id")) AND NOT (v.i0 IS OLD."user_id") AND (v.i0 IS NEW."user_id" OR NOT EXISTS (SELECT 1 FROM "profiles" AS t WHERE t."user_id" IS v.i0))) AND "tidemark_universe"."_rows" = 0 AND "tidemark_universe"."_name" IS NULL AND "tidemark_universe"."_posts" = 0 AND "tidemark_universe"."_least" IS NULL AND "tidemark_universe"."_exists" = 0;
  DELETE FROM "tidemark__stash_universe_profiles";
END;

-- trigger tidemark__unstash_delete_universe_profiles
CREATE TRIGGER "tidemark__unstash_delete_universe_profiles" AFTER DELETE ON "profiles"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_universe_profiles")
BEGIN /* tidemark:680a51a0289b86f7 */ 
  DELETE FROM "tidemark__stash_universe_profiles" WHERE "tidemark__stash_universe_profiles".i0 IS OLD."user_id";
END;

-- view universe (public)
CREATE VIEW "universe" AS /* tidemark:3968a07cbf6f137e */ SELECT
  s."id" AS "id",
  s."_name" AS "name",
  ((s."_posts")) AS "posts",
  ((s."_least")) AS "least",
  (s."_exists" > 0) AS "has_profile"
FROM "tidemark_universe" AS s
WHERE s."_rows" > 0;

-- trigger tidemark__readonly_universe_insert (public)
CREATE TRIGGER "tidemark__readonly_universe_insert" INSTEAD OF INSERT ON "universe" BEGIN /* tidemark:e986215166bbd83a */ SELECT RAISE(ABORT, 'universe is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_universe_update (public)
CREATE TRIGGER "tidemark__readonly_universe_update" INSTEAD OF UPDATE ON "universe" BEGIN /* tidemark:37fbe20629974fdf */ SELECT RAISE(ABORT, 'universe is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_universe_delete (public)
CREATE TRIGGER "tidemark__readonly_universe_delete" INSTEAD OF DELETE ON "universe" BEGIN /* tidemark:949df922462fe5ea */ SELECT RAISE(ABORT, 'universe is derived and kept by Tidemark: write to its sources instead'); END;

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_universe" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_universe" ON "tidemark__batch_universe" ("id");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_universe" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_name" TEXT, "_posts" INTEGER, "_least", "_exists" INTEGER);
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_universe" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_name" TEXT, "_posts" INTEGER, "_least", "_exists" INTEGER);
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_universe" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER);

-- applier: every key
DELETE FROM temp."tidemark__todo_universe";
INSERT INTO temp."tidemark__todo_universe" ("id") SELECT * FROM (SELECT ((r."id")) AS "id" FROM "users" AS r UNION SELECT ((r."author")) AS "id" FROM "posts" AS r WHERE (((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL UNION SELECT ((r."user_id")) AS "id" FROM "profiles" AS r UNION SELECT "id" FROM "tidemark_universe") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_universe" (tidemark_n, "id") SELECT tidemark_n, "id" FROM temp."tidemark__todo_universe" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
DELETE FROM temp."tidemark__stored_universe";
INSERT INTO temp."tidemark__stored_universe" (tidemark_n, "id", "_rows", "_name", "_posts", "_least", "_exists") SELECT b.tidemark_n, s."id", s."_rows", s."_name", s."_posts", s."_least", s."_exists" FROM (SELECT * FROM temp."tidemark__batch_universe" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_universe" AS s ON s."id" = b."id";
DELETE FROM temp."tidemark__fresh_universe";
INSERT INTO temp."tidemark__fresh_universe" (tidemark_n, "id", "_rows", "_name", "_posts", "_least", "_exists") SELECT b.tidemark_n, b."id", coalesce(f0."_rows", 0) AS "_rows", f0."_name" AS "_name", coalesce(f1."_posts", 0) AS "_posts", f1."_least" AS "_least", coalesce(f2."_exists", 0) AS "_exists" FROM temp."tidemark__batch_universe" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, 1 AS "_rows", (r."name") AS "_name" FROM (SELECT * FROM temp."tidemark__batch_universe" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "users" AS r ON ((r."id")) = b."id") AS f0 ON f0.tidemark_n = b.tidemark_n LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(CASE WHEN (r."live" = 1) THEN 1 ELSE 0 END), 0) AS "_posts", min((r."score")) AS "_least" FROM (SELECT * FROM temp."tidemark__batch_universe" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "posts" AS r ON ((r."author")) = b."id" AND ((((r."live" = 1)) OR (1 = 1)) AND (r."author") IS NOT NULL) GROUP BY b.tidemark_n) AS f1 ON f1.tidemark_n = b.tidemark_n LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0) AS "_exists" FROM (SELECT * FROM temp."tidemark__batch_universe" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "profiles" AS r ON ((r."user_id")) = b."id" GROUP BY b.tidemark_n) AS f2 ON f2.tidemark_n = b.tidemark_n;
DELETE FROM temp."tidemark__fresh_universe" AS s WHERE s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0;

-- applier: compare
SELECT 'missing' AS kind, s."id", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, s."_name", ((s."_posts")), ((s."_least")), (s."_exists" > 0), s."_rows", s."_name", s."_posts", s."_least", s."_exists" FROM temp."tidemark__fresh_universe" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_universe" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."id", s."_name", ((s."_posts")), ((s."_least")), (s."_exists" > 0), s."_rows", s."_name", s."_posts", s."_least", s."_exists", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM temp."tidemark__stored_universe" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_universe" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (s."_rows" = 0 AND s."_name" IS NULL AND s."_posts" = 0 AND s."_least" IS NULL AND s."_exists" = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, a.v4, a.v5, a.v6, a.v7, a.v8, z.v0, z.v1, z.v2, z.v3, z.v4, z.v5, z.v6, z.v7, z.v8 FROM (SELECT s.tidemark_n, s."id" AS k0, s."_name" AS v0, ((s."_posts")) AS v1, ((s."_least")) AS v2, (s."_exists" > 0) AS v3, s."_rows" AS v4, s."_name" AS v5, s."_posts" AS v6, s."_least" AS v7, s."_exists" AS v8 FROM temp."tidemark__stored_universe" AS s) AS a JOIN (SELECT s.tidemark_n, s."_name" AS v0, ((s."_posts")) AS v1, ((s."_least")) AS v2, (s."_exists" > 0) AS v3, s."_rows" AS v4, s."_name" AS v5, s."_posts" AS v6, s."_least" AS v7, s."_exists" AS v8 FROM temp."tidemark__fresh_universe" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_universe" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_universe" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS y."_rows" AND x."_name" IS y."_name" AND x."_posts" IS y."_posts" AND x."_least" IS y."_least" AND x."_exists" IS y."_exists");

-- applier: write
INSERT INTO "tidemark_universe" AS s ("id", "_rows", "_name", "_posts", "_least", "_exists") SELECT "id", "_rows", "_name", "_posts", "_least", "_exists" FROM temp."tidemark__fresh_universe" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_universe" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS f."_rows" AND o."_name" IS f."_name" AND o."_posts" IS f."_posts" AND o."_least" IS f."_least" COLLATE BINARY AND typeof(o."_least") = typeof(f."_least") AND o."_exists" IS f."_exists") ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_name" = excluded."_name", "_posts" = excluded."_posts", "_least" = excluded."_least", "_exists" = excluded."_exists";
DELETE FROM "tidemark_universe" WHERE ("id") IN (SELECT b."id" FROM temp."tidemark__stored_universe" AS b WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_universe" AS f WHERE f.tidemark_n = b.tidemark_n));

-- advice: computing least of one key anew when the extreme value leaves reads all of posts without it
CREATE INDEX "posts_author_idx" ON "posts" ("author");

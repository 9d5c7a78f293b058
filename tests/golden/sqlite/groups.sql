-- groups: linear at commit freshness
-- SELECT author, count(*) AS n, sum(score) AS score, max(score) AS best FROM posts WHERE live = 1 GROUP BY author
-- because: one source, posts; every aggregate is kept by what each row adds or takes away

-- table tidemark_groups
CREATE TABLE "tidemark_groups" (
  "author" INTEGER,
  "_rows" INTEGER NOT NULL DEFAULT 0,
  "_score_sum" NOT NULL DEFAULT 0,
  "_score_values" INTEGER NOT NULL DEFAULT 0,
  "_score_odd" INTEGER NOT NULL DEFAULT 0,
  "_score_exact",
  "_best"
);

-- index tidemark__unique_groups
CREATE UNIQUE INDEX "tidemark__unique_groups" ON "tidemark_groups" (ifnull("author", 0), ("author" IS NULL));

-- trigger tidemark__insert_groups_posts
CREATE TRIGGER "tidemark__insert_groups_posts" AFTER INSERT ON "posts"
BEGIN /* tidemark:4bceb7c1bbf75548 */ 
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best") SELECT ((NEW."author")), 1, CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END, CASE WHEN (NEW."score") IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END, CASE WHEN ((CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) > 0 OR typeof((CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END)) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) END, (NEW."score") WHERE ((NEW."live" = 1))
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_score_sum" = "_score_sum" + excluded."_score_sum", "_score_values" = "_score_values" + excluded."_score_values", "_score_odd" = "_score_odd" + excluded."_score_odd", "_score_exact" = CASE WHEN (("_score_odd" + excluded."_score_odd") > 0 OR typeof(("_score_sum" + excluded."_score_sum")) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) END, "_best" = CASE WHEN "_best" IS NULL OR excluded."_best" > "_best" THEN excluded."_best" ELSE "_best" END;
END;

-- trigger tidemark__delete_groups_posts
CREATE TRIGGER "tidemark__delete_groups_posts" AFTER DELETE ON "posts"
BEGIN /* tidemark:e3b89ccaa33272d9 */ 
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd") SELECT ((OLD."author")), -(1), -(CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END), -(CASE WHEN (OLD."score") IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) WHERE ((OLD."live" = 1))
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" - (1), "_score_sum" = "_score_sum" - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END), "_score_values" = "_score_values" - (CASE WHEN (OLD."score") IS NOT NULL THEN 1 ELSE 0 END), "_score_odd" = "_score_odd" - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END), "_score_exact" = CASE WHEN (("_score_odd" - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END)) > 0 OR typeof(("_score_sum" - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END))) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((OLD."author")) AND ((r."live" = 1))) END, "_best" = CASE WHEN "_best" = ((OLD."score")) THEN (SELECT max((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((OLD."author")) AND ((r."live" = 1))) ELSE "_best" END;
  DELETE FROM "tidemark_groups" WHERE ((OLD."live" = 1)) AND ifnull("tidemark_groups"."author", 0) = ifnull(((OLD."author")), 0) AND ("tidemark_groups"."author" IS NULL) = (((OLD."author")) IS NULL) AND "tidemark_groups"."_rows" = 0 AND "tidemark_groups"."_score_sum" = 0 AND "tidemark_groups"."_score_values" = 0 AND "tidemark_groups"."_score_odd" = 0 AND "tidemark_groups"."_score_exact" IS NULL AND "tidemark_groups"."_best" IS NULL;
END;

-- trigger tidemark__update_groups_posts
CREATE TRIGGER "tidemark__update_groups_posts" AFTER UPDATE OF "author", "score", "live", "rowid", "_rowid_", "oid" ON "posts"
WHEN OLD."author" IS NOT NEW."author" COLLATE BINARY OR OLD."score" IS NOT NEW."score" COLLATE BINARY OR OLD."live" IS NOT NEW."live" COLLATE BINARY
BEGIN /* tidemark:3f7a6f74336d5a05 */ 
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best") SELECT ((NEW."author")), (1) - (1), (CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END) - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END), (CASE WHEN (NEW."score") IS NOT NULL THEN 1 ELSE 0 END) - (CASE WHEN (OLD."score") IS NOT NULL THEN 1 ELSE 0 END), (CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END), CASE WHEN ((CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) > 0 OR typeof((CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END)) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) END, (NEW."score") WHERE (((OLD."author")) IS ((NEW."author")) AND ((OLD."live" = 1)) AND ((NEW."live" = 1)))
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" - (1) + (1), "_score_sum" = "_score_sum" - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END) + (CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END), "_score_values" = "_score_values" - (CASE WHEN (OLD."score") IS NOT NULL THEN 1 ELSE 0 END) + (CASE WHEN (NEW."score") IS NOT NULL THEN 1 ELSE 0 END), "_score_odd" = "_score_odd" - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) + (CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END), "_score_exact" = CASE WHEN (("_score_odd" - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) + (CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END)) > 0 OR typeof(("_score_sum" - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END) + (CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END))) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) END, "_best" = CASE WHEN ((NEW."score")) IS ((OLD."score")) COLLATE BINARY AND typeof(((NEW."score"))) = typeof(((OLD."score"))) THEN "_best" WHEN "_best" IS NULL OR ((NEW."score")) > "_best" THEN ((NEW."score")) WHEN "_best" = ((OLD."score")) THEN (SELECT max((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) ELSE "_best" END;
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd") SELECT ((OLD."author")), -(1), -(CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END), -(CASE WHEN (OLD."score") IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) WHERE ((OLD."live" = 1)) AND (((OLD."author")) IS ((NEW."author")) AND ((OLD."live" = 1)) AND ((NEW."live" = 1))) IS NOT TRUE
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" - (1), "_score_sum" = "_score_sum" - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END), "_score_values" = "_score_values" - (CASE WHEN (OLD."score") IS NOT NULL THEN 1 ELSE 0 END), "_score_odd" = "_score_odd" - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END), "_score_exact" = CASE WHEN (("_score_odd" - (CASE WHEN typeof((OLD."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END)) > 0 OR typeof(("_score_sum" - (CASE WHEN typeof((OLD."score")) = 'integer' THEN (OLD."score") ELSE 0 END))) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((OLD."author")) AND ((r."live" = 1))) END, "_best" = CASE WHEN "_best" = ((OLD."score")) THEN (SELECT max((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((OLD."author")) AND ((r."live" = 1))) ELSE "_best" END;
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best") SELECT ((NEW."author")), 1, CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END, CASE WHEN (NEW."score") IS NOT NULL THEN 1 ELSE 0 END, CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END, CASE WHEN ((CASE WHEN typeof((NEW."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) > 0 OR typeof((CASE WHEN typeof((NEW."score")) = 'integer' THEN (NEW."score") ELSE 0 END)) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) END, (NEW."score") WHERE ((NEW."live" = 1)) AND (((OLD."author")) IS ((NEW."author")) AND ((OLD."live" = 1)) AND ((NEW."live" = 1))) IS NOT TRUE
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_score_sum" = "_score_sum" + excluded."_score_sum", "_score_values" = "_score_values" + excluded."_score_values", "_score_odd" = "_score_odd" + excluded."_score_odd", "_score_exact" = CASE WHEN (("_score_odd" + excluded."_score_odd") > 0 OR typeof(("_score_sum" + excluded."_score_sum")) <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS ((NEW."author")) AND ((r."live" = 1))) END, "_best" = CASE WHEN "_best" IS NULL OR excluded."_best" > "_best" THEN excluded."_best" ELSE "_best" END;
  DELETE FROM "tidemark_groups" WHERE ((OLD."live" = 1)) AND (((OLD."author")) IS ((NEW."author")) AND ((OLD."live" = 1)) AND ((NEW."live" = 1))) IS NOT TRUE AND ifnull("tidemark_groups"."author", 0) = ifnull(((OLD."author")), 0) AND ("tidemark_groups"."author" IS NULL) = (((OLD."author")) IS NULL) AND "tidemark_groups"."_rows" = 0 AND "tidemark_groups"."_score_sum" = 0 AND "tidemark_groups"."_score_values" = 0 AND "tidemark_groups"."_score_odd" = 0 AND "tidemark_groups"."_score_exact" IS NULL AND "tidemark_groups"."_best" IS NULL;
END;

-- table tidemark__stash_groups_posts
CREATE TABLE "tidemark__stash_groups_posts" (i0 INTEGER, "author" INTEGER, "score" INTEGER, "live" INTEGER, PRIMARY KEY (i0));

-- trigger tidemark__stash_insert_groups_posts
CREATE TRIGGER "tidemark__stash_insert_groups_posts" BEFORE INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))))
BEGIN /* tidemark:ae1f2c6df88a11eb */ 
  DELETE FROM "tidemark__stash_groups_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__stash_groups_posts".i0);
  INSERT INTO "tidemark__stash_groups_posts" (i0, "author", "score", "live") SELECT r."id", r."author", r."score", r."live" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1)))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "score" = excluded."score", "live" = excluded."live";
END;

-- trigger tidemark__unstash_insert_groups_posts
CREATE TRIGGER "tidemark__unstash_insert_groups_posts" AFTER INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_groups_posts")
BEGIN /* tidemark:6a58b2ee5b6f4262 */ 
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd") SELECT ((v."author")), -(1), -(CASE WHEN typeof((v."score")) = 'integer' THEN (v."score") ELSE 0 END), -(CASE WHEN (v."score") IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN typeof((v."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) FROM "tidemark__stash_groups_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((v."live" = 1))
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_score_sum" = "_score_sum" + excluded."_score_sum", "_score_values" = "_score_values" + excluded."_score_values", "_score_odd" = "_score_odd" + excluded."_score_odd";
  UPDATE "tidemark_groups" SET "_score_exact" = CASE WHEN ("_score_odd" > 0 OR typeof("_score_sum") <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS "tidemark_groups"."author" AND ((r."live" = 1))) END, "_best" = (SELECT max((r."score")) FROM "posts" AS r WHERE ((r."author")) IS "tidemark_groups"."author" AND ((r."live" = 1))) WHERE rowid IN (SELECT k.rowid FROM (SELECT v.* FROM "tidemark__stash_groups_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((v."live" = 1))) AS v CROSS JOIN "tidemark_groups" AS k WHERE k.rowid = (SELECT i.rowid FROM "tidemark_groups" AS i WHERE ifnull(i."author", 0) = ifnull(((v."author")), 0) AND (i."author" IS NULL) = (((v."author")) IS NULL)));
  DELETE FROM "tidemark_groups" WHERE rowid IN (SELECT k.rowid FROM (SELECT v.* FROM "tidemark__stash_groups_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((v."live" = 1))) AS v CROSS JOIN "tidemark_groups" AS k WHERE k.rowid = (SELECT i.rowid FROM "tidemark_groups" AS i WHERE ifnull(i."author", 0) = ifnull(((v."author")), 0) AND (i."author" IS NULL) = (((v."author")) IS NULL))) AND "tidemark_groups"."_rows" = 0 AND "tidemark_groups"."_score_sum" = 0 AND "tidemark_groups"."_score_values" = 0 AND "tidemark_groups"."_score_odd" = 0 AND "tidemark_groups"."_score_exact" IS NULL AND "tidemark_groups"."_best" IS NULL;
  DELETE FROM "tidemark__stash_groups_posts";
END;

-- trigger tidemark__stash_update_groups_posts
CREATE TRIGGER "tidemark__stash_update_groups_posts" BEFORE UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:d2b824abbde3040a */ 
  DELETE FROM "tidemark__stash_groups_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__stash_groups_posts".i0);
  INSERT INTO "tidemark__stash_groups_posts" (i0, "author", "score", "live") SELECT r."id", r."author", r."score", r."live" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "score" = excluded."score", "live" = excluded."live";
END;

-- trigger tidemark__unstash_update_groups_posts
CREATE TRIGGER "tidemark__unstash_update_groups_posts" AFTER UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "tidemark__stash_groups_posts")
BEGIN /* tidemark:dd27d2c91f123851 */ 
  INSERT INTO "tidemark_groups" ("author", "_rows", "_score_sum", "_score_values", "_score_odd") SELECT ((v."author")), -(1), -(CASE WHEN typeof((v."score")) = 'integer' THEN (v."score") ELSE 0 END), -(CASE WHEN (v."score") IS NOT NULL THEN 1 ELSE 0 END), -(CASE WHEN typeof((v."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END) FROM "tidemark__stash_groups_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((v."live" = 1))
  ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_score_sum" = "_score_sum" + excluded."_score_sum", "_score_values" = "_score_values" + excluded."_score_values", "_score_odd" = "_score_odd" + excluded."_score_odd";
  UPDATE "tidemark_groups" SET "_score_exact" = CASE WHEN ("_score_odd" > 0 OR typeof("_score_sum") <> 'integer') THEN (SELECT sum((r."score")) FROM "posts" AS r WHERE ((r."author")) IS "tidemark_groups"."author" AND ((r."live" = 1))) END, "_best" = (SELECT max((r."score")) FROM "posts" AS r WHERE ((r."author")) IS "tidemark_groups"."author" AND ((r."live" = 1))) WHERE rowid IN (SELECT k.rowid FROM (SELECT v.* FROM "tidemark__stash_groups_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((v."live" = 1))) AS v CROSS JOIN "tidemark_groups" AS k WHERE k.rowid = (SELECT i.rowid FROM "tidemark_groups" AS i WHERE ifnull(i."author", 0) = ifnull(((v."author")), 0) AND (i."author" IS NULL) = (((v."author")) IS NULL)));
  DELETE FROM "tidemark_groups" WHERE rowid IN (SELECT k.rowid FROM (SELECT v.* FROM "tidemark__stash_groups_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0)) AND ((v."live" = 1))) AS v CROSS JOIN "tidemark_groups" AS k WHERE k.rowid = (SELECT i.rowid FROM "tidemark_groups" AS i WHERE ifnull(i."author", 0) = ifnull(((v."author")), 0) AND (i."author" IS NULL) = (((v."author")) IS NULL))) AND "tidemark_groups"."_rows" = 0 AND "tidemark_groups"."_score_sum" = 0 AND "tidemark_groups"."_score_values" = 0 AND "tidemark_groups"."_score_odd" = 0 AND "tidemark_groups"."_score_exact" IS NULL AND "tidemark_groups"."_best" IS NULL;
  DELETE FROM "tidemark__stash_groups_posts";
END;

-- trigger tidemark__unstash_delete_groups_posts
CREATE TRIGGER "tidemark__unstash_delete_groups_posts" AFTER DELETE ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_groups_posts")
BEGIN /* tidemark:176f4416e63b5d8b */ 
  DELETE FROM "tidemark__stash_groups_posts" WHERE "tidemark__stash_groups_posts".i0 IS OLD."id";
END;

-- view groups (public)
CREATE VIEW "groups" AS /* tidemark:c7233abe7cd4e3c4 */ SELECT
  s."author" AS "author",
  (s."_rows") AS "n",
  (CASE WHEN (s."_score_odd" > 0 OR typeof(s."_score_sum") <> 'integer') THEN s."_score_exact" WHEN s."_score_values" > 0 THEN s."_score_sum" END) AS "score",
  (s."_best") AS "best"
FROM "tidemark_groups" AS s
WHERE s."_rows" > 0;

-- trigger tidemark__readonly_groups_insert (public)
CREATE TRIGGER "tidemark__readonly_groups_insert" INSTEAD OF INSERT ON "groups" BEGIN /* tidemark:684e449b1215f5b6 */ SELECT RAISE(ABORT, 'groups is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_groups_update (public)
CREATE TRIGGER "tidemark__readonly_groups_update" INSTEAD OF UPDATE ON "groups" BEGIN /* tidemark:32cc049d65257e39 */ SELECT RAISE(ABORT, 'groups is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_groups_delete (public)
CREATE TRIGGER "tidemark__readonly_groups_delete" INSTEAD OF DELETE ON "groups" BEGIN /* tidemark:f12f1936277eafa0 */ SELECT RAISE(ABORT, 'groups is derived and kept by Tidemark: write to its sources instead'); END;

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_groups" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_groups" ON "tidemark__batch_groups" ("author");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_groups" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER, "_rows" INTEGER, "_score_sum", "_score_values" INTEGER, "_score_odd" INTEGER, "_score_exact", "_best");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_groups" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER, "_rows" INTEGER, "_score_sum", "_score_values" INTEGER, "_score_odd" INTEGER, "_score_exact", "_best");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_groups" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER);

-- applier: every key
DELETE FROM temp."tidemark__todo_groups";
INSERT INTO temp."tidemark__todo_groups" ("author") SELECT * FROM (SELECT ((r."author")) AS "author" FROM "posts" AS r WHERE (r."live" = 1) UNION SELECT "author" FROM "tidemark_groups") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_groups" (tidemark_n, "author") SELECT tidemark_n, "author" FROM temp."tidemark__todo_groups" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
DELETE FROM temp."tidemark__stored_groups";
INSERT INTO temp."tidemark__stored_groups" (tidemark_n, "author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best") SELECT b.tidemark_n, s."author", s."_rows", s."_score_sum", s."_score_values", s."_score_odd", s."_score_exact", s."_best" FROM (SELECT * FROM temp."tidemark__batch_groups" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_groups" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_groups" AS i WHERE ifnull(i."author", 0) = ifnull(b."author", 0) AND (i."author" IS NULL) = (b."author" IS NULL));
DELETE FROM temp."tidemark__fresh_groups";
INSERT INTO temp."tidemark__fresh_groups" (tidemark_n, "author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best") SELECT b.tidemark_n, b."author", coalesce(f0."_rows", 0) AS "_rows", coalesce(f0."_score_sum", 0) AS "_score_sum", coalesce(f0."_score_values", 0) AS "_score_values", coalesce(f0."_score_odd", 0) AS "_score_odd", f0."_score_exact" AS "_score_exact", f0."_best" AS "_best" FROM temp."tidemark__batch_groups" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0) AS "_rows", coalesce(sum(CASE WHEN typeof((r."score")) = 'integer' THEN (r."score") ELSE 0 END), 0) AS "_score_sum", coalesce(sum(CASE WHEN (r."score") IS NOT NULL THEN 1 ELSE 0 END), 0) AS "_score_values", coalesce(sum(CASE WHEN typeof((r."score")) NOT IN ('integer', 'null') THEN 1 ELSE 0 END), 0) AS "_score_odd", sum((r."score")) AS "_score_exact", max((r."score")) AS "_best" FROM (SELECT * FROM temp."tidemark__batch_groups" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "posts" AS r ON ((r."author")) IS b."author" AND ((r."live" = 1)) GROUP BY b.tidemark_n) AS f0 ON f0.tidemark_n = b.tidemark_n;
UPDATE temp."tidemark__fresh_groups" AS s SET "_score_exact" = NULL WHERE NOT ((s."_score_odd" > 0 OR typeof(s."_score_sum") <> 'integer'));
DELETE FROM temp."tidemark__fresh_groups" AS s WHERE s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_score_odd" = 0 AND s."_score_exact" IS NULL AND s."_best" IS NULL;

-- applier: compare
SELECT 'missing' AS kind, s."author", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, (s."_rows"), (CASE WHEN (s."_score_odd" > 0 OR typeof(s."_score_sum") <> 'integer') THEN s."_score_exact" WHEN s."_score_values" > 0 THEN s."_score_sum" END), (s."_best"), s."_rows", s."_score_sum", s."_score_values", s."_score_odd", s."_score_exact", s."_best" FROM temp."tidemark__fresh_groups" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_groups" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."author", (s."_rows"), (CASE WHEN (s."_score_odd" > 0 OR typeof(s."_score_sum") <> 'integer') THEN s."_score_exact" WHEN s."_score_values" > 0 THEN s."_score_sum" END), (s."_best"), s."_rows", s."_score_sum", s."_score_values", s."_score_odd", s."_score_exact", s."_best", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM temp."tidemark__stored_groups" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_groups" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (s."_rows" = 0 AND s."_score_sum" = 0 AND s."_score_values" = 0 AND s."_score_odd" = 0 AND s."_score_exact" IS NULL AND s."_best" IS NULL) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, a.v4, a.v5, a.v6, a.v7, a.v8, z.v0, z.v1, z.v2, z.v3, z.v4, z.v5, z.v6, z.v7, z.v8 FROM (SELECT s.tidemark_n, s."author" AS k0, (s."_rows") AS v0, (CASE WHEN (s."_score_odd" > 0 OR typeof(s."_score_sum") <> 'integer') THEN s."_score_exact" WHEN s."_score_values" > 0 THEN s."_score_sum" END) AS v1, (s."_best") AS v2, s."_rows" AS v3, s."_score_sum" AS v4, s."_score_values" AS v5, s."_score_odd" AS v6, s."_score_exact" AS v7, s."_best" AS v8 FROM temp."tidemark__stored_groups" AS s) AS a JOIN (SELECT s.tidemark_n, (s."_rows") AS v0, (CASE WHEN (s."_score_odd" > 0 OR typeof(s."_score_sum") <> 'integer') THEN s."_score_exact" WHEN s."_score_values" > 0 THEN s."_score_sum" END) AS v1, (s."_best") AS v2, s."_rows" AS v3, s."_score_sum" AS v4, s."_score_values" AS v5, s."_score_odd" AS v6, s."_score_exact" AS v7, s."_best" AS v8 FROM temp."tidemark__fresh_groups" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_groups" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_groups" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS y."_rows" AND x."_score_sum" IS y."_score_sum" AND x."_score_values" IS y."_score_values" AND x."_score_odd" IS y."_score_odd" AND x."_score_exact" IS y."_score_exact" AND x."_best" IS y."_best");

-- applier: write
INSERT INTO "tidemark_groups" AS s ("author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best") SELECT "author", "_rows", "_score_sum", "_score_values", "_score_odd", "_score_exact", "_best" FROM temp."tidemark__fresh_groups" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_groups" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS f."_rows" AND o."_score_sum" IS f."_score_sum" COLLATE BINARY AND typeof(o."_score_sum") = typeof(f."_score_sum") AND o."_score_values" IS f."_score_values" AND o."_score_odd" IS f."_score_odd" AND o."_score_exact" IS f."_score_exact" COLLATE BINARY AND typeof(o."_score_exact") = typeof(f."_score_exact") AND o."_best" IS f."_best" COLLATE BINARY AND typeof(o."_best") = typeof(f."_best")) ORDER BY "author" ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "_rows" = excluded."_rows", "_score_sum" = excluded."_score_sum", "_score_values" = excluded."_score_values", "_score_odd" = excluded."_score_odd", "_score_exact" = excluded."_score_exact", "_best" = excluded."_best";
DELETE FROM "tidemark_groups" WHERE rowid IN (SELECT s.rowid FROM temp."tidemark__stored_groups" AS b JOIN "tidemark_groups" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_groups" AS i WHERE ifnull(i."author", 0) = ifnull(b."author", 0) AND (i."author" IS NULL) = (b."author" IS NULL)) WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_groups" AS f WHERE f.tidemark_n = b.tidemark_n));

-- advice: computing score_exact, best of one key anew when the extreme value leaves reads all of posts without it
CREATE INDEX "posts_author_idx" ON "posts" ("author");

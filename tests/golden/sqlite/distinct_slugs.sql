-- distinct_slugs: keyed at tick freshness
-- SELECT author, count(DISTINCT state) AS states FROM posts GROUP BY author
-- because: affected keys are recomputed, because count(DISTINCT …) needs the multiplicity of each value

-- table tidemark_distinct_slugs
CREATE TABLE "tidemark_distinct_slugs" (
  "author" INTEGER,
  "states"
);

-- index tidemark__unique_distinct_slugs
CREATE UNIQUE INDEX "tidemark__unique_distinct_slugs" ON "tidemark_distinct_slugs" (ifnull("author", 0), ("author" IS NULL));

-- table tidemark__dirty_distinct_slugs
CREATE TABLE "tidemark__dirty_distinct_slugs" (tidemark_n INTEGER PRIMARY KEY AUTOINCREMENT, "author" INTEGER);

-- index tidemark__dirty_unique_distinct_slugs
CREATE UNIQUE INDEX "tidemark__dirty_unique_distinct_slugs" ON "tidemark__dirty_distinct_slugs" (ifnull("author", 0), ("author" IS NULL));

-- view distinct_slugs (public)
CREATE VIEW "distinct_slugs" AS /* tidemark:f40ef716ceb50c1c */ SELECT s."author", s."states" FROM "tidemark_distinct_slugs" AS s;

-- trigger tidemark__readonly_distinct_slugs_insert (public)
CREATE TRIGGER "tidemark__readonly_distinct_slugs_insert" INSTEAD OF INSERT ON "distinct_slugs" BEGIN /* tidemark:edaea47011348397 */ SELECT RAISE(ABORT, 'distinct_slugs is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_distinct_slugs_update (public)
CREATE TRIGGER "tidemark__readonly_distinct_slugs_update" INSTEAD OF UPDATE ON "distinct_slugs" BEGIN /* tidemark:d01a1fbef5f5a479 */ SELECT RAISE(ABORT, 'distinct_slugs is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_distinct_slugs_delete (public)
CREATE TRIGGER "tidemark__readonly_distinct_slugs_delete" INSTEAD OF DELETE ON "distinct_slugs" BEGIN /* tidemark:79249775bdbe9107 */ SELECT RAISE(ABORT, 'distinct_slugs is derived and kept by Tidemark: write to its sources instead'); END;

-- table tidemark__capture_log_posts (shared by all that read posts)
CREATE TABLE "tidemark__capture_log_posts" (id INTEGER PRIMARY KEY, pair INTEGER, weight smallint NOT NULL, "c_author" INTEGER, "c_state" TEXT);

-- trigger tidemark__capture_insert_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_insert_posts" AFTER INSERT ON "posts"
BEGIN /* tidemark:c3e7921aeb015570 */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_state") SELECT 1, NEW."author", NEW."state";
END;

-- trigger tidemark__capture_delete_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_delete_posts" AFTER DELETE ON "posts"
BEGIN /* tidemark:1bf8193b77c0708e */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_state") SELECT -1, OLD."author", OLD."state";
END;

-- trigger tidemark__capture_update_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_update_posts" AFTER UPDATE OF "author", "state", "rowid", "_rowid_", "oid" ON "posts"
WHEN OLD."author" IS NOT NEW."author" COLLATE BINARY OR OLD."state" IS NOT NEW."state" COLLATE BINARY
BEGIN /* tidemark:1b5a3d1880e35310 */ 
  INSERT INTO "tidemark__capture_log_posts" (pair, weight, "c_author", "c_state") SELECT 1, -1, OLD."author", OLD."state";
  INSERT INTO "tidemark__capture_log_posts" (pair, weight, "c_author", "c_state") SELECT -1, 1, NEW."author", NEW."state";
END;

-- table tidemark__capture_stash_posts (shared by all that read posts)
CREATE TABLE "tidemark__capture_stash_posts" (i0 INTEGER, "author" INTEGER, "state" TEXT, PRIMARY KEY (i0));

-- trigger tidemark__capture_stash_insert_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_stash_insert_posts" BEFORE INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))))
BEGIN /* tidemark:d1e47c0db48f3219 */ 
  DELETE FROM "tidemark__capture_stash_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__capture_stash_posts".i0);
  INSERT INTO "tidemark__capture_stash_posts" (i0, "author", "state") SELECT r."id", r."author", r."state" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1)))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "state" = excluded."state";
END;

-- trigger tidemark__capture_unstash_insert_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_unstash_insert_posts" AFTER INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_posts")
BEGIN /* tidemark:61a244ef4e2f4bfa */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_state") SELECT -1, v."author", v."state" FROM "tidemark__capture_stash_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_posts";
END;

-- trigger tidemark__capture_stash_update_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_stash_update_posts" BEFORE UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:74e809c9508a6c0f */ 
  DELETE FROM "tidemark__capture_stash_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__capture_stash_posts".i0);
  INSERT INTO "tidemark__capture_stash_posts" (i0, "author", "state") SELECT r."id", r."author", r."state" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "author" = excluded."author", "state" = excluded."state";
END;

-- trigger tidemark__capture_unstash_update_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_unstash_update_posts" AFTER UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "tidemark__capture_stash_posts")
BEGIN /* tidemark:c247e64cc998db72 */ 
  INSERT INTO "tidemark__capture_log_posts" (weight, "c_author", "c_state") SELECT -1, v."author", v."state" FROM "tidemark__capture_stash_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0));
  DELETE FROM "tidemark__capture_stash_posts";
END;

-- trigger tidemark__capture_unstash_delete_posts (shared by all that read posts)
CREATE TRIGGER "tidemark__capture_unstash_delete_posts" AFTER DELETE ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__capture_stash_posts")
BEGIN /* tidemark:73eb744a535c001d */ 
  DELETE FROM "tidemark__capture_stash_posts" WHERE "tidemark__capture_stash_posts".i0 IS OLD."id";
END;

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_distinct_slugs" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_distinct_slugs" ON "tidemark__batch_distinct_slugs" ("author");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_distinct_slugs" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER, "states");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_distinct_slugs" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER, "states");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_distinct_slugs" (tidemark_n INTEGER PRIMARY KEY, "author" INTEGER);

-- applier: every key
DELETE FROM temp."tidemark__todo_distinct_slugs";
INSERT INTO temp."tidemark__todo_distinct_slugs" ("author") SELECT * FROM (SELECT q."author" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "posts" AS "posts" GROUP BY "posts"."author") AS q UNION SELECT "author" FROM "tidemark_distinct_slugs") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_distinct_slugs" (tidemark_n, "author") SELECT tidemark_n, "author" FROM temp."tidemark__todo_distinct_slugs" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
DELETE FROM temp."tidemark__stored_distinct_slugs";
INSERT INTO temp."tidemark__stored_distinct_slugs" (tidemark_n, "author", "states") SELECT b.tidemark_n, s."author", s."states" FROM (SELECT * FROM temp."tidemark__batch_distinct_slugs" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_distinct_slugs" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_distinct_slugs" AS i WHERE ifnull(i."author", 0) = ifnull(b."author", 0) AND (i."author" IS NULL) = (b."author" IS NULL));
DELETE FROM temp."tidemark__fresh_distinct_slugs";
INSERT INTO temp."tidemark__fresh_distinct_slugs" (tidemark_n, "author", "states") SELECT tidemark_x.tidemark_n, q."author", q."states" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "posts" AS "posts" WHERE ("posts"."author") IN (SELECT tidemark_x."author" FROM temp."tidemark__batch_distinct_slugs" AS tidemark_x) GROUP BY "posts"."author") AS q CROSS JOIN temp."tidemark__batch_distinct_slugs" AS tidemark_x ON q."author" = tidemark_x."author";
INSERT INTO temp."tidemark__fresh_distinct_slugs" (tidemark_n, "author", "states") SELECT tidemark_x.tidemark_n, q."author", q."states" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "posts" AS "posts" WHERE (("posts"."author") IS NULL) AND EXISTS (SELECT 1 FROM temp."tidemark__batch_distinct_slugs" AS tidemark_x WHERE tidemark_x."author" IS NULL) AND EXISTS (SELECT 1 FROM temp."tidemark__batch_distinct_slugs" AS tidemark_x WHERE tidemark_x."author" IS ("posts"."author")) GROUP BY "posts"."author") AS q CROSS JOIN temp."tidemark__batch_distinct_slugs" AS tidemark_x ON q."author" IS tidemark_x."author" AND (tidemark_x."author" IS NULL) LIMIT (SELECT CASE WHEN EXISTS (SELECT 1 FROM temp."tidemark__batch_distinct_slugs" AS tidemark_x WHERE tidemark_x."author" IS NULL) THEN -1 ELSE 0 END);

-- applier: compare
SELECT 'missing' AS kind, s."author", NULL, s."states" FROM temp."tidemark__fresh_distinct_slugs" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_distinct_slugs" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."author", s."states", NULL FROM temp."tidemark__stored_distinct_slugs" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_distinct_slugs" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, z.v0 FROM (SELECT s.tidemark_n, s."author" AS k0, s."states" AS v0 FROM temp."tidemark__stored_distinct_slugs" AS s) AS a JOIN (SELECT s.tidemark_n, s."states" AS v0 FROM temp."tidemark__fresh_distinct_slugs" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_distinct_slugs" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_distinct_slugs" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."states" IS y."states");

-- applier: write
INSERT INTO "tidemark_distinct_slugs" AS s ("author", "states") SELECT "author", "states" FROM temp."tidemark__fresh_distinct_slugs" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_distinct_slugs" AS o WHERE o.tidemark_n = f.tidemark_n AND o."states" IS f."states" COLLATE BINARY AND typeof(o."states") = typeof(f."states")) ORDER BY "author" ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "states" = excluded."states";
DELETE FROM "tidemark_distinct_slugs" WHERE rowid IN (SELECT s.rowid FROM temp."tidemark__stored_distinct_slugs" AS b JOIN "tidemark_distinct_slugs" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_distinct_slugs" AS i WHERE ifnull(i."author", 0) = ifnull(b."author", 0) AND (i."author" IS NULL) = (b."author" IS NULL)) WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_distinct_slugs" AS f WHERE f.tidemark_n = b.tidemark_n));

-- applier: the whole result
DELETE FROM temp."tidemark__whole_distinct_slugs";
INSERT INTO temp."tidemark__whole_distinct_slugs" ("author", "states") SELECT q."author", q."states" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "posts" AS "posts" GROUP BY "posts"."author") AS q;
DELETE FROM temp."tidemark__fresh_distinct_slugs";
INSERT INTO temp."tidemark__fresh_distinct_slugs" ("author", "states") SELECT "author", "states" FROM (SELECT "author", "states", typeof("states") FROM temp."tidemark__whole_distinct_slugs" EXCEPT SELECT "author", "states", typeof("states") FROM "tidemark_distinct_slugs") AS z ORDER BY "author";
DELETE FROM temp."tidemark__stored_distinct_slugs";
INSERT INTO temp."tidemark__stored_distinct_slugs" ("author") SELECT "author" FROM (SELECT "author" FROM "tidemark_distinct_slugs" EXCEPT SELECT "author" FROM temp."tidemark__whole_distinct_slugs") AS z ORDER BY "author";
DELETE FROM "tidemark_distinct_slugs" WHERE rowid IN (SELECT s.rowid FROM temp."tidemark__stored_distinct_slugs" AS b JOIN "tidemark_distinct_slugs" AS s ON s.rowid = (SELECT i.rowid FROM "tidemark_distinct_slugs" AS i WHERE ifnull(i."author", 0) = ifnull(b."author", 0) AND (i."author" IS NULL) = (b."author" IS NULL)) WHERE b.tidemark_n > :low AND b.tidemark_n <= :high);
INSERT INTO "tidemark_distinct_slugs" AS s ("author", "states") SELECT "author", "states" FROM temp."tidemark__fresh_distinct_slugs" AS b WHERE b.tidemark_n > :low AND b.tidemark_n <= :high ORDER BY b.tidemark_n ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO UPDATE SET "states" = excluded."states";
DELETE FROM "tidemark__dirty_distinct_slugs";

-- applier: changes of posts to keys
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__slice_posts_distinct_slugs" (id INTEGER, weight smallint NOT NULL, "c_author" INTEGER, "c_state" TEXT);
INSERT INTO temp."tidemark__reached_distinct_slugs" ("author") SELECT DISTINCT +("posts"."c_author") FROM (SELECT * FROM temp."tidemark__slice_posts_distinct_slugs" WHERE likelihood(rowid IS rowid, 0.000001)) AS "posts" WHERE "posts".weight <> 0;

-- applier: dirty keys
INSERT INTO temp."tidemark__batch_distinct_slugs" (tidemark_n, "author") SELECT tidemark_n, "author" FROM "tidemark__dirty_distinct_slugs" ORDER BY tidemark_n LIMIT :limit;
DELETE FROM "tidemark__dirty_distinct_slugs" WHERE tidemark_n IN (SELECT tidemark_n FROM temp."tidemark__batch_distinct_slugs");
INSERT INTO "tidemark__dirty_distinct_slugs" ("author") SELECT "author" FROM (SELECT "author" FROM "tidemark_distinct_slugs") AS k WHERE 1 = 1 ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO NOTHING;
INSERT INTO "tidemark__dirty_distinct_slugs" ("author") SELECT "author" FROM (SELECT q."author" FROM (SELECT "posts"."author" AS "author", COUNT(DISTINCT "posts"."state") AS "states" FROM "posts" AS "posts" GROUP BY "posts"."author") AS q) AS k WHERE 1 = 1 ON CONFLICT (ifnull("author", 0), ("author" IS NULL)) DO NOTHING;

-- advice: recomputing a key reads all of posts without it
CREATE INDEX "posts_author_idx" ON "posts" ("author");

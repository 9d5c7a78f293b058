-- one_row: linear at commit freshness
-- SELECT count(*) AS n, count(*) FILTER (WHERE live = 1) AS live FROM posts
-- because: one source, posts; every aggregate is kept by what each row adds or takes away

-- table tidemark_one_row
CREATE TABLE "tidemark_one_row" (
  "_only" integer NOT NULL,
  "_rows" INTEGER NOT NULL DEFAULT 0,
  "_live" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("_only")
) WITHOUT ROWID;

-- trigger tidemark__insert_one_row_posts
CREATE TRIGGER "tidemark__insert_one_row_posts" AFTER INSERT ON "posts"
BEGIN /* tidemark:069ad762d64a17d4 */ 
  INSERT INTO "tidemark_one_row" ("_only", "_rows", "_live") SELECT (1), 1, CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END WHERE 1
  ON CONFLICT ("_only") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_live" = "_live" + excluded."_live";
END;

-- trigger tidemark__delete_one_row_posts
CREATE TRIGGER "tidemark__delete_one_row_posts" AFTER DELETE ON "posts"
BEGIN /* tidemark:49070eab821fbd23 */ 
  UPDATE "tidemark_one_row" SET "_rows" = "_rows" - (1), "_live" = "_live" - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END) WHERE "tidemark_one_row"."_only" = (1);
END;

-- trigger tidemark__update_one_row_posts
CREATE TRIGGER "tidemark__update_one_row_posts" AFTER UPDATE OF "live", "rowid", "_rowid_", "oid" ON "posts"
WHEN OLD."live" IS NOT NEW."live" COLLATE BINARY
BEGIN /* tidemark:da8ee6affb943f92 */ 
  UPDATE "tidemark_one_row" SET "_rows" = "_rows" - (1) + (1), "_live" = "_live" - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END) + (CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END) WHERE ((1) IS (1)) AND "tidemark_one_row"."_only" = (1);
  UPDATE "tidemark_one_row" SET "_rows" = "_rows" - (1), "_live" = "_live" - (CASE WHEN (OLD."live" = 1) THEN 1 ELSE 0 END) WHERE "tidemark_one_row"."_only" = (1) AND ((1) IS (1)) IS NOT TRUE;
  INSERT INTO "tidemark_one_row" ("_only", "_rows", "_live") SELECT (1), 1, CASE WHEN (NEW."live" = 1) THEN 1 ELSE 0 END WHERE ((1) IS (1)) IS NOT TRUE
  ON CONFLICT ("_only") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_live" = "_live" + excluded."_live";
END;

-- table tidemark__stash_one_row_posts
CREATE TABLE "tidemark__stash_one_row_posts" (i0 INTEGER, "live" INTEGER, PRIMARY KEY (i0));

-- trigger tidemark__stash_insert_one_row_posts
CREATE TRIGGER "tidemark__stash_insert_one_row_posts" BEFORE INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))))
BEGIN /* tidemark:0319b565132dea5c */ 
  DELETE FROM "tidemark__stash_one_row_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__stash_one_row_posts".i0);
  INSERT INTO "tidemark__stash_one_row_posts" (i0, "live") SELECT r."id", r."live" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1)))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "live" = excluded."live";
END;

-- trigger tidemark__unstash_insert_one_row_posts
CREATE TRIGGER "tidemark__unstash_insert_one_row_posts" AFTER INSERT ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_one_row_posts")
BEGIN /* tidemark:23d430e56adb29f2 */ 
  INSERT INTO "tidemark_one_row" ("_only", "_rows", "_live") SELECT (1), -(1), -(CASE WHEN (v."live" = 1) THEN 1 ELSE 0 END) FROM "tidemark__stash_one_row_posts" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0))
  ON CONFLICT ("_only") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_live" = "_live" + excluded."_live";
  DELETE FROM "tidemark__stash_one_row_posts";
END;

-- trigger tidemark__stash_update_one_row_posts
CREATE TRIGGER "tidemark__stash_update_one_row_posts" BEFORE UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:10bee51c2b3b871d */ 
  DELETE FROM "tidemark__stash_one_row_posts" WHERE EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS "tidemark__stash_one_row_posts".i0);
  INSERT INTO "tidemark__stash_one_row_posts" (i0, "live") SELECT r."id", r."live" FROM "posts" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."slug") = (NEW."slug")) OR ((r."author2") = (NEW."author2") AND (r."live" = 1) AND (NEW."live" = 1))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "live" = excluded."live";
END;

-- trigger tidemark__unstash_update_one_row_posts
CREATE TRIGGER "tidemark__unstash_update_one_row_posts" AFTER UPDATE OF "author2", "id", "live", "slug", "rowid", "_rowid_", "oid" ON "posts"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND EXISTS (SELECT 1 FROM "tidemark__stash_one_row_posts")
BEGIN /* tidemark:0ee58f8c5c0cc1e8 */ 
  INSERT INTO "tidemark_one_row" ("_only", "_rows", "_live") SELECT (1), -(1), -(CASE WHEN (v."live" = 1) THEN 1 ELSE 0 END) FROM "tidemark__stash_one_row_posts" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."author2" IS NOT NEW."author2" COLLATE BINARY OR typeof(OLD."author2") <> typeof(NEW."author2") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id") OR OLD."live" IS NOT NEW."live" COLLATE BINARY OR typeof(OLD."live") <> typeof(NEW."live") OR OLD."slug" IS NOT NEW."slug" COLLATE BINARY OR typeof(OLD."slug") <> typeof(NEW."slug")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "posts" AS t WHERE t."id" IS v.i0))
  ON CONFLICT ("_only") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_live" = "_live" + excluded."_live";
  DELETE FROM "tidemark__stash_one_row_posts";
END;

-- trigger tidemark__unstash_delete_one_row_posts
CREATE TRIGGER "tidemark__unstash_delete_one_row_posts" AFTER DELETE ON "posts"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_one_row_posts")
BEGIN /* tidemark:370a87617cf0b25f */ 
  DELETE FROM "tidemark__stash_one_row_posts" WHERE "tidemark__stash_one_row_posts".i0 IS OLD."id";
END;

-- view one_row (public)
CREATE VIEW "one_row" AS /* tidemark:662c0adf118e912e */ SELECT
  (s."_rows") AS "n",
  (s."_live") AS "live"
FROM "tidemark_one_row" AS s
WHERE 1 = 1;

-- trigger tidemark__readonly_one_row_insert (public)
CREATE TRIGGER "tidemark__readonly_one_row_insert" INSTEAD OF INSERT ON "one_row" BEGIN /* tidemark:b22ab7b4f3ea8412 */ SELECT RAISE(ABORT, 'one_row is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_one_row_update (public)
CREATE TRIGGER "tidemark__readonly_one_row_update" INSTEAD OF UPDATE ON "one_row" BEGIN /* tidemark:d41b5f956996bddb */ SELECT RAISE(ABORT, 'one_row is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_one_row_delete (public)
CREATE TRIGGER "tidemark__readonly_one_row_delete" INSTEAD OF DELETE ON "one_row" BEGIN /* tidemark:0b9bcbf5849bbcd0 */ SELECT RAISE(ABORT, 'one_row is derived and kept by Tidemark: write to its sources instead'); END;

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_one_row" (tidemark_n INTEGER PRIMARY KEY, "_only" integer); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_one_row" ON "tidemark__batch_one_row" ("_only");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_one_row" (tidemark_n INTEGER PRIMARY KEY, "_only" integer, "_rows" INTEGER, "_live" INTEGER);
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_one_row" (tidemark_n INTEGER PRIMARY KEY, "_only" integer, "_rows" INTEGER, "_live" INTEGER);
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_one_row" (tidemark_n INTEGER PRIMARY KEY, "_only" integer);

-- applier: every key
DELETE FROM temp."tidemark__todo_one_row";
INSERT INTO temp."tidemark__todo_one_row" ("_only") SELECT * FROM (SELECT 1 AS "_only" UNION SELECT "_only" FROM "tidemark_one_row") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_one_row" (tidemark_n, "_only") SELECT tidemark_n, "_only" FROM temp."tidemark__todo_one_row" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
DELETE FROM temp."tidemark__stored_one_row";
INSERT INTO temp."tidemark__stored_one_row" (tidemark_n, "_only", "_rows", "_live") SELECT b.tidemark_n, s."_only", s."_rows", s."_live" FROM (SELECT * FROM temp."tidemark__batch_one_row" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_one_row" AS s ON s."_only" = b."_only";
DELETE FROM temp."tidemark__fresh_one_row";
INSERT INTO temp."tidemark__fresh_one_row" (tidemark_n, "_only", "_rows", "_live") SELECT b.tidemark_n, b."_only", coalesce(f0."_rows", 0) AS "_rows", coalesce(f0."_live", 0) AS "_live" FROM temp."tidemark__batch_one_row" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, coalesce(sum(1), 0) AS "_rows", coalesce(sum(CASE WHEN (r."live" = 1) THEN 1 ELSE 0 END), 0) AS "_live" FROM (SELECT * FROM temp."tidemark__batch_one_row" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "posts" AS r ON (1) = b."_only" GROUP BY b.tidemark_n) AS f0 ON f0.tidemark_n = b.tidemark_n;
DELETE FROM temp."tidemark__fresh_one_row" AS s WHERE 1 = 0;

-- applier: compare
SELECT 'missing' AS kind, s."_only", NULL, NULL, NULL, NULL, (s."_rows"), (s."_live"), s."_rows", s."_live" FROM temp."tidemark__fresh_one_row" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_one_row" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."_only", (s."_rows"), (s."_live"), s."_rows", s."_live", NULL, NULL, NULL, NULL FROM temp."tidemark__stored_one_row" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_one_row" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (1 = 0) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, a.v3, z.v0, z.v1, z.v2, z.v3 FROM (SELECT s.tidemark_n, s."_only" AS k0, (s."_rows") AS v0, (s."_live") AS v1, s."_rows" AS v2, s."_live" AS v3 FROM temp."tidemark__stored_one_row" AS s) AS a JOIN (SELECT s.tidemark_n, (s."_rows") AS v0, (s."_live") AS v1, s."_rows" AS v2, s."_live" AS v3 FROM temp."tidemark__fresh_one_row" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_one_row" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_one_row" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS y."_rows" AND x."_live" IS y."_live");

-- applier: write
INSERT INTO "tidemark_one_row" AS s ("_only", "_rows", "_live") SELECT "_only", "_rows", "_live" FROM temp."tidemark__fresh_one_row" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_one_row" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS f."_rows" AND o."_live" IS f."_live") ORDER BY "_only" ON CONFLICT ("_only") DO UPDATE SET "_rows" = excluded."_rows", "_live" = excluded."_live";
DELETE FROM "tidemark_one_row" WHERE ("_only") IN (SELECT b."_only" FROM temp."tidemark__stored_one_row" AS b WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_one_row" AS f WHERE f.tidemark_n = b.tidemark_n));

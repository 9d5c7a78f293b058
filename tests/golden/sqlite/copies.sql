-- copies: linear at commit freshness
-- SELECT id, upper(name) AS loud FROM users WHERE email <> ''
-- because: a row for each row of users

-- table tidemark_copies
CREATE TABLE "tidemark_copies" (
  "id" INTEGER NOT NULL,
  "_rows" INTEGER NOT NULL DEFAULT 0,
  "_loud", PRIMARY KEY ("id")
) WITHOUT ROWID;

-- trigger tidemark__insert_copies_users
CREATE TRIGGER "tidemark__insert_copies_users" AFTER INSERT ON "users"
BEGIN /* tidemark:e600b2bd26cb586b */ 
  INSERT INTO "tidemark_copies" ("id", "_rows", "_loud") SELECT ((NEW."id")), 1, (UPPER(NEW."name")) WHERE ((NEW."email" <> ''))
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_loud" = excluded."_loud";
END;

-- trigger tidemark__delete_copies_users
CREATE TRIGGER "tidemark__delete_copies_users" AFTER DELETE ON "users"
BEGIN /* tidemark:9702eca817b20f32 */ 
  INSERT INTO "tidemark_copies" ("id", "_rows") SELECT ((OLD."id")), -(1) WHERE ((OLD."email" <> ''))
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" - (1), "_loud" = NULL;
  DELETE FROM "tidemark_copies" WHERE ((OLD."email" <> '')) AND "tidemark_copies"."id" = ((OLD."id")) AND "tidemark_copies"."_rows" = 0 AND "tidemark_copies"."_loud" IS NULL;
END;

-- trigger tidemark__update_copies_users
CREATE TRIGGER "tidemark__update_copies_users" AFTER UPDATE OF "id", "name", "email", "rowid", "_rowid_", "oid" ON "users"
WHEN OLD."id" IS NOT NEW."id" COLLATE BINARY OR OLD."name" IS NOT NEW."name" COLLATE BINARY OR OLD."email" IS NOT NEW."email" COLLATE BINARY
BEGIN /* tidemark:49afde7c2df39d63 */ 
  UPDATE "tidemark_copies" SET "_rows" = "_rows" - (1) + (1), "_loud" = (UPPER(NEW."name")) WHERE (((OLD."id")) IS ((NEW."id")) AND ((OLD."email" <> '')) AND ((NEW."email" <> ''))) AND "tidemark_copies"."id" = ((NEW."id"));
  INSERT INTO "tidemark_copies" ("id", "_rows") SELECT ((OLD."id")), -(1) WHERE ((OLD."email" <> '')) AND (((OLD."id")) IS ((NEW."id")) AND ((OLD."email" <> '')) AND ((NEW."email" <> ''))) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" - (1), "_loud" = NULL;
  INSERT INTO "tidemark_copies" ("id", "_rows", "_loud") SELECT ((NEW."id")), 1, (UPPER(NEW."name")) WHERE ((NEW."email" <> '')) AND (((OLD."id")) IS ((NEW."id")) AND ((OLD."email" <> '')) AND ((NEW."email" <> ''))) IS NOT TRUE
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows", "_loud" = excluded."_loud";
  DELETE FROM "tidemark_copies" WHERE ((OLD."email" <> '')) AND (((OLD."id")) IS ((NEW."id")) AND ((OLD."email" <> '')) AND ((NEW."email" <> ''))) IS NOT TRUE AND "tidemark_copies"."id" = ((OLD."id")) AND "tidemark_copies"."_rows" = 0 AND "tidemark_copies"."_loud" IS NULL;
END;

-- table tidemark__stash_copies_users
CREATE TABLE "tidemark__stash_copies_users" (i0 INTEGER, "id" INTEGER, "name" TEXT, "email" TEXT, PRIMARY KEY (i0));

-- trigger tidemark__stash_insert_copies_users
CREATE TRIGGER "tidemark__stash_insert_copies_users" BEFORE INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))))
BEGIN /* tidemark:2cb349941e29d2b0 */ 
  DELETE FROM "tidemark__stash_copies_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__stash_copies_users".i0);
  INSERT INTO "tidemark__stash_copies_users" (i0, "id", "name", "email") SELECT r."id", r."id", r."name", r."email" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email")))
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id", "name" = excluded."name", "email" = excluded."email";
END;

-- trigger tidemark__unstash_insert_copies_users
CREATE TRIGGER "tidemark__unstash_insert_copies_users" AFTER INSERT ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_copies_users")
BEGIN /* tidemark:692b421b88cd0997 */ 
  INSERT INTO "tidemark_copies" ("id", "_rows") SELECT ((v."id")), -(1) FROM "tidemark__stash_copies_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)) AND ((v."email" <> ''))
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows";
  UPDATE "tidemark_copies" SET "_loud" = (SELECT (UPPER(r."name")) FROM "users" AS r WHERE ((r."id")) = "tidemark_copies"."id" AND ((r."email" <> ''))) WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_copies_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)) AND ((v."email" <> '')));
  DELETE FROM "tidemark_copies" WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_copies_users" AS v WHERE (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)) AND ((v."email" <> ''))) AND "tidemark_copies"."_rows" = 0 AND "tidemark_copies"."_loud" IS NULL;
  DELETE FROM "tidemark__stash_copies_users";
END;

-- trigger tidemark__stash_update_copies_users
CREATE TRIGGER "tidemark__stash_update_copies_users" BEFORE UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id"))
BEGIN /* tidemark:8168362a6599d924 */ 
  DELETE FROM "tidemark__stash_copies_users" WHERE EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS "tidemark__stash_copies_users".i0);
  INSERT INTO "tidemark__stash_copies_users" (i0, "id", "name", "email") SELECT r."id", r."id", r."name", r."email" FROM "users" AS r WHERE ((r.rowid = NEW.rowid) OR ((r."id") = (NEW."id")) OR ((r."email") = (NEW."email"))) AND NOT (r."id" IS OLD."id")
  ON CONFLICT (i0) DO UPDATE SET i0 = excluded.i0, "id" = excluded."id", "name" = excluded."name", "email" = excluded."email";
END;

-- trigger tidemark__unstash_update_copies_users
CREATE TRIGGER "tidemark__unstash_update_copies_users" AFTER UPDATE OF "email", "id", "rowid", "_rowid_", "oid" ON "users"
WHEN (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND EXISTS (SELECT 1 FROM "tidemark__stash_copies_users")
BEGIN /* tidemark:ff8b5f2b9e35ef9f */ 
  INSERT INTO "tidemark_copies" ("id", "_rows") SELECT ((v."id")), -(1) FROM "tidemark__stash_copies_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)) AND ((v."email" <> ''))
  ON CONFLICT ("id") DO UPDATE SET "_rows" = "_rows" + excluded."_rows";
  UPDATE "tidemark_copies" SET "_loud" = (SELECT (UPPER(r."name")) FROM "users" AS r WHERE ((r."id")) = "tidemark_copies"."id" AND ((r."email" <> ''))) WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_copies_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)) AND ((v."email" <> '')));
  DELETE FROM "tidemark_copies" WHERE ("id") IN (SELECT ((v."id")) FROM "tidemark__stash_copies_users" AS v WHERE (OLD.rowid IS NOT NEW.rowid OR OLD."email" IS NOT NEW."email" COLLATE BINARY OR typeof(OLD."email") <> typeof(NEW."email") OR OLD."id" IS NOT NEW."id" COLLATE BINARY OR typeof(OLD."id") <> typeof(NEW."id")) AND NOT (v.i0 IS OLD."id") AND (v.i0 IS NEW."id" OR NOT EXISTS (SELECT 1 FROM "users" AS t WHERE t."id" IS v.i0)) AND ((v."email" <> ''))) AND "tidemark_copies"."_rows" = 0 AND "tidemark_copies"."_loud" IS NULL;
  DELETE FROM "tidemark__stash_copies_users";
END;

-- trigger tidemark__unstash_delete_copies_users
CREATE TRIGGER "tidemark__unstash_delete_copies_users" AFTER DELETE ON "users"
WHEN EXISTS (SELECT 1 FROM "tidemark__stash_copies_users")
BEGIN /* tidemark:ebebba62db7a9cce */ 
  DELETE FROM "tidemark__stash_copies_users" WHERE "tidemark__stash_copies_users".i0 IS OLD."id";
END;

-- view copies (public)
CREATE VIEW "copies" AS /* tidemark:17bdb4df18a34d99 */ SELECT
  s."id" AS "id",
  s."_loud" AS "loud"
FROM "tidemark_copies" AS s
WHERE s."_rows" > 0;

-- trigger tidemark__readonly_copies_insert (public)
CREATE TRIGGER "tidemark__readonly_copies_insert" INSTEAD OF INSERT ON "copies" BEGIN /* tidemark:aae47a32824a9dee */ SELECT RAISE(ABORT, 'copies is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_copies_update (public)
CREATE TRIGGER "tidemark__readonly_copies_update" INSTEAD OF UPDATE ON "copies" BEGIN /* tidemark:b4c9c6b55625d846 */ SELECT RAISE(ABORT, 'copies is derived and kept by Tidemark: write to its sources instead'); END;

-- trigger tidemark__readonly_copies_delete (public)
CREATE TRIGGER "tidemark__readonly_copies_delete" INSTEAD OF DELETE ON "copies" BEGIN /* tidemark:85e8b7b6e66c0336 */ SELECT RAISE(ABORT, 'copies is derived and kept by Tidemark: write to its sources instead'); END;

-- applier: temporary tables
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__batch_copies" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER); CREATE INDEX IF NOT EXISTS temp."tidemark__batch_unit_copies" ON "tidemark__batch_copies" ("id");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__fresh_copies" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_loud");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__stored_copies" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER, "_rows" INTEGER, "_loud");
CREATE TEMP TABLE IF NOT EXISTS temp."tidemark__todo_copies" (tidemark_n INTEGER PRIMARY KEY, "id" INTEGER);

-- applier: every key
DELETE FROM temp."tidemark__todo_copies";
INSERT INTO temp."tidemark__todo_copies" ("id") SELECT * FROM (SELECT ((r."id")) AS "id" FROM "users" AS r WHERE (r."email" <> '') UNION SELECT "id" FROM "tidemark_copies") AS k ORDER BY 1;
INSERT INTO temp."tidemark__batch_copies" (tidemark_n, "id") SELECT tidemark_n, "id" FROM temp."tidemark__todo_copies" WHERE tidemark_n > :low AND tidemark_n <= :high;

-- applier: lock

-- applier: recompute
DELETE FROM temp."tidemark__stored_copies";
INSERT INTO temp."tidemark__stored_copies" (tidemark_n, "id", "_rows", "_loud") SELECT b.tidemark_n, s."id", s."_rows", s."_loud" FROM (SELECT * FROM temp."tidemark__batch_copies" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "tidemark_copies" AS s ON s."id" = b."id";
DELETE FROM temp."tidemark__fresh_copies";
INSERT INTO temp."tidemark__fresh_copies" (tidemark_n, "id", "_rows", "_loud") SELECT b.tidemark_n, b."id", coalesce(f0."_rows", 0) AS "_rows", f0."_loud" AS "_loud" FROM temp."tidemark__batch_copies" AS b LEFT JOIN (SELECT b.tidemark_n AS tidemark_n, 1 AS "_rows", (UPPER(r."name")) AS "_loud" FROM (SELECT * FROM temp."tidemark__batch_copies" WHERE likelihood(rowid IS rowid, 0.000001)) AS b CROSS JOIN "users" AS r ON ((r."id")) = b."id" AND ((r."email" <> ''))) AS f0 ON f0.tidemark_n = b.tidemark_n;
DELETE FROM temp."tidemark__fresh_copies" AS s WHERE s."_rows" = 0 AND s."_loud" IS NULL;

-- applier: compare
SELECT 'missing' AS kind, s."id", NULL, NULL, NULL, s."_loud", s."_rows", s."_loud" FROM temp."tidemark__fresh_copies" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_copies" AS o WHERE o.tidemark_n = s.tidemark_n) UNION ALL SELECT 'extra', s."id", s."_loud", s."_rows", s."_loud", NULL, NULL, NULL FROM temp."tidemark__stored_copies" AS s WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_copies" AS f WHERE f.tidemark_n = s.tidemark_n) AND NOT (s."_rows" = 0 AND s."_loud" IS NULL) UNION ALL SELECT 'different', a.k0, a.v0, a.v1, a.v2, z.v0, z.v1, z.v2 FROM (SELECT s.tidemark_n, s."id" AS k0, s."_loud" AS v0, s."_rows" AS v1, s."_loud" AS v2 FROM temp."tidemark__stored_copies" AS s) AS a JOIN (SELECT s.tidemark_n, s."_loud" AS v0, s."_rows" AS v1, s."_loud" AS v2 FROM temp."tidemark__fresh_copies" AS s) AS z ON z.tidemark_n = a.tidemark_n JOIN temp."tidemark__stored_copies" AS x ON x.tidemark_n = a.tidemark_n JOIN temp."tidemark__fresh_copies" AS y ON y.tidemark_n = a.tidemark_n WHERE NOT (x."_rows" IS y."_rows" AND x."_loud" IS y."_loud");

-- applier: write
INSERT INTO "tidemark_copies" AS s ("id", "_rows", "_loud") SELECT "id", "_rows", "_loud" FROM temp."tidemark__fresh_copies" AS f WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__stored_copies" AS o WHERE o.tidemark_n = f.tidemark_n AND o."_rows" IS f."_rows" AND o."_loud" IS f."_loud" COLLATE BINARY AND typeof(o."_loud") = typeof(f."_loud")) ORDER BY "id" ON CONFLICT ("id") DO UPDATE SET "_rows" = excluded."_rows", "_loud" = excluded."_loud";
DELETE FROM "tidemark_copies" WHERE ("id") IN (SELECT b."id" FROM temp."tidemark__stored_copies" AS b WHERE NOT EXISTS (SELECT 1 FROM temp."tidemark__fresh_copies" AS f WHERE f.tidemark_n = b.tidemark_n));

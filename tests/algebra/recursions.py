"""Queries that refer to themselves, and queries of several groupings, over the tables of `tests.algebra.world`.

Owns: `RECURSIONS`. Promises: as `cases`.
"""

from __future__ import annotations

from tests.algebra.cases import Case

RECURSIONS = (
    Case(
        "recursion",
        "WITH RECURSIVE above(id, top) AS (SELECT id, boss FROM users UNION SELECT a.id, u.boss FROM above a "
        "JOIN users u ON u.id = a.top) SELECT id, top, (SELECT count(*) FROM above b WHERE b.top = a.top) AS n "
        "FROM above a WHERE top IS NOT NULL",
        ("id", "top"),
        klass="global",
    ),
    Case(
        "recursion_beside_rows",
        "SELECT u.id, (WITH RECURSIVE users_(who, steps) AS (SELECT b.boss, 1 FROM users b WHERE b.id = u.id UNION ALL "
        "SELECT c.boss, x.steps + 1 FROM users_ x JOIN users c ON c.id = x.who WHERE x.steps < 4) "
        "SELECT max(steps) FROM users_) AS n FROM users u",
        "id",
    ),
    Case(
        "recursion_from_rows_outside",
        "SELECT u.id, (WITH RECURSIVE up(who, steps) AS (SELECT u.boss, 1 UNION ALL SELECT c.boss, x.steps + 1 FROM up x "
        "JOIN users c ON c.id = x.who WHERE x.steps < 4) SELECT count(p.id) FROM posts p JOIN up ON up.who = p.author) AS n, "
        "(SELECT max(p.score) FROM posts p WHERE p.author IN (WITH RECURSIVE down(who) AS (SELECT u.id UNION "
        "SELECT c.id FROM down JOIN users c ON c.boss = down.who) SELECT who FROM down)) AS most FROM users u",
        "id",
    ),
    Case(
        "recursion_from_a_subquery",
        "SELECT s.id, (WITH RECURSIVE up(who) AS (SELECT s.author UNION SELECT c.boss FROM up JOIN users c ON c.id = up.who) "
        "SELECT count(who) FROM up) AS n FROM (SELECT id, author FROM posts WHERE state = 'a') s",
        "id",
    ),
    Case(
        "recursion_after_others",
        "WITH RECURSIVE above(id, top) AS (SELECT id, boss FROM users UNION SELECT a.id, u.boss FROM above a "
        "JOIN users u ON u.id = a.top) SELECT a.id, count(*) AS n, max(p.score) AS most FROM posts p "
        "JOIN above a ON a.top = p.author GROUP BY a.id",
        "id",
    ),
    Case(
        "recursion_beside_a_table",
        "WITH RECURSIVE above(id, top) AS (SELECT id, boss FROM users UNION SELECT a.id, u.boss FROM above a "
        "JOIN users u ON u.id = a.top) SELECT k, count(*) AS n FROM (SELECT id AS k FROM above UNION ALL "
        "SELECT author FROM posts WHERE state = 'a') z GROUP BY k",
        "k",
    ),
    Case(
        "fields_of_rows",
        "SELECT (p).id, (u).name, (SELECT count(*) FROM follows f WHERE (f).a = (u).id) AS n FROM posts p "
        "LEFT JOIN users u ON (u).id = (p).author",
        "id",
        "postgres",
    ),
    Case(
        "recursion_by_where_it_begins",
        "WITH RECURSIVE tree AS (SELECT id, id AS root, 0 AS depth FROM users WHERE boss IS NULL UNION ALL "
        "SELECT u.id, t.root, t.depth + 1 FROM users u JOIN tree t ON u.boss = t.id) "
        "SELECT root, count(*) AS n, max(depth) AS deep FROM tree GROUP BY root",
        "root",
    ),
    Case(
        "recursion_met_by_others",
        "WITH RECURSIVE above(id, top) AS (SELECT id, boss FROM users WHERE region > 1 UNION SELECT a.id, f.b FROM above a "
        "JOIN follows f ON f.a = a.top WHERE NOT EXISTS (SELECT 1 FROM tags t WHERE t.post = f.b)) "
        "SELECT a.id, a.top, p.state, count(*) AS n FROM above a JOIN posts p ON p.author = a.top "
        "WHERE a.top IN (SELECT score FROM posts WHERE state = 'a') GROUP BY a.id, a.top, p.state",
        ("id", "top", "state"),
    ),
    Case(
        "recursion_in_both_sides",
        "WITH RECURSIVE up(id, top) AS (SELECT id, boss FROM users UNION SELECT x.id, u.boss FROM up x "
        "JOIN users u ON u.id = x.top), down(id, low) AS (SELECT a, b FROM follows UNION "
        "SELECT y.id, f.b FROM down y JOIN follows f ON f.a = y.low) "
        "SELECT up.id, up.top, down.low FROM up JOIN down ON down.id = up.top WHERE up.top IN (SELECT score FROM posts)",
        ("id", "top", "low"),
    ),
    Case(
        "recursion_of_paths",
        "WITH RECURSIVE t(id, path) AS (SELECT id, name FROM users WHERE boss IS NULL UNION ALL "
        "SELECT u.id, t.path || '/' || u.name FROM users u JOIN t ON u.boss = t.id) SELECT id, path FROM t",
        "id",
        klass="global",
    ),
    Case(
        "recursion_of_numbers",
        "WITH RECURSIVE n AS (SELECT 1 AS place UNION ALL SELECT place + 1 FROM n WHERE place < 5) "
        "SELECT n.place, count(p.id) AS posts FROM n LEFT JOIN posts p ON p.author = n.place GROUP BY n.place",
        "place",
    ),
    Case(
        "numbers_beside_each_other",
        "WITH RECURSIVE n(k) AS (VALUES (0) UNION ALL SELECT k + 1 FROM n WHERE k < 4), m AS (SELECT k * 2 AS low FROM n) "
        "SELECT m.low, n.k, count(p.id) AS posts, max(u.region) AS most FROM m JOIN n ON n.k <= m.low "
        "LEFT JOIN posts p ON p.score >= m.low AND p.author = n.k LEFT JOIN users u ON u.boss = p.id GROUP BY m.low, n.k",
        ("low", "k"),
    ),
    Case(
        "rows_without_a_number",
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION SELECT k % 3 + 1 FROM n) SELECT u.id, u.region FROM users u "
        "WHERE NOT EXISTS (SELECT 1 FROM n WHERE n.k = u.region)",
        "id",
    ),
    Case(
        "numbers_that_are_counted",
        "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n LIMIT 4) "
        "SELECT n.k, count(p.rowid) AS posts FROM n LEFT JOIN posts p ON p.score = n.k GROUP BY n.k",
        "k",
        "sqlite",
    ),
    Case(
        "rows_by_number",
        "SELECT p.rowid AS number, u.name FROM posts p JOIN users u ON u.oid = p.author",
        "number",
        "sqlite",
    ),
    Case(
        "numbers_up_to_a_row",
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < (SELECT max(score) FROM posts)) "
        "SELECT n.k, count(u.id) AS people FROM n LEFT JOIN users u ON u.region = n.k GROUP BY n.k",
        "k",
        klass="global",
    ),
    Case(
        "recursion_without_the_word",
        "WITH posts(k) AS (SELECT id FROM users WHERE boss IS NULL UNION SELECT u.id FROM users u JOIN posts r ON u.boss = r.k) "
        "SELECT k FROM posts",
        "k",
        "sqlite",
        klass="global",
    ),
    Case(
        "subtotals",
        "SELECT author, state, grouping(author, state) AS level, count(*) AS n, sum(score + author) AS s FROM posts "
        "GROUP BY ROLLUP (author, state) HAVING count(*) > 1 OR state IS NULL",
        ("level", "author", "state"),
        "postgres",
        klass="bilinear",
    ),
    Case(
        "rows_like_a_row",
        "SELECT u.id, (u.region, u.boss) = (SELECT p.author, p.score FROM posts p WHERE p.id = u.id) AS same FROM users u "
        "WHERE (u.region, u.id) > (SELECT min(f.live), max(f.a) FROM follows f WHERE f.b = u.id) OR u.name IS NULL",
        "id",
    ),
    Case(
        "columns_in_parentheses",
        "SELECT author, state, count(*) AS n FROM posts GROUP BY (author, state)",
        ("author", "state"),
        "postgres",
        klass="linear",
    ),
    Case(
        "compared_groupings",
        "SELECT author, score > 2 AS high, grouping(score > 2) AS level, count(*) AS n FROM posts "
        "GROUP BY author, ROLLUP (score > 2)",
        ("level", "author", "high"),
        "postgres",
    ),
    Case(
        "groupings_of_each",
        "SELECT author, state, score % 2 AS odd, grouping(state, score % 2) AS g, max(score) AS best FROM posts "
        "GROUP BY author, GROUPING SETS ((2, score % 2), score % 2, ())",
        ("g", "author", "state", "odd"),
        "postgres",
    ),
)

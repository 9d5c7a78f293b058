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
        klass="global",
    ),
    Case(
        "recursion_of_numbers",
        "WITH RECURSIVE n AS (SELECT 1 AS place UNION ALL SELECT place + 1 FROM n WHERE place < 5) "
        "SELECT n.place, count(p.id) AS posts FROM n LEFT JOIN posts p ON p.author = n.place GROUP BY n.place",
        "place",
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
        klass="global",
    ),
    Case(
        "groupings_of_each",
        "SELECT author, state, score % 2 AS odd, grouping(state, score % 2) AS g, max(score) AS best FROM posts "
        "GROUP BY author, GROUPING SETS ((2, score % 2), score % 2, ())",
        ("g", "author", "state", "odd"),
        "postgres",
    ),
)

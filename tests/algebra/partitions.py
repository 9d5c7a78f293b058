"""Windows by what the result does not show, over the tables of `tests.algebra.world`.

Owns: `PARTITIONS`. Promises: as `cases`; a case that is keyed stores what its windows are partitioned by beside what is seen.
"""

from __future__ import annotations

from tests.algebra.cases import Case

PARTITIONS = (
    Case("unseen_place", "SELECT id, row_number() OVER (PARTITION BY author ORDER BY score, id) AS n FROM posts", "id"),
    Case(
        "unseen_in_with",
        "WITH x AS (SELECT id, score, row_number() OVER (PARTITION BY author ORDER BY score, id) AS n FROM posts) "
        "SELECT * FROM x WHERE n <= 2",
        "id",
    ),
    Case(
        "unseen_starred",
        "SELECT x.* FROM (SELECT id, rank() OVER (PARTITION BY author ORDER BY score) AS n FROM posts) x",
        "id",
    ),
    Case(
        "unseen_through_with",
        "WITH x AS (SELECT id, author, score, lag(score) OVER (PARTITION BY author ORDER BY id) AS before FROM posts), "
        "y AS (SELECT id, score - before AS step FROM x) SELECT id, step FROM y WHERE step IS NOT NULL ORDER BY step, id LIMIT 3",
        "id",
    ),
    Case(
        "unseen_frames",
        "SELECT id, sum(score) OVER (PARTITION BY author ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS near, "
        "count(*) OVER (PARTITION BY author ORDER BY score RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS alike, "
        "count(*) OVER (PARTITION BY author ORDER BY score GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS below FROM posts",
        "id",
    ),
    Case(
        "unseen_others",
        "SELECT id, sum(score) OVER (PARTITION BY author ORDER BY score ROWS BETWEEN UNBOUNDED PRECEDING AND "
        "UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) AS others, count(*) OVER (PARTITION BY author ORDER BY score GROUPS "
        "BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES) AS untied, count(*) OVER (PARTITION BY author "
        "ORDER BY score GROUPS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE GROUP) AS unlike FROM posts",
        "id",
    ),
    Case(
        "unseen_values",
        "SELECT id, nth_value(score, 2) OVER w AS second, first_value(score) OVER w AS first, last_value(score) OVER w AS "
        "last, lag(score, 1, 0) OVER (PARTITION BY author ORDER BY id) AS before FROM posts WINDOW w AS "
        "(PARTITION BY author ORDER BY score, id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
        "id",
    ),
    Case(
        "unseen_shares",
        "SELECT id, ntile(2) OVER w AS half, cume_dist() OVER w AS below, percent_rank() OVER w AS place FROM posts "
        "WINDOW w AS (PARTITION BY state ORDER BY score, id)",
        "id",
    ),
    Case(
        "unseen_named",
        "SELECT id, row_number() OVER (w ORDER BY score, id) AS n, count(*) FILTER (WHERE state = 'a') OVER w AS a FROM posts "
        "WINDOW w AS (PARTITION BY author)",
        "id",
    ),
    Case(
        "unseen_expression",
        "SELECT id, count(*) OVER (PARTITION BY score % 2, author) AS n, max(score) OVER (PARTITION BY author) AS most "
        "FROM posts",
        "id",
    ),
    Case(
        "unseen_of_another",
        "SELECT p.id, rank() OVER (PARTITION BY u.region ORDER BY p.score) AS place FROM posts p JOIN users u ON u.id = p.author",
        "id",
    ),
    Case(
        "unseen_within",
        "SELECT x.id, x.n FROM (SELECT id, score, row_number() OVER (PARTITION BY author ORDER BY score DESC, id) AS n FROM "
        "posts) x WHERE x.n <= 2",
        "id",
    ),
    Case(
        "unseen_beside",
        "SELECT x.id, u.name, x.n FROM (SELECT id, author, row_number() OVER (PARTITION BY state ORDER BY score, id) AS n "
        "FROM posts) x LEFT JOIN users u ON u.id = x.author",
        "id",
    ),
    Case(
        "unseen_two",
        "SELECT id, rank() OVER (PARTITION BY author ORDER BY score) AS a, rank() OVER (PARTITION BY state ORDER BY score) AS b "
        "FROM posts",
        "id",
        klass="global",
    ),
    Case(
        "unseen_first",
        "SELECT id, score, count(*) OVER (PARTITION BY author) AS n FROM posts ORDER BY score DESC, id LIMIT 3",
        "id",
    ),
)

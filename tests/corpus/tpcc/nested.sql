-- name: nested_in_exists_in
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE EXISTS (
    SELECT 1 FROM orders o
    WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
      AND o.o_id IN (
          SELECT l.o_id FROM order_line l
          WHERE l.w_id = o.w_id AND l.d_id = o.d_id
            AND l.i_id IN (SELECT i.i_id FROM item i WHERE i.category = 'toys')));

-- name: nested_not_exists_twice
-- key: w_id, d_id
SELECT d.w_id, d.d_id
FROM district d
WHERE NOT EXISTS (
    SELECT 1 FROM customer c
    WHERE c.w_id = d.w_id AND c.d_id = d.d_id AND c.credit = 'BC'
      AND NOT EXISTS (
          SELECT 1 FROM history h WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id));

-- name: nested_scalar_in_scalar
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT count(*) FROM order_line l
        WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
          AND l.amount > (SELECT i.price FROM item i WHERE i.i_id = l.i_id)) AS over_price
FROM orders o;

-- name: nested_derived_filter_exists
-- key: category
SELECT x.category, sum(x.pieces) AS pieces
FROM (
    SELECT i.category, s.i_id, sum(s.quantity) AS pieces
    FROM stock s JOIN item i ON i.i_id = s.i_id
    WHERE EXISTS (SELECT 1 FROM order_line l WHERE l.i_id = s.i_id AND l.supply_w_id = s.w_id)
    GROUP BY i.category, s.i_id) AS x
WHERE x.pieces < 200
GROUP BY x.category;

-- name: nested_scalar_in_where_of_group
-- key: w_id
SELECT l.w_id, count(*) AS lines, sum(l.amount) AS amount
FROM order_line l
WHERE l.quantity > (SELECT avg(m.quantity) FROM order_line m WHERE m.i_id = l.i_id)
GROUP BY l.w_id;

-- name: nested_exists_over_group
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE EXISTS (
    SELECT 1 FROM orders o
    WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
    GROUP BY o.carrier
    HAVING count(*) > 1);

-- name: nested_in_with_correlation
-- key: w_id, i_id
SELECT s.w_id, s.i_id, s.quantity
FROM stock s
WHERE s.i_id IN (
    SELECT l.i_id FROM order_line l
    WHERE l.supply_w_id = s.w_id AND l.delivered IS NULL
    GROUP BY l.i_id HAVING sum(l.quantity) > s.quantity / 4);

-- name: nested_all_quantifier
-- key: i_id
-- sqlite
SELECT i.i_id, i.title
FROM item i
WHERE NOT EXISTS (SELECT 1 FROM stock s WHERE s.i_id = i.i_id AND s.quantity <= 20);
-- postgresql
SELECT i.i_id, i.title
FROM item i
WHERE 20 < ALL (SELECT s.quantity FROM stock s WHERE s.i_id = i.i_id);

-- name: nested_any_quantifier
-- key: w_id, d_id, c_id
-- sqlite
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE c.c_id IN (SELECT o.c_id FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.carrier = 4);
-- postgresql
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE c.c_id = ANY (SELECT o.c_id FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.carrier = 4);

-- name: nested_case_with_scalars
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       CASE WHEN (SELECT count(*) FROM orders o
                  WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) > 2 THEN 'often'
            WHEN (SELECT count(*) FROM orders o
                  WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) > 0 THEN 'seldom'
            ELSE 'never' END AS buys
FROM customer c;

-- name: nested_union_in_exists
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE EXISTS (
    SELECT 1 FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id AND o.line_count > 7
    UNION ALL
    SELECT 1 FROM history h WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id AND h.amount > 300000);

-- name: nested_derived_three_deep
-- key: w_id, c_id
SELECT z.w_id, z.c_id, z.n
FROM (
    SELECT y.w_id, y.c_id, y.n
    FROM (SELECT x.w_id, x.c_id, count(*) AS n
          FROM (SELECT w_id, d_id, o_id, c_id FROM orders WHERE carrier IS NOT NULL) AS x
          GROUP BY x.w_id, x.c_id) AS y
    WHERE y.n > 1) AS z
WHERE z.c_id IS NOT NULL;

-- name: nested_subquery_in_on
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, h.amount
FROM customer c
JOIN history h ON h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id
    AND h.h_id = (SELECT max(g.h_id) FROM history g
                  WHERE g.c_w_id = c.w_id AND g.c_d_id = c.d_id AND g.c_id = c.c_id);

-- name: nested_exists_in_case_in_sum
-- key: w_id
SELECT o.w_id,
       sum(CASE WHEN EXISTS (SELECT 1 FROM new_order n
                             WHERE n.w_id = o.w_id AND n.d_id = o.d_id AND n.o_id = o.o_id) THEN 1 ELSE 0 END) AS open_orders
FROM orders o
GROUP BY o.w_id;

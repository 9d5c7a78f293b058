-- name: orders_with_derived_totals
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, o.c_id, t.total
FROM orders o
JOIN (SELECT w_id, d_id, o_id, sum(amount) AS total FROM order_line GROUP BY w_id, d_id, o_id) AS t
    ON t.w_id = o.w_id AND t.d_id = o.d_id AND t.o_id = o.o_id;

-- name: customers_with_two_derived
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, coalesce(o.orders, 0) AS orders, coalesce(h.paid, 0) AS paid
FROM customer c
LEFT JOIN (SELECT w_id, d_id, c_id, count(*) AS orders FROM orders GROUP BY w_id, d_id, c_id) AS o
    ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
LEFT JOIN (SELECT c_w_id, c_d_id, c_id, sum(amount) AS paid FROM history GROUP BY c_w_id, c_d_id, c_id) AS h
    ON h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id;

-- name: filter_over_derived
-- key: i_id
SELECT x.i_id, x.pieces
FROM (SELECT i_id, sum(quantity) AS pieces FROM order_line WHERE i_id IS NOT NULL GROUP BY i_id) AS x
WHERE x.pieces > 10;

-- name: projection_of_derived
-- key: w_id, d_id, c_id
SELECT x.w_id, x.d_id, x.c_id, x.debt * 100 / x.credit_limit AS used_percent
FROM (SELECT w_id, d_id, c_id, -balance AS debt, credit_limit FROM customer WHERE balance < 0) AS x
WHERE x.credit_limit > 0;

-- name: join_of_two_derived
-- key: i_id
SELECT s.i_id, s.pieces AS in_stock, l.pieces AS sold
FROM (SELECT i_id, sum(quantity) AS pieces FROM stock GROUP BY i_id) AS s
JOIN (SELECT i_id, sum(quantity) AS pieces FROM order_line GROUP BY i_id) AS l ON l.i_id = s.i_id;

-- name: derived_in_derived
-- key: w_id, d_id, c_id
SELECT y.w_id, y.d_id, y.c_id, y.amount
FROM (
    SELECT o.w_id, o.d_id, o.c_id, sum(x.total) AS amount
    FROM orders o
    JOIN (SELECT w_id, d_id, o_id, sum(amount) AS total FROM order_line GROUP BY w_id, d_id, o_id) AS x
        ON x.w_id = o.w_id AND x.d_id = o.d_id AND x.o_id = o.o_id
    WHERE o.c_id IS NOT NULL
    GROUP BY o.w_id, o.d_id, o.c_id) AS y
WHERE y.amount > 50000;

-- name: district_orders_and_customers
-- key: w_id, d_id
SELECT d.w_id, d.d_id, c.customers, o.orders, o.orders * 10 / c.customers AS per_ten
FROM district d
JOIN (SELECT w_id, d_id, count(*) AS customers FROM customer GROUP BY w_id, d_id) AS c
    ON c.w_id = d.w_id AND c.d_id = d.d_id
JOIN (SELECT w_id, d_id, count(*) AS orders FROM orders GROUP BY w_id, d_id) AS o
    ON o.w_id = d.w_id AND o.d_id = d.d_id;

-- name: derived_with_distinct
-- key: w_id, category
SELECT x.w_id, x.category, w.name
FROM (SELECT DISTINCT s.w_id, i.category FROM stock s JOIN item i ON i.i_id = s.i_id WHERE s.quantity < 20) AS x
JOIN warehouse w ON w.w_id = x.w_id
WHERE x.category IS NOT NULL;

-- name: derived_union_grouped
-- key: w_id, d_id, c_id
SELECT e.w_id, e.d_id, e.c_id, count(*) AS events, max(e.at) AS last_at
FROM (
    SELECT w_id, d_id, c_id, entered AS at FROM orders WHERE c_id IS NOT NULL
    UNION ALL
    SELECT c_w_id, c_d_id, c_id, paid_at FROM history WHERE c_id IS NOT NULL) AS e
GROUP BY e.w_id, e.d_id, e.c_id;

-- name: derived_with_case
-- key: w_id, band
SELECT x.w_id, x.band, count(*) AS customers, sum(x.balance) AS balance
FROM (
    SELECT w_id, balance,
           CASE WHEN balance < 0 THEN 'debt' WHEN balance = 0 THEN 'even' ELSE 'credit' END AS band
    FROM customer) AS x
GROUP BY x.w_id, x.band;

-- name: last_payment_by_derived_max
-- key: h_id
SELECT h.h_id, h.c_w_id, h.c_d_id, h.c_id, h.amount
FROM history h
JOIN (SELECT c_w_id, c_d_id, c_id, max(h_id) AS h_id FROM history GROUP BY c_w_id, c_d_id, c_id) AS m
    ON m.h_id = h.h_id AND m.c_w_id = h.c_w_id AND m.c_d_id = h.c_d_id;

-- name: customers_with_latest_order
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.last_name, x.o_id, o.entered
FROM customer c
JOIN (SELECT w_id, d_id, c_id, max(o_id) AS o_id FROM orders GROUP BY w_id, d_id, c_id) AS x
    ON x.w_id = c.w_id AND x.d_id = c.d_id AND x.c_id = c.c_id
JOIN orders o ON o.w_id = x.w_id AND o.d_id = x.d_id AND o.o_id = x.o_id;

-- name: revenue_share_in_category
-- key: i_id
SELECT a.i_id, a.category, a.amount * 100 / nullif(b.amount, 0) AS percent
FROM (SELECT i.i_id, i.category, sum(l.amount) AS amount
      FROM item i JOIN order_line l ON l.i_id = i.i_id GROUP BY i.i_id, i.category) AS a
JOIN (SELECT i.category, sum(l.amount) AS amount
      FROM item i JOIN order_line l ON l.i_id = i.i_id GROUP BY i.category) AS b ON b.category = a.category;

-- name: derived_renames
-- key: house, shelf
-- sqlite
SELECT s.house, s.shelf, s.pieces
FROM (SELECT w_id AS house, i_id AS shelf, quantity AS pieces FROM stock WHERE quantity BETWEEN 20 AND 40) AS s;
-- postgresql
SELECT s.house, s.shelf, s.pieces
FROM (SELECT w_id, i_id, quantity FROM stock WHERE quantity BETWEEN 20 AND 40) AS s (house, shelf, pieces);

-- name: derived_with_exists
-- key: w_id
SELECT x.w_id, count(*) AS wanted_items
FROM (
    SELECT s.w_id, s.i_id
    FROM stock s
    WHERE EXISTS (
        SELECT 1 FROM order_line l WHERE l.supply_w_id = s.w_id AND l.i_id = s.i_id AND l.delivered IS NULL)) AS x
GROUP BY x.w_id;

-- name: derived_right_side_of_left_join
-- key: i_id
SELECT i.i_id, i.title, coalesce(x.customers, 0) AS customers
FROM item i
LEFT JOIN (
    SELECT l.i_id, count(DISTINCT o.c_id) AS customers
    FROM order_line l
    JOIN orders o ON o.w_id = l.w_id AND o.d_id = l.d_id AND o.o_id = l.o_id
    GROUP BY l.i_id) AS x ON x.i_id = i.i_id;

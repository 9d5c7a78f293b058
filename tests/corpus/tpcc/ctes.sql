-- name: cte_order_totals
-- key: w_id, d_id, c_id
WITH totals AS (
    SELECT w_id, d_id, o_id, sum(amount) AS total FROM order_line GROUP BY w_id, d_id, o_id)
SELECT o.w_id, o.d_id, o.c_id, count(*) AS orders, sum(t.total) AS amount, max(t.total) AS largest
FROM orders o
JOIN totals t ON t.w_id = o.w_id AND t.d_id = o.d_id AND t.o_id = o.o_id
GROUP BY o.w_id, o.d_id, o.c_id;

-- name: cte_used_twice
-- key: w_id, d_id
WITH per_district AS (
    SELECT w_id, d_id, count(*) AS orders FROM orders GROUP BY w_id, d_id)
SELECT a.w_id, a.d_id, a.orders, count(b.d_id) AS busier
FROM per_district a
LEFT JOIN per_district b ON b.w_id = a.w_id AND b.orders > a.orders
GROUP BY a.w_id, a.d_id, a.orders;

-- name: cte_chain
-- key: w_id, d_id, c_id
WITH good AS (
    SELECT w_id, d_id, c_id, last_name FROM customer WHERE credit = 'GC'),
good_orders AS (
    SELECT g.w_id, g.d_id, g.c_id, g.last_name, o.o_id
    FROM good g JOIN orders o ON o.w_id = g.w_id AND o.d_id = g.d_id AND o.c_id = g.c_id)
SELECT x.w_id, x.d_id, x.c_id, x.last_name, count(*) AS orders
FROM good_orders x
GROUP BY x.w_id, x.d_id, x.c_id, x.last_name;

-- name: cte_with_exists
-- key: i_id
WITH scarce AS (
    SELECT i_id FROM stock GROUP BY i_id HAVING sum(quantity) < 120)
SELECT i.i_id, i.title
FROM item i
WHERE EXISTS (SELECT 1 FROM scarce s WHERE s.i_id = i.i_id);

-- name: cte_in_list
-- key: w_id, d_id, o_id, line_no
WITH dear AS (
    SELECT i_id FROM item WHERE price > 8000)
SELECT l.w_id, l.d_id, l.o_id, l.line_no, l.amount
FROM order_line l
WHERE l.i_id IN (SELECT i_id FROM dear);

-- name: cte_not_in
-- key: w_id, d_id, c_id
WITH payers AS (
    SELECT DISTINCT c_w_id, c_d_id, c_id FROM history WHERE c_id IS NOT NULL)
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE (c.w_id, c.d_id, c.c_id) NOT IN (SELECT p.c_w_id, p.c_d_id, p.c_id FROM payers p);

-- name: cte_union_members
-- key: w_id, d_id, c_id
WITH active AS (
    SELECT w_id, d_id, c_id FROM orders WHERE c_id IS NOT NULL
    UNION
    SELECT c_w_id, c_d_id, c_id FROM history WHERE c_id IS NOT NULL)
SELECT a.w_id, a.d_id, a.c_id, c.last_name
FROM active a
LEFT JOIN customer c ON c.w_id = a.w_id AND c.d_id = a.d_id AND c.c_id = a.c_id;

-- name: cte_columns_named
-- key: house, district
WITH counted (house, district, open_orders) AS (
    SELECT w_id, d_id, count(*) FROM new_order GROUP BY w_id, d_id)
SELECT house, district, open_orders FROM counted WHERE open_orders > 1;

-- name: cte_two_sides
-- key: i_id
WITH bought AS (
    SELECT i_id, sum(quantity) AS pieces FROM order_line WHERE delivered IS NOT NULL GROUP BY i_id),
waiting AS (
    SELECT i_id, sum(quantity) AS pieces FROM order_line WHERE delivered IS NULL GROUP BY i_id)
SELECT i.i_id, b.pieces AS bought, w.pieces AS waiting
FROM item i
LEFT JOIN bought b ON b.i_id = i.i_id
LEFT JOIN waiting w ON w.i_id = i.i_id;

-- name: cte_scalar_correlated
-- key: w_id, d_id
WITH debt AS (
    SELECT w_id, d_id, c_id, -balance AS owed FROM customer WHERE balance < 0)
SELECT d.w_id, d.d_id, d.name,
       (SELECT sum(x.owed) FROM debt x WHERE x.w_id = d.w_id AND x.d_id = d.d_id) AS owed,
       (SELECT count(*) FROM debt x WHERE x.w_id = d.w_id AND x.d_id = d.d_id) AS debtors
FROM district d;

-- name: cte_shadowing_table
-- key: i_id
WITH history AS (
    SELECT i_id, quantity FROM order_line WHERE delivered IS NOT NULL)
SELECT i.i_id, i.title, count(h.quantity) AS lines
FROM item i
LEFT JOIN history h ON h.i_id = i.i_id
GROUP BY i.i_id, i.title;

-- name: cte_argmax
-- key: w_id, d_id, c_id
WITH paid AS (
    SELECT c_w_id, c_d_id, c_id, max(amount) AS amount FROM history WHERE c_id IS NOT NULL GROUP BY c_w_id, c_d_id, c_id)
SELECT p.c_w_id AS w_id, p.c_d_id AS d_id, p.c_id, p.amount, max(h.paid_at) AS at
FROM paid p
JOIN history h ON h.c_w_id = p.c_w_id AND h.c_d_id = p.c_d_id AND h.c_id = p.c_id AND h.amount = p.amount
GROUP BY p.c_w_id, p.c_d_id, p.c_id, p.amount;

-- name: cte_nested_with
-- key: w_id
SELECT x.w_id, x.amount
FROM (
    WITH sales AS (SELECT w_id, sum(amount) AS amount FROM order_line GROUP BY w_id)
    SELECT s.w_id, s.amount FROM sales s JOIN warehouse w ON w.w_id = s.w_id) AS x;

-- name: cte_of_window
-- key: w_id, d_id, o_id
WITH numbered AS (
    SELECT w_id, d_id, o_id, c_id, row_number() OVER (PARTITION BY w_id, d_id, c_id ORDER BY o_id) AS place
    FROM orders WHERE c_id IS NOT NULL)
SELECT n.w_id, n.d_id, n.o_id, n.c_id, n.place
FROM numbered n
WHERE n.place > 1;

-- name: cte_recursive_chain
-- key: w_id, d_id, c_id, depth
WITH RECURSIVE chain (w_id, d_id, c_id, above, depth) AS (
    SELECT w_id, d_id, c_id, referred_by, 0 FROM customer
    UNION
    SELECT k.w_id, k.d_id, k.c_id, c.referred_by, k.depth + 1
    FROM chain k
    JOIN customer c ON c.w_id = k.w_id AND c.d_id = k.d_id AND c.c_id = k.above
    WHERE k.depth < 4)
SELECT w_id, d_id, c_id, depth, above FROM chain WHERE depth > 0 AND above IS NOT NULL;

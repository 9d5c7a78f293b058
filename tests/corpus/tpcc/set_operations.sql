-- name: union_all_events
-- key: kind, id, w_id, d_id
SELECT 'order' AS kind, o_id AS id, w_id, d_id, entered AS at FROM orders
UNION ALL
SELECT 'payment', h_id, w_id, d_id, paid_at FROM history;

-- name: union_all_alerts
-- key: kind, w_id, id
SELECT 'stock' AS kind, w_id, i_id AS id, quantity AS value FROM stock WHERE quantity < 12
UNION ALL
SELECT 'district', w_id, d_id, next_o_id FROM district WHERE ytd > 500000;

-- name: union_of_customers
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id FROM orders WHERE c_id IS NOT NULL
UNION
SELECT c_w_id, c_d_id, c_id FROM history WHERE c_id IS NOT NULL;

-- name: union_of_names
-- key: name
SELECT name FROM warehouse
UNION
SELECT name FROM district
UNION
SELECT last_name FROM customer;

-- name: union_of_ids_with_nulls
-- key: id
SELECT carrier AS id FROM orders
UNION
SELECT referred_by FROM customer;

-- name: except_orders
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id FROM orders
EXCEPT
SELECT w_id, d_id, o_id FROM new_order;

-- name: except_silent_customers
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id FROM customer
EXCEPT
SELECT c_w_id, c_d_id, c_id FROM history;

-- name: except_items_without_stock
-- key: i_id
SELECT i_id FROM item
EXCEPT
SELECT i_id FROM stock WHERE quantity > 20;

-- name: except_with_columns
-- key: i_id, supply_w_id
SELECT i_id, supply_w_id FROM order_line WHERE i_id IS NOT NULL
EXCEPT
SELECT i_id, w_id FROM stock WHERE quantity >= 30;

-- name: intersect_payers_and_buyers
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id FROM orders
INTERSECT
SELECT c_w_id, c_d_id, c_id FROM history;

-- name: intersect_names
-- key: last_name
SELECT last_name FROM customer WHERE credit = 'GC'
INTERSECT
SELECT last_name FROM customer WHERE credit = 'BC';

-- name: intersect_items
-- key: i_id
SELECT i_id FROM order_line WHERE delivered IS NULL AND i_id IS NOT NULL
INTERSECT
SELECT i_id FROM stock WHERE quantity < 25;

-- name: union_all_grouped_branches
-- key: source, w_id
SELECT 'sales' AS source, w_id, sum(amount) AS amount FROM order_line GROUP BY w_id
UNION ALL
SELECT 'payments', w_id, sum(amount) FROM history GROUP BY w_id;

-- name: union_all_three_kinds
-- key: kind, w_id, d_id
SELECT 'customers' AS kind, w_id, d_id, count(*) AS n FROM customer GROUP BY w_id, d_id
UNION ALL
SELECT 'orders', w_id, d_id, count(*) FROM orders GROUP BY w_id, d_id
UNION ALL
SELECT 'open', w_id, d_id, count(*) FROM new_order GROUP BY w_id, d_id;

-- name: union_over_joins
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id FROM orders o
JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id
WHERE c.balance < 0
UNION
SELECT l.w_id, l.d_id, l.o_id FROM order_line l JOIN item i ON i.i_id = l.i_id WHERE i.price > 9000;

-- name: union_then_except
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id FROM orders WHERE carrier IS NULL AND c_id IS NOT NULL
UNION
SELECT w_id, d_id, c_id FROM customer WHERE balance < 0
EXCEPT
SELECT w_id, d_id, c_id FROM customer WHERE credit = 'GC';

-- name: grouped_union_all
-- key: w_id
SELECT x.w_id, sum(x.amount) AS net
FROM (
    SELECT w_id, amount FROM history
    UNION ALL
    SELECT w_id, -amount FROM order_line WHERE delivered IS NOT NULL) AS x
GROUP BY x.w_id;

-- name: joined_union
-- key: w_id, d_id, c_id, kind
SELECT c.w_id, c.d_id, c.c_id, e.kind, c.last_name, e.n
FROM customer c
JOIN (
    SELECT 'orders' AS kind, w_id, d_id, c_id, count(*) AS n FROM orders GROUP BY w_id, d_id, c_id
    UNION ALL
    SELECT 'payments', c_w_id, c_d_id, c_id, count(*) FROM history GROUP BY c_w_id, c_d_id, c_id) AS e
    ON e.w_id = c.w_id AND e.d_id = c.d_id AND e.c_id = c.c_id;

-- name: union_with_constants
-- key: w_id, metric
SELECT w_id, 'quantity' AS metric, quantity AS value FROM stock WHERE i_id = 1
UNION ALL
SELECT w_id, 'ytd', ytd FROM stock WHERE i_id = 1
UNION ALL
SELECT w_id, 'orders', order_count FROM stock WHERE i_id = 1;

-- name: symmetric_difference
-- key: side, w_id, d_id, o_id
SELECT 'open only' AS side, x.w_id, x.d_id, x.o_id
FROM (SELECT w_id, d_id, o_id FROM new_order EXCEPT SELECT w_id, d_id, o_id FROM orders WHERE carrier IS NULL) AS x
UNION ALL
SELECT 'order only', y.w_id, y.d_id, y.o_id
FROM (SELECT w_id, d_id, o_id FROM orders WHERE carrier IS NULL EXCEPT SELECT w_id, d_id, o_id FROM new_order) AS y;

-- name: intersect_of_union
-- key: i_id
SELECT i_id FROM item WHERE category = 'books'
INTERSECT
SELECT x.i_id FROM (
    SELECT i_id FROM order_line WHERE quantity > 5
    UNION
    SELECT i_id FROM stock WHERE quantity < 20) AS x;

-- name: union_distinct_pairs
-- key: a, b
SELECT w_id AS a, supply_w_id AS b FROM order_line
UNION
SELECT w_id, c_w_id FROM history;

-- name: subtotals
-- key: region, w_id
-- sqlite
SELECT w.region, w.w_id, sum(d.ytd) AS ytd
FROM warehouse w JOIN district d ON d.w_id = w.w_id
GROUP BY w.region, w.w_id
UNION ALL
SELECT w.region, NULL, sum(d.ytd)
FROM warehouse w JOIN district d ON d.w_id = w.w_id
GROUP BY w.region;
-- postgresql
SELECT w.region, w.w_id, sum(d.ytd) AS ytd
FROM warehouse w JOIN district d ON d.w_id = w.w_id
GROUP BY GROUPING SETS ((w.region, w.w_id), (w.region));

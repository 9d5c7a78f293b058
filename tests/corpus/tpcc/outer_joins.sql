-- name: customers_with_order_counts
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, count(o.o_id) AS orders, max(o.entered) AS last_order
FROM customer c
LEFT JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
GROUP BY c.w_id, c.d_id, c.c_id;

-- name: items_with_sales
-- key: i_id
SELECT i.i_id, i.title, coalesce(sum(l.quantity), 0) AS pieces, coalesce(sum(l.amount), 0) AS amount
FROM item i
LEFT JOIN order_line l ON l.i_id = i.i_id
GROUP BY i.i_id, i.title;

-- name: items_never_sold
-- key: i_id
SELECT i.i_id, i.title
FROM item i
LEFT JOIN order_line l ON l.i_id = i.i_id
WHERE l.w_id IS NULL;

-- name: orders_and_maybe_customer
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, coalesce(c.last_name, 'guest') AS last_name, c.credit
FROM orders o
LEFT JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id;

-- name: orders_open_or_not
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, n.o_id IS NOT NULL AS is_open
FROM orders o
LEFT JOIN new_order n ON n.w_id = o.w_id AND n.d_id = o.d_id AND n.o_id = o.o_id;

-- name: open_orders_without_order
-- key: w_id, d_id, o_id
SELECT n.w_id, n.d_id, n.o_id
FROM new_order n
LEFT JOIN orders o ON o.w_id = n.w_id AND o.d_id = n.d_id AND o.o_id = n.o_id
WHERE o.o_id IS NULL;

-- name: line_item_stock_chain
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, i.title, s.quantity AS in_stock
FROM order_line l
LEFT JOIN item i ON i.i_id = l.i_id
LEFT JOIN stock s ON s.i_id = i.i_id AND s.w_id = l.supply_w_id;

-- name: customers_and_referrers
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, r.last_name AS referrer, count(p.c_id) AS protegees
FROM customer c
LEFT JOIN customer r ON r.w_id = c.w_id AND r.d_id = c.d_id AND r.c_id = c.referred_by
LEFT JOIN customer p ON p.w_id = c.w_id AND p.d_id = c.d_id AND p.referred_by = c.c_id
GROUP BY c.w_id, c.d_id, c.c_id, r.last_name;

-- name: warehouses_with_district_debt
-- key: w_id
SELECT w.w_id, w.name, count(c.c_id) AS debtors, sum(c.balance) AS debt
FROM warehouse w
LEFT JOIN customer c ON c.w_id = w.w_id AND c.balance < 0
GROUP BY w.w_id, w.name;

-- name: districts_with_open_filter
-- key: w_id, d_id
SELECT d.w_id, d.d_id, count(n.o_id) AS open_orders, d.next_o_id - coalesce(min(n.o_id), d.next_o_id) AS backlog
FROM district d
LEFT JOIN new_order n ON n.w_id = d.w_id AND n.d_id = d.d_id
GROUP BY d.w_id, d.d_id, d.next_o_id;

-- name: right_join_customers
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, count(h.h_id) AS payments, sum(h.amount) AS paid
FROM history h
RIGHT JOIN customer c ON c.w_id = h.c_w_id AND c.d_id = h.c_d_id AND c.c_id = h.c_id
GROUP BY c.w_id, c.d_id, c.c_id;

-- name: right_join_items
-- key: i_id
SELECT i.i_id, i.title, count(s.w_id) AS warehouses
FROM stock s
RIGHT JOIN item i ON i.i_id = s.i_id AND s.quantity > 0
GROUP BY i.i_id, i.title;

-- name: full_join_open_orders
-- key: w_id, d_id, o_id
SELECT coalesce(o.w_id, n.w_id) AS w_id, coalesce(o.d_id, n.d_id) AS d_id, coalesce(o.o_id, n.o_id) AS o_id,
       o.carrier, n.o_id IS NOT NULL AS is_open
FROM orders o
FULL JOIN new_order n ON n.w_id = o.w_id AND n.d_id = o.d_id AND n.o_id = o.o_id;

-- name: full_join_stock_and_sales
-- key: w_id, i_id
SELECT coalesce(s.w_id, l.w_id) AS w_id, coalesce(s.i_id, l.i_id) AS i_id, s.quantity, l.pieces
FROM stock s
FULL JOIN (
    SELECT supply_w_id AS w_id, i_id, sum(quantity) AS pieces
    FROM order_line
    WHERE i_id IS NOT NULL
    GROUP BY supply_w_id, i_id) AS l ON l.w_id = s.w_id AND l.i_id = s.i_id;

-- name: full_join_counts
-- key: w_id
SELECT coalesce(w.w_id, d.w_id) AS w_id, w.name, count(d.d_id) AS districts
FROM warehouse w
FULL JOIN district d ON d.w_id = w.w_id
GROUP BY coalesce(w.w_id, d.w_id), w.name;

-- name: left_join_condition_on_both
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, count(l.line_no) AS local_lines
FROM orders o
LEFT JOIN order_line l
    ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id AND l.supply_w_id = o.w_id AND o.carrier IS NOT NULL
GROUP BY o.w_id, o.d_id, o.o_id;

-- name: left_join_then_inner
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, d.name, c.last_name
FROM orders o
LEFT JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id
JOIN district d ON d.w_id = o.w_id AND d.d_id = o.d_id;

-- name: left_join_over_inner
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, sum(x.amount) AS amount
FROM customer c
LEFT JOIN (orders o JOIN order_line x ON x.w_id = o.w_id AND x.d_id = o.d_id AND x.o_id = o.o_id)
    ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
GROUP BY c.w_id, c.d_id, c.c_id;

-- name: categories_with_late_lines
-- key: category
SELECT i.category, count(i.i_id) AS items, count(l.o_id) AS waiting
FROM item i
LEFT JOIN order_line l ON l.i_id = i.i_id AND l.delivered IS NULL
GROUP BY i.category;

-- name: customers_without_payment
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.balance
FROM customer c
LEFT JOIN history h ON h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id
WHERE h.h_id IS NULL AND c.balance <> 0;

-- name: payments_by_region_and_none
-- key: region
SELECT w.region, count(h.h_id) AS payments, coalesce(sum(h.amount), 0) AS paid
FROM warehouse w
LEFT JOIN district d ON d.w_id = w.w_id
LEFT JOIN history h ON h.w_id = d.w_id AND h.d_id = d.d_id
GROUP BY w.region;

-- name: left_join_with_null_test
-- key: h_id
SELECT h.h_id, CASE WHEN c.c_id IS NULL THEN 'unknown' WHEN c.credit = 'BC' THEN 'bad' ELSE 'good' END AS payer
FROM history h
LEFT JOIN customer c ON c.w_id = h.c_w_id AND c.d_id = h.c_d_id AND c.c_id = h.c_id;

-- name: two_left_joins_distinct_counts
-- key: w_id, d_id
SELECT d.w_id, d.d_id, count(DISTINCT c.c_id) AS customers, count(DISTINCT o.o_id) AS orders
FROM district d
LEFT JOIN customer c ON c.w_id = d.w_id AND c.d_id = d.d_id
LEFT JOIN orders o ON o.w_id = d.w_id AND o.d_id = d.d_id
GROUP BY d.w_id, d.d_id;

-- name: mixed_left_right
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, c.last_name, n.w_id IS NULL AS closed
FROM customer c
RIGHT JOIN orders o ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id
LEFT JOIN new_order n ON n.w_id = o.w_id AND n.d_id = o.d_id AND n.o_id = o.o_id;

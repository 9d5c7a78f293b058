-- name: mean_order_total_by_customer
-- key: w_id, d_id, c_id
SELECT o.w_id, o.d_id, o.c_id, avg(t.total) AS mean, max(t.total) AS largest
FROM orders o
JOIN (SELECT w_id, d_id, o_id, sum(amount) AS total FROM order_line GROUP BY w_id, d_id, o_id) AS t
    ON t.w_id = o.w_id AND t.d_id = o.d_id AND t.o_id = o.o_id
GROUP BY o.w_id, o.d_id, o.c_id;

-- name: largest_order_by_district
-- key: w_id, d_id
SELECT x.w_id, x.d_id, max(x.total) AS largest, avg(x.total) AS mean, count(*) AS orders
FROM (SELECT w_id, d_id, o_id, sum(amount) AS total FROM order_line GROUP BY w_id, d_id, o_id) AS x
GROUP BY x.w_id, x.d_id;

-- name: busiest_district_orders
-- key: w_id
SELECT x.w_id, max(x.orders) AS most, min(x.orders) AS fewest, sum(x.orders) AS orders
FROM (SELECT w_id, d_id, count(*) AS orders FROM orders GROUP BY w_id, d_id) AS x
GROUP BY x.w_id;

-- name: customers_by_order_count
-- key: w_id, d_id, orders
SELECT x.w_id, x.d_id, x.orders, count(*) AS customers
FROM (
    SELECT c.w_id, c.d_id, c.c_id, count(o.o_id) AS orders
    FROM customer c
    LEFT JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
    GROUP BY c.w_id, c.d_id, c.c_id) AS x
GROUP BY x.w_id, x.d_id, x.orders;

-- name: items_by_sold_pieces
-- key: pieces
SELECT x.pieces, count(*) AS items
FROM (SELECT i_id, sum(quantity) AS pieces FROM order_line GROUP BY i_id) AS x
GROUP BY x.pieces;

-- name: mean_paid_by_district
-- key: c_w_id, c_d_id
SELECT x.c_w_id, x.c_d_id, avg(x.paid) AS mean_paid, count(*) AS payers, sum(x.payments) AS payments
FROM (
    SELECT c_w_id, c_d_id, c_id, sum(amount) AS paid, count(*) AS payments
    FROM history GROUP BY c_w_id, c_d_id, c_id) AS x
GROUP BY x.c_w_id, x.c_d_id;

-- name: repeat_buyers_by_category
-- key: category
SELECT x.category, count(*) AS repeat_buyers, sum(x.lines) AS lines
FROM (
    SELECT i.category, o.w_id, o.d_id, o.c_id, count(*) AS lines
    FROM orders o
    JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
    JOIN item i ON i.i_id = l.i_id
    GROUP BY i.category, o.w_id, o.d_id, o.c_id
    HAVING count(*) > 1) AS x
GROUP BY x.category;

-- name: districts_with_frequent_payers
-- key: c_w_id, c_d_id
SELECT x.c_w_id, x.c_d_id, count(*) AS frequent, max(x.payments) AS most
FROM (
    SELECT c_w_id, c_d_id, c_id, count(*) AS payments
    FROM history GROUP BY c_w_id, c_d_id, c_id HAVING count(*) >= 2) AS x
GROUP BY x.c_w_id, x.c_d_id;

-- name: region_of_region_sums
-- key: region
SELECT w.region, max(x.amount) AS best, sum(x.amount) AS amount
FROM warehouse w
JOIN (SELECT w_id, sum(amount) AS amount FROM order_line GROUP BY w_id) AS x ON x.w_id = w.w_id
GROUP BY w.region;

-- name: three_levels
-- key: w_id
SELECT y.w_id, max(y.mean) AS best_mean
FROM (
    SELECT x.w_id, x.d_id, avg(x.total) AS mean
    FROM (SELECT w_id, d_id, o_id, sum(amount) AS total FROM order_line GROUP BY w_id, d_id, o_id) AS x
    GROUP BY x.w_id, x.d_id) AS y
GROUP BY y.w_id;

-- name: top_district_of_warehouse
-- key: w_id
WITH sums AS (
    SELECT w_id, d_id, sum(amount) AS amount FROM history GROUP BY w_id, d_id)
SELECT s.w_id, max(s.amount) AS most, count(*) FILTER (WHERE s.amount > 300000) AS over_three_thousand
FROM sums s
GROUP BY s.w_id;

-- name: spread_of_stock
-- key: i_id
SELECT x.i_id, max(x.pieces) - min(x.pieces) AS spread
FROM (SELECT i_id, w_id, sum(quantity + ytd) AS pieces FROM stock GROUP BY i_id, w_id) AS x
GROUP BY x.i_id
HAVING max(x.pieces) > min(x.pieces);

-- name: days_with_orders_by_customer
-- key: w_id, d_id, c_id
-- sqlite
SELECT x.w_id, x.d_id, x.c_id, count(*) AS days, max(x.orders) AS most_on_a_day
FROM (
    SELECT w_id, d_id, c_id, date(entered) AS day, count(*) AS orders
    FROM orders GROUP BY w_id, d_id, c_id, date(entered)) AS x
GROUP BY x.w_id, x.d_id, x.c_id;
-- postgresql
SELECT x.w_id, x.d_id, x.c_id, count(*) AS days, max(x.orders) AS most_on_a_day
FROM (
    SELECT w_id, d_id, c_id, entered::date AS day, count(*) AS orders
    FROM orders GROUP BY w_id, d_id, c_id, entered::date) AS x
GROUP BY x.w_id, x.d_id, x.c_id;

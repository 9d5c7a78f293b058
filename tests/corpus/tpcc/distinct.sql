-- name: distinct_names
-- key: last_name
SELECT DISTINCT last_name FROM customer;

-- name: distinct_sources
-- key: w_id, supply_w_id
SELECT DISTINCT w_id, supply_w_id FROM order_line WHERE supply_w_id <> w_id;

-- name: distinct_categories_in_stock
-- key: w_id, category
SELECT DISTINCT s.w_id, i.category
FROM stock s
JOIN item i ON i.i_id = s.i_id
WHERE s.quantity > 0;

-- name: distinct_customers_of_item
-- key: i_id, w_id, d_id, c_id
SELECT DISTINCT l.i_id, o.w_id, o.d_id, o.c_id
FROM order_line l
JOIN orders o ON o.w_id = l.w_id AND o.d_id = l.d_id AND o.o_id = l.o_id
WHERE l.i_id IS NOT NULL AND o.c_id IS NOT NULL;

-- name: distinct_expression
-- key: initial, credit
SELECT DISTINCT substr(last_name, 1, 1) AS initial, credit FROM customer;

-- name: distinct_carriers
-- key: carrier
SELECT DISTINCT carrier FROM orders;

-- name: distinct_items_by_warehouse
-- key: w_id
SELECT w_id, count(DISTINCT i_id) AS items, count(DISTINCT supply_w_id) AS suppliers, count(*) AS lines
FROM order_line
GROUP BY w_id;

-- name: distinct_customers_by_carrier
-- key: carrier
SELECT carrier, count(DISTINCT c_id) AS customers
FROM orders
GROUP BY carrier;

-- name: distinct_days_by_district
-- key: w_id, d_id
-- sqlite
SELECT w_id, d_id, count(DISTINCT date(entered)) AS days, count(DISTINCT carrier) AS carriers
FROM orders
GROUP BY w_id, d_id;
-- postgresql
SELECT w_id, d_id, count(DISTINCT entered::date) AS days, count(DISTINCT carrier) AS carriers
FROM orders
GROUP BY w_id, d_id;

-- name: distinct_names_by_district
-- key: w_id, d_id
SELECT w_id, d_id, count(DISTINCT last_name) AS names, count(DISTINCT lower(email)) AS addresses
FROM customer
GROUP BY w_id, d_id;

-- name: distinct_sum
-- key: category
SELECT category, sum(DISTINCT price) AS prices, avg(DISTINCT price) AS mean
FROM item
GROUP BY category;

-- name: distinct_filtered
-- key: i_id
SELECT i_id,
       count(DISTINCT w_id) FILTER (WHERE delivered IS NOT NULL) AS delivered_to,
       count(DISTINCT w_id) FILTER (WHERE delivered IS NULL) AS wanted_by
FROM order_line
WHERE i_id IS NOT NULL
GROUP BY i_id;

-- name: distinct_over_join_count
-- key: w_id, d_id
SELECT c.w_id, c.d_id, count(DISTINCT i.category) AS categories
FROM customer c
JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
JOIN item i ON i.i_id = l.i_id
GROUP BY c.w_id, c.d_id;

-- name: distinct_having
-- key: i_id
SELECT i_id, count(DISTINCT w_id) AS warehouses
FROM order_line
WHERE i_id IS NOT NULL
GROUP BY i_id
HAVING count(DISTINCT w_id) > 1;

-- name: distinct_grouped
-- key: most
SELECT DISTINCT count(*) AS most FROM customer GROUP BY last_name;

-- name: distinct_whole
SELECT count(DISTINCT last_name) AS names, count(DISTINCT credit) AS ratings FROM customer;

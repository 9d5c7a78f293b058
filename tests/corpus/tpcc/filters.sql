-- name: customers_in_debt
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, last_name, balance
FROM customer
WHERE balance < 0;

-- name: customers_over_limit
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, -balance - credit_limit AS over
FROM customer
WHERE -balance > credit_limit AND credit = 'GC';

-- name: undelivered_lines
-- key: w_id, d_id, o_id, line_no
SELECT w_id, d_id, o_id, line_no, i_id, quantity
FROM order_line
WHERE delivered IS NULL;

-- name: lines_without_item
-- key: w_id, d_id, o_id, line_no
SELECT w_id, d_id, o_id, line_no, amount
FROM order_line
WHERE i_id IS NULL OR amount = 0;

-- name: stock_to_reorder
-- key: w_id, i_id
SELECT w_id, i_id, quantity, 50 - quantity AS missing
FROM stock
WHERE quantity < 15;

-- name: heavy_items
-- key: i_id
SELECT i_id, title, weight, weight * 4 AS quarters
FROM item
WHERE weight >= 12.5;

-- name: item_price_band
-- key: i_id
SELECT i_id,
       CASE WHEN price < 500 THEN 'cheap' WHEN price < 5000 THEN 'fair' ELSE 'dear' END AS band,
       coalesce(category, 'none') AS category
FROM item;

-- name: order_age_class
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id,
       CASE WHEN carrier IS NULL THEN 'open' WHEN all_local THEN 'local' ELSE 'remote' END AS state,
       entered >= '2026-03-01 00:00:00' AS recent
FROM orders;

-- name: orders_by_known_carriers
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, carrier, line_count
FROM orders
WHERE carrier IN (1, 3, 5) AND line_count BETWEEN 2 AND 6;

-- name: orders_not_by_some_carriers
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, carrier
FROM orders
WHERE carrier NOT IN (1, 2);

-- name: customer_names
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, upper(last_name) || ', ' || first_name AS full_name, length(last_name) AS letters
FROM customer
WHERE last_name LIKE 'BAR%' OR last_name LIKE '%ING';

-- name: mailable_customers
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, lower(trim(email)) AS email
FROM customer
WHERE email IS NOT NULL AND email LIKE '%@%';

-- name: large_remote_payments
-- key: h_id
SELECT h_id, amount, w_id, c_w_id
FROM history
WHERE amount >= 200000 AND (w_id <> c_w_id OR d_id <> c_d_id);

-- name: payments_with_notes
-- key: h_id
SELECT h_id, coalesce(nullif(note, ''), 'empty') AS note, amount / 100 AS units, amount % 100 AS cents
FROM history
WHERE note IS NOT NULL;

-- name: busy_stock
-- key: w_id, i_id
SELECT w_id, i_id, ytd, order_count, remote_count * 100 / order_count AS remote_percent
FROM stock
WHERE order_count > 0 AND NOT (quantity > 90 OR ytd = 0);

-- name: referred_customers
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, referred_by, referred_by = c_id - 1 AS by_neighbour
FROM customer
WHERE referred_by IS NOT NULL;

-- name: open_order_keys
SELECT w_id, d_id, o_id FROM new_order;

-- name: taxed_districts
-- key: w_id, d_id
SELECT w_id, d_id, name, round(tax / 100.0) AS percent, abs(ytd) AS ytd
FROM district
WHERE tax > 0;

-- name: scalar_arithmetic
-- key: w_id, d_id, o_id, line_no
SELECT w_id, d_id, o_id, line_no, amount / quantity AS unit_price, amount % 7 AS check_digit, -amount AS credit,
       (quantity + 1) * (quantity - 1) AS area
FROM order_line
WHERE quantity <> 0;

-- name: scalar_nulls
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, email IS NULL AS silent, coalesce(email, last_name || '@nowhere') AS address,
       nullif(credit, 'GC') AS bad, referred_by IS DISTINCT FROM c_id AS fine
FROM customer;

-- name: scalar_like
-- key: i_id
SELECT i_id, title LIKE '%a%' AS has_a, title NOT LIKE 'b%' AS not_b, replace(title, ' ', '_') AS slug
FROM item;

-- name: scalar_simple_case
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, CASE carrier WHEN 1 THEN 'road' WHEN 2 THEN 'rail' WHEN 3 THEN 'air' ELSE 'other' END AS way
FROM orders;

-- name: scalar_casts
-- key: i_id
SELECT i_id, cast(price AS text) AS price_text, cast(weight AS integer) AS whole_weight, cast(i_id AS text) || '-x' AS tag
FROM item;

-- name: scalar_dates
-- key: w_id, d_id, o_id
-- sqlite
SELECT w_id, d_id, o_id, date(entered, '+14 days') AS due, strftime('%w', entered) AS weekday FROM orders;
-- postgresql
SELECT w_id, d_id, o_id, (entered + interval '14 days')::date AS due, extract(dow FROM entered) AS weekday FROM orders;

-- name: scalar_booleans
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, all_local AND carrier IS NOT NULL AS easy, NOT all_local OR line_count > 5 AS hard
FROM orders
WHERE all_local OR line_count >= 3;

-- name: scalar_row_comparison
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id FROM orders WHERE (w_id, d_id) IN ((1, 1), (1, 2), (2, 1)) OR (d_id, o_id) = (3, 5);

-- name: scalar_between
-- key: w_id, i_id
SELECT w_id, i_id, quantity BETWEEN 10 AND 50 AS normal, quantity NOT BETWEEN 0 AND 100 AS odd FROM stock;

-- name: scalar_greatest
-- key: w_id, i_id
-- sqlite
SELECT w_id, i_id, max(quantity, ytd) AS larger, min(order_count, remote_count) AS smaller FROM stock;
-- postgresql
SELECT w_id, i_id, greatest(quantity, ytd) AS larger, least(order_count, remote_count) AS smaller FROM stock;

-- name: scalar_text_functions
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, substr(last_name, 1, 3) || '.' AS short_name, length(first_name || last_name) AS letters,
       lower(last_name) = last_name AS is_lower, trim(first_name) AS first_name
FROM customer;

-- name: scalar_grouped_expression
-- key: parity, band
SELECT o_id % 2 AS parity, line_count / 3 AS band, count(*) AS orders, sum(line_count * line_count) AS squares
FROM orders
GROUP BY o_id % 2, line_count / 3;

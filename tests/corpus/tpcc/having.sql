-- name: frequent_payers
-- key: c_w_id, c_d_id, c_id
SELECT c_w_id, c_d_id, c_id, count(*) AS payments
FROM history
GROUP BY c_w_id, c_d_id, c_id
HAVING count(*) >= 3;

-- name: best_sellers
-- key: i_id
SELECT i_id, sum(quantity) AS pieces
FROM order_line
WHERE i_id IS NOT NULL
GROUP BY i_id
HAVING sum(quantity) > 20 AND count(*) > 2;

-- name: items_short_everywhere
-- key: i_id
SELECT i_id, max(quantity) AS most
FROM stock
GROUP BY i_id
HAVING max(quantity) < 40;

-- name: common_names
-- key: last_name
SELECT last_name, count(*) AS customers
FROM customer
GROUP BY last_name
HAVING count(*) > 1;

-- name: duplicate_emails
-- key: email
SELECT email, count(*) AS customers, min(c_id) AS first_id
FROM customer
WHERE email IS NOT NULL
GROUP BY email
HAVING count(*) > 1;

-- name: orders_partly_delivered
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, count(*) AS lines, count(delivered) AS delivered
FROM order_line
GROUP BY w_id, d_id, o_id
HAVING count(delivered) > 0 AND count(delivered) < count(*);

-- name: uneven_categories
-- key: category
SELECT category, min(price) AS cheapest, max(price) AS dearest
FROM item
GROUP BY category
HAVING max(price) > 2 * min(price);

-- name: customers_who_bought_much
-- key: w_id, d_id, c_id
SELECT o.w_id, o.d_id, o.c_id, sum(l.amount) AS amount
FROM orders o
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
WHERE o.c_id IS NOT NULL
GROUP BY o.w_id, o.d_id, o.c_id
HAVING sum(l.amount) > 100000;

-- name: districts_with_debtors
-- key: w_id, d_id
SELECT d.w_id, d.d_id, d.name, count(*) AS debtors
FROM district d
JOIN customer c ON c.w_id = d.w_id AND c.d_id = d.d_id
WHERE c.balance < 0
GROUP BY d.w_id, d.d_id, d.name
HAVING count(*) > 1 AND min(c.balance) < -50000;

-- name: busy_days
-- key: w_id, day
-- sqlite
SELECT w_id, date(entered) AS day, count(*) AS orders
FROM orders
GROUP BY w_id, date(entered)
HAVING count(*) > 1;
-- postgresql
SELECT w_id, entered::date AS day, count(*) AS orders
FROM orders
GROUP BY w_id, entered::date
HAVING count(*) > 1;

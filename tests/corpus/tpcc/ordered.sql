-- name: ordered_items
-- key: i_id
SELECT i_id, title, price FROM item ORDER BY price DESC, i_id;

-- name: ordered_groups
-- key: category
SELECT category, count(*) AS items FROM item GROUP BY category ORDER BY count(*) DESC, category;

-- name: ordered_join
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, c.last_name
FROM orders o
JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id
ORDER BY c.last_name, o.o_id DESC;

-- name: ordered_nulls
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, carrier FROM orders ORDER BY carrier DESC NULLS LAST, o_id;

-- name: ordered_union
-- key: kind, id
SELECT 'item' AS kind, i_id AS id, title AS label FROM item
UNION ALL
SELECT 'warehouse', w_id, name FROM warehouse
ORDER BY label, id;

-- name: ordered_by_alias
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, balance - credit_limit AS gap FROM customer ORDER BY gap, c_id;

-- name: top_ten_items
-- key: i_id
SELECT i_id, title, price FROM item ORDER BY price DESC, i_id LIMIT 10;

-- name: top_sellers_page_two
-- key: i_id
SELECT i_id, sum(amount) AS amount
FROM order_line
WHERE i_id IS NOT NULL
GROUP BY i_id
ORDER BY sum(amount) DESC, i_id LIMIT 5 OFFSET 5;

-- name: customers_with_top_five
-- key: w_id, d_id, c_id
-- global: who is among the five best depends on all customers, and who comes next when one goes is known to their order alone
SELECT c.w_id, c.d_id, c.c_id, c.last_name
FROM customer c
JOIN (SELECT w_id, d_id, c_id FROM customer ORDER BY balance DESC, w_id, d_id, c_id LIMIT 5) AS x
    ON x.w_id = c.w_id AND x.d_id = c.d_id AND x.c_id = c.c_id;

-- name: limit_per_row
-- key: w_id, d_id, best
-- sqlite
SELECT w_id, d_id, c_id AS best, balance
FROM (SELECT w_id, d_id, c_id, balance,
             row_number() OVER (PARTITION BY w_id, d_id ORDER BY balance DESC, c_id) AS place FROM customer) AS x
WHERE place <= 3;
-- postgresql
SELECT d.w_id, d.d_id, x.c_id AS best, x.balance
FROM district d
CROSS JOIN LATERAL (
    SELECT c.c_id, c.balance FROM customer c
    WHERE c.w_id = d.w_id AND c.d_id = d.d_id ORDER BY c.balance DESC, c.c_id LIMIT 3) AS x;

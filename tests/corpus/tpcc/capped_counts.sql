-- name: orders_capped
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT count(*) FROM (
            SELECT 1 FROM orders o
            WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id LIMIT 3) AS x) AS orders_up_to_three
FROM customer c;

-- name: loyal_customers
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE (SELECT count(*) FROM (
           SELECT 1 FROM history h
           WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id LIMIT 2) AS x) >= 2;

-- name: lines_capped_by_item
-- key: i_id
SELECT i.i_id, (SELECT count(*) FROM (SELECT 1 FROM order_line l WHERE l.i_id = i.i_id LIMIT 5) AS x) AS lines
FROM item i;

-- name: profile_steps
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (CASE WHEN c.email IS NOT NULL THEN 1 ELSE 0 END)
       + (CASE WHEN c.referred_by IS NOT NULL THEN 1 ELSE 0 END)
       + (CASE WHEN (SELECT count(*) FROM (
                         SELECT 1 FROM orders o
                         WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id LIMIT 2) AS x) = 2
               THEN 1 ELSE 0 END) AS steps
FROM customer c;

-- name: capped_open_orders
-- key: w_id, d_id
SELECT d.w_id, d.d_id,
       (SELECT count(*) FROM (
            SELECT 1 FROM new_order n WHERE n.w_id = d.w_id AND n.d_id = d.d_id LIMIT 4) AS x) AS open_up_to_four
FROM district d;

-- name: capped_sum_of_first
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT sum(x.amount) FROM (
            SELECT h.amount FROM history h
            WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id
            ORDER BY h.amount DESC, h.h_id LIMIT 2) AS x) AS best_two
FROM customer c;

-- name: capped_over_join
-- key: i_id
SELECT i.i_id,
       (SELECT count(*) FROM (
            SELECT 1 FROM order_line l
            JOIN orders o ON o.w_id = l.w_id AND o.d_id = l.d_id AND o.o_id = l.o_id
            WHERE l.i_id = i.i_id AND o.carrier IS NULL LIMIT 2) AS x) AS open_up_to_two
FROM item i;

-- name: capped_by_least
-- key: w_id, d_id, c_id
-- sqlite
SELECT c.w_id, c.d_id, c.c_id, min(5, count(o.o_id)) AS orders
FROM customer c
LEFT JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
GROUP BY c.w_id, c.d_id, c.c_id;
-- postgresql
SELECT c.w_id, c.d_id, c.c_id, least(5, count(o.o_id)) AS orders
FROM customer c
LEFT JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
GROUP BY c.w_id, c.d_id, c.c_id;

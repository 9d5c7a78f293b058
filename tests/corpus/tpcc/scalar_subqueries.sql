-- name: customer_figures
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT count(*) FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) AS orders,
       (SELECT sum(h.amount) FROM history h
        WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id) AS paid,
       (SELECT max(o.entered) FROM orders o
        WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) AS last_order
FROM customer c;

-- name: item_figures
-- key: i_id
SELECT i.i_id, i.title,
       (SELECT sum(s.quantity) FROM stock s WHERE s.i_id = i.i_id) AS in_stock,
       (SELECT sum(l.quantity) FROM order_line l WHERE l.i_id = i.i_id AND l.delivered IS NULL) AS wanted,
       (SELECT count(*) FROM order_line l WHERE l.i_id = i.i_id) AS lines
FROM item i;

-- name: order_figures
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT sum(l.amount) FROM order_line l
        WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id) AS total,
       o.line_count - (SELECT count(*) FROM order_line l
                       WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id) AS lost_lines
FROM orders o;

-- name: order_customer_name
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT c.last_name FROM customer c
        WHERE c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id) AS last_name
FROM orders o;

-- name: line_prices
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, l.amount,
       l.quantity * coalesce((SELECT i.price FROM item i WHERE i.i_id = l.i_id), 0) AS list_amount
FROM order_line l;

-- name: overcharged_lines
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, l.amount
FROM order_line l
WHERE l.amount > l.quantity * (SELECT i.price FROM item i WHERE i.i_id = l.i_id);

-- name: district_figures
-- key: w_id, d_id
SELECT d.w_id, d.d_id,
       (SELECT count(*) FROM customer c WHERE c.w_id = d.w_id AND c.d_id = d.d_id) AS customers,
       (SELECT count(*) FROM new_order n WHERE n.w_id = d.w_id AND n.d_id = d.d_id) AS open_orders,
       (SELECT sum(h.amount) FROM history h WHERE h.w_id = d.w_id AND h.d_id = d.d_id) AS income,
       (SELECT min(o.entered) FROM orders o WHERE o.w_id = d.w_id AND o.d_id = d.d_id AND o.carrier IS NULL) AS oldest
FROM district d;

-- name: ytd_is_right
-- key: w_id
SELECT w.w_id, w.ytd, w.ytd - (SELECT coalesce(sum(d.ytd), 0) FROM district d WHERE d.w_id = w.w_id) AS gap
FROM warehouse w;

-- name: customers_above_district_mean
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.balance
FROM customer c
WHERE c.balance > (SELECT avg(p.balance) FROM customer p WHERE p.w_id = c.w_id AND p.d_id = c.d_id);

-- name: cheapest_in_category
-- key: i_id
SELECT i.i_id, i.category, i.price
FROM item i
WHERE i.price = (SELECT min(j.price) FROM item j WHERE j.category = i.category);

-- name: distance_to_category_mean
-- key: i_id
SELECT i.i_id, i.price - (SELECT avg(j.price) FROM item j WHERE j.category = i.category) AS distance
FROM item i
WHERE i.category IS NOT NULL;

-- name: lines_above_order_mean
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, l.amount
FROM order_line l
WHERE l.amount * 2 > (
    SELECT sum(m.amount) FROM order_line m WHERE m.w_id = l.w_id AND m.d_id = l.d_id AND m.o_id = l.o_id);

-- name: customer_revenue_over_join
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT sum(l.amount)
        FROM orders o JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
        WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) AS amount
FROM customer c;

-- name: count_distinct_items_of_customer
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT count(DISTINCT l.i_id)
        FROM orders o JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
        WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) AS items
FROM customer c;

-- name: last_payment_amount
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT h.amount FROM history h
        WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id
        ORDER BY h.paid_at DESC, h.h_id DESC LIMIT 1) AS last_amount
FROM customer c;

-- name: dearest_item_bought
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT i.title
        FROM order_line l JOIN item i ON i.i_id = l.i_id
        WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
        ORDER BY i.price DESC, i.i_id LIMIT 1) AS title
FROM orders o;

-- name: score_of_customer
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       10 * (SELECT count(*) FROM history h WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id)
       + 3 * (SELECT count(*) FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id)
       + CASE c.credit WHEN 'GC' THEN 5 ELSE 0 END AS score
FROM customer c;

-- name: scalar_in_group_output
-- key: w_id
SELECT o.w_id, count(*) AS orders, (SELECT w.name FROM warehouse w WHERE w.w_id = o.w_id) AS name
FROM orders o
GROUP BY o.w_id;

-- name: scalar_in_having
-- key: w_id, d_id
SELECT o.w_id, o.d_id, count(*) AS orders
FROM orders o
GROUP BY o.w_id, o.d_id
HAVING count(*) > (SELECT count(*) FROM customer c WHERE c.w_id = o.w_id AND c.d_id = o.d_id);

-- name: scalar_over_left_join
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, c.last_name,
       (SELECT count(*) FROM history h WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id) AS payments
FROM orders o
LEFT JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id;

-- name: balance_check
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       coalesce((SELECT sum(l.amount)
                 FROM orders o JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
                 WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id AND l.delivered IS NOT NULL), 0)
       - coalesce((SELECT sum(h.amount) FROM history h
                   WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id), 0) - c.balance AS gap
FROM customer c;

-- name: running_count_by_subquery
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT count(*) FROM orders p
        WHERE p.w_id = o.w_id AND p.d_id = o.d_id AND p.c_id = o.c_id AND p.o_id <= o.o_id) AS place
FROM orders o;

-- name: filtered_scalar
-- key: w_id
SELECT w.w_id,
       (SELECT count(*) FILTER (WHERE s.quantity < 10) FROM stock s WHERE s.w_id = w.w_id) AS short,
       (SELECT avg(s.quantity) FROM stock s WHERE s.w_id = w.w_id AND s.order_count > 0) AS mean
FROM warehouse w;

-- name: scalar_of_grandparent
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT r.last_name FROM customer r
        WHERE r.w_id = c.w_id AND r.d_id = c.d_id
          AND r.c_id = (SELECT p.referred_by FROM customer p
                        WHERE p.w_id = c.w_id AND p.d_id = c.d_id AND p.c_id = c.referred_by)) AS grandparent
FROM customer c;

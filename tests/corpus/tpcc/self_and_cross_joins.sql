-- name: neighbours_by_name
-- key: w_id, d_id, a_id, b_id
SELECT a.w_id, a.d_id, a.c_id AS a_id, b.c_id AS b_id, a.last_name
FROM customer a
JOIN customer b ON b.w_id = a.w_id AND b.d_id = a.d_id AND b.last_name = a.last_name AND b.c_id > a.c_id;

-- name: referral_pairs
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, r.c_id AS referrer, r.credit AS referrer_credit
FROM customer c
JOIN customer r ON r.w_id = c.w_id AND r.d_id = c.d_id AND r.c_id = c.referred_by;

-- name: referral_grandparents
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, g.c_id AS grandparent, g.last_name
FROM customer c
JOIN customer p ON p.w_id = c.w_id AND p.d_id = c.d_id AND p.c_id = c.referred_by
JOIN customer g ON g.w_id = p.w_id AND g.d_id = p.d_id AND g.c_id = p.referred_by;

-- name: better_customers_count
-- key: w_id, d_id, c_id
SELECT a.w_id, a.d_id, a.c_id, count(b.c_id) AS better
FROM customer a
LEFT JOIN customer b ON b.w_id = a.w_id AND b.d_id = a.d_id AND b.balance > a.balance
GROUP BY a.w_id, a.d_id, a.c_id;

-- name: bought_together
-- key: a_id, b_id
SELECT a.i_id AS a_id, b.i_id AS b_id, count(*) AS times
FROM order_line a
JOIN order_line b ON b.w_id = a.w_id AND b.d_id = a.d_id AND b.o_id = a.o_id AND b.i_id > a.i_id
GROUP BY a.i_id, b.i_id;

-- name: same_item_twice_in_order
-- key: w_id, d_id, o_id, first_line, second_line
SELECT a.w_id, a.d_id, a.o_id, a.line_no AS first_line, b.line_no AS second_line, a.i_id
FROM order_line a
JOIN order_line b ON b.w_id = a.w_id AND b.d_id = a.d_id AND b.o_id = a.o_id AND b.i_id = a.i_id AND b.line_no > a.line_no;

-- name: stock_transfers
-- key: i_id, from_w, to_w
SELECT a.i_id, a.w_id AS from_w, b.w_id AS to_w, (a.quantity - b.quantity) / 2 AS pieces
FROM stock a
JOIN stock b ON b.i_id = a.i_id AND b.quantity < 15
WHERE a.quantity > 60;

-- name: district_grid
-- key: w_id, d_id, carrier
SELECT d.w_id, d.d_id, k.carrier, k.carrier * 10 + d.d_id AS slot
FROM district d
CROSS JOIN (SELECT 1 AS carrier UNION ALL SELECT 2 UNION ALL SELECT 3) AS k;

-- name: warehouse_pairs
-- key: a_id, b_id
SELECT a.w_id AS a_id, b.w_id AS b_id, a.ytd - b.ytd AS lead
FROM warehouse a
CROSS JOIN warehouse b
WHERE a.w_id <> b.w_id;

-- name: warehouse_category_matrix
-- key: w_id, category
SELECT w.w_id, k.category, count(s.i_id) AS items, coalesce(sum(s.quantity), 0) AS pieces
FROM warehouse w
CROSS JOIN (SELECT DISTINCT category FROM item WHERE category IS NOT NULL) AS k
LEFT JOIN item i ON i.category = k.category
LEFT JOIN stock s ON s.w_id = w.w_id AND s.i_id = i.i_id
GROUP BY w.w_id, k.category;

-- name: cheaper_in_category
-- key: i_id
SELECT a.i_id, a.title, count(b.i_id) AS cheaper
FROM item a
LEFT JOIN item b ON b.category = a.category AND b.price < a.price
GROUP BY a.i_id, a.title;

-- name: price_rank_everywhere
-- key: i_id
SELECT a.i_id, a.price, count(b.i_id) AS cheaper
FROM item a
LEFT JOIN item b ON b.price < a.price
GROUP BY a.i_id, a.price;

-- name: discount_bands
-- key: w_id, d_id, c_id, label
SELECT c.w_id, c.d_id, c.c_id, b.label
FROM customer c
JOIN (SELECT 'low' AS label, 0 AS low, 999 AS high
      UNION ALL SELECT 'middle', 1000, 2999
      UNION ALL SELECT 'high', 3000, 10000) AS b ON c.discount BETWEEN b.low AND b.high;

-- name: orders_before_payment
-- key: h_id
SELECT h.h_id, count(o.o_id) AS orders_before
FROM history h
LEFT JOIN orders o ON o.w_id = h.c_w_id AND o.d_id = h.c_d_id AND o.c_id = h.c_id AND o.entered <= h.paid_at
GROUP BY h.h_id;

-- name: payments_between_orders
-- key: h_id, o_id
SELECT h.h_id, o.o_id, o.entered, h.paid_at
FROM history h
JOIN orders o ON o.w_id = h.c_w_id AND o.d_id = h.c_d_id AND o.c_id = h.c_id AND o.entered < h.paid_at;

-- name: affordable_items
-- key: w_id, d_id, c_id, i_id
SELECT c.w_id, c.d_id, c.c_id, i.i_id, c.balance - i.price AS rest
FROM customer c
JOIN item i ON i.price <= c.balance AND i.category = 'tools'
WHERE c.credit = 'BC';

-- name: next_order_of_customer
-- key: w_id, d_id, o_id
SELECT a.w_id, a.d_id, a.o_id, min(b.o_id) AS next_o_id
FROM orders a
LEFT JOIN orders b ON b.w_id = a.w_id AND b.d_id = a.d_id AND b.c_id = a.c_id AND b.o_id > a.o_id
GROUP BY a.w_id, a.d_id, a.o_id;

-- name: items_of_same_price_elsewhere
-- key: a_id, b_id
SELECT a.i_id AS a_id, b.i_id AS b_id, a.price
FROM item a
JOIN item b ON b.price = a.price AND b.i_id <> a.i_id AND coalesce(b.category, '') <> coalesce(a.category, '');

-- name: null_safe_self_join
-- key: a_id, b_id
SELECT a.w_id AS a_id, b.w_id AS b_id, a.city
FROM warehouse a
JOIN warehouse b ON b.city IS NOT DISTINCT FROM a.city AND b.w_id > a.w_id;

-- name: latest_order_of_customer
-- key: w_id, d_id, c_id
-- sqlite
SELECT w_id, d_id, c_id, o_id, entered, carrier
FROM (
    SELECT w_id, d_id, c_id, o_id, entered, carrier,
           row_number() OVER (PARTITION BY w_id, d_id, c_id ORDER BY entered DESC, o_id DESC) AS place
    FROM orders) AS x
WHERE place = 1;
-- postgresql
SELECT DISTINCT ON (w_id, d_id, c_id) w_id, d_id, c_id, o_id, entered, carrier
FROM orders
ORDER BY w_id, d_id, c_id, entered DESC, o_id DESC;

-- name: latest_payment_of_customer
-- key: c_w_id, c_d_id, c_id
-- sqlite
SELECT c_w_id, c_d_id, c_id, h_id, amount, note
FROM (
    SELECT c_w_id, c_d_id, c_id, h_id, amount, note,
           row_number() OVER (PARTITION BY c_w_id, c_d_id, c_id ORDER BY paid_at DESC, h_id DESC) AS place
    FROM history WHERE c_id IS NOT NULL) AS x
WHERE place = 1;
-- postgresql
SELECT DISTINCT ON (c_w_id, c_d_id, c_id) c_w_id, c_d_id, c_id, h_id, amount, note
FROM history
WHERE c_id IS NOT NULL
ORDER BY c_w_id, c_d_id, c_id, paid_at DESC, h_id DESC;

-- name: dearest_item_of_category
-- key: category
-- sqlite
SELECT category, i_id, title, price
FROM (SELECT category, i_id, title, price,
             row_number() OVER (PARTITION BY category ORDER BY price DESC, i_id) AS place FROM item) AS x
WHERE place = 1;
-- postgresql
SELECT DISTINCT ON (category) category, i_id, title, price
FROM item
ORDER BY category, price DESC, i_id;

-- name: distinct_on_join
-- key: w_id, d_id
-- sqlite
SELECT w_id, d_id, c_id, last_name, entered
FROM (
    SELECT o.w_id, o.d_id, c.c_id, c.last_name, o.entered,
           row_number() OVER (PARTITION BY o.w_id, o.d_id ORDER BY o.entered DESC, o.o_id DESC) AS place
    FROM orders o
    JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id) AS x
WHERE place = 1;
-- postgresql
SELECT DISTINCT ON (o.w_id, o.d_id) o.w_id, o.d_id, c.c_id, c.last_name, o.entered
FROM orders o
JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id
ORDER BY o.w_id, o.d_id, o.entered DESC, o.o_id DESC;

-- name: top_three_items_of_category
-- key: i_id
SELECT x.category, x.i_id, x.price, x.place
FROM (
    SELECT category, i_id, price, row_number() OVER (PARTITION BY category ORDER BY price DESC, i_id) AS place
    FROM item
    WHERE category IS NOT NULL) AS x
WHERE x.place <= 3;

-- name: top_customers_of_district
-- key: w_id, d_id, c_id
SELECT x.w_id, x.d_id, x.c_id, x.paid, x.place
FROM (
    SELECT w_id, d_id, c_id, paid, rank() OVER (PARTITION BY w_id, d_id ORDER BY paid DESC) AS place
    FROM customer) AS x
WHERE x.place <= 2;

-- name: argmax_by_correlated_max
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.balance
FROM customer c
WHERE c.balance = (SELECT max(p.balance) FROM customer p WHERE p.w_id = c.w_id AND p.d_id = c.d_id);

-- name: argmax_by_join
-- key: w_id, i_id
SELECT s.w_id, s.i_id, s.ytd
FROM stock s
JOIN (SELECT w_id, max(ytd) AS ytd FROM stock GROUP BY w_id) AS m ON m.w_id = s.w_id AND m.ytd = s.ytd;

-- name: first_of_tied_argmax
-- key: w_id
SELECT s.w_id, min(s.i_id) AS i_id
FROM stock s
WHERE s.quantity = (SELECT max(t.quantity) FROM stock t WHERE t.w_id = s.w_id)
GROUP BY s.w_id;

-- name: favourite_category
-- key: w_id, d_id, c_id
SELECT x.w_id, x.d_id, x.c_id, x.category, x.pieces
FROM (
    SELECT o.w_id, o.d_id, o.c_id, i.category, sum(l.quantity) AS pieces,
           row_number() OVER (
               PARTITION BY o.w_id, o.d_id, o.c_id ORDER BY sum(l.quantity) DESC, i.category) AS place
    FROM orders o
    JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
    JOIN item i ON i.i_id = l.i_id
    WHERE i.category IS NOT NULL AND o.c_id IS NOT NULL
    GROUP BY o.w_id, o.d_id, o.c_id, i.category) AS x
WHERE x.place = 1;

-- name: mode_of_quantity
-- key: i_id
-- sqlite
SELECT i_id, quantity AS usual
FROM (SELECT i_id, quantity, row_number() OVER (PARTITION BY i_id ORDER BY count(*) DESC, quantity) AS place
      FROM order_line WHERE i_id IS NOT NULL GROUP BY i_id, quantity) AS x
WHERE place = 1;
-- postgresql
SELECT i_id, mode() WITHIN GROUP (ORDER BY quantity) AS usual
FROM order_line
WHERE i_id IS NOT NULL
GROUP BY i_id;

-- name: usual_carrier
-- key: w_id, d_id
-- sqlite
SELECT d.w_id, d.d_id,
       (SELECT o.carrier FROM orders o WHERE o.w_id = d.w_id AND o.d_id = d.d_id AND o.carrier IS NOT NULL
        GROUP BY o.carrier ORDER BY count(*) DESC, o.carrier LIMIT 1) AS carrier
FROM district d;
-- postgresql
SELECT d.w_id, d.d_id,
       (SELECT mode() WITHIN GROUP (ORDER BY o.carrier) FROM orders o WHERE o.w_id = d.w_id AND o.d_id = d.d_id) AS carrier
FROM district d;

-- name: first_order_by_correlated_limit
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       (SELECT o.o_id FROM orders o
        WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id ORDER BY o.entered, o.o_id LIMIT 1) AS first_o_id
FROM customer c;

-- name: median_price
-- key: category
-- sqlite
SELECT category, avg(price) AS median
FROM (SELECT category, price, row_number() OVER (PARTITION BY category ORDER BY price, i_id) AS place,
             count(*) OVER (PARTITION BY category) AS n FROM item) AS x
WHERE place IN ((n + 1) / 2, (n + 2) / 2)
GROUP BY category;
-- postgresql
SELECT category, percentile_cont(0.5) WITHIN GROUP (ORDER BY price) AS median
FROM item
GROUP BY category;

-- name: second_order_of_customer
-- key: w_id, d_id, c_id
SELECT x.w_id, x.d_id, x.c_id, x.o_id
FROM (
    SELECT w_id, d_id, c_id, o_id, row_number() OVER (PARTITION BY w_id, d_id, c_id ORDER BY entered, o_id) AS place
    FROM orders
    WHERE c_id IS NOT NULL) AS x
WHERE x.place = 2;

-- name: best_seller_of_warehouse
-- key: w_id
SELECT x.w_id, x.i_id, i.title, x.pieces
FROM (
    SELECT w_id, i_id, sum(quantity) AS pieces,
           row_number() OVER (PARTITION BY w_id ORDER BY sum(quantity) DESC, i_id) AS place
    FROM order_line
    WHERE i_id IS NOT NULL
    GROUP BY w_id, i_id) AS x
LEFT JOIN item i ON i.i_id = x.i_id
WHERE x.place = 1;

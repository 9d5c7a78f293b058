-- name: using_orders_and_lines
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, o.c_id, sum(l.amount) AS total
FROM orders o
JOIN order_line l USING (w_id, d_id, o_id)
GROUP BY w_id, d_id, o_id, o.c_id;

-- name: using_left
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, c.last_name, count(o.o_id) AS orders
FROM customer c
LEFT JOIN orders o USING (w_id, d_id, c_id)
GROUP BY w_id, d_id, c_id, c.last_name;

-- name: using_full
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, o.carrier
FROM orders o
FULL JOIN new_order n USING (w_id, d_id, o_id);

-- name: using_right
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, c.credit, max(o.entered) AS last_order
FROM orders o
RIGHT JOIN customer c USING (w_id, d_id, c_id)
GROUP BY w_id, d_id, c_id, c.credit;

-- name: natural_open_orders
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, entered, line_count FROM orders NATURAL JOIN new_order;

-- name: natural_left
-- key: w_id, i_id
SELECT w_id, i_id, quantity, title FROM stock NATURAL LEFT JOIN item;

-- name: natural_customers
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, c_id, last_name FROM orders NATURAL JOIN customer;

-- name: using_three_tables
-- key: w_id, d_id, o_id, line_no
SELECT w_id, d_id, o_id, l.line_no, i.title
FROM new_order n
JOIN order_line l USING (w_id, d_id, o_id)
JOIN item i USING (i_id);

-- name: using_with_derived
-- key: i_id
SELECT i_id, i.title, x.pieces
FROM item i
JOIN (SELECT i_id, sum(quantity) AS pieces FROM stock GROUP BY i_id) AS x USING (i_id);

-- name: using_star
-- key: w_id, d_id, o_id
SELECT * FROM new_order JOIN orders USING (w_id, d_id, o_id);

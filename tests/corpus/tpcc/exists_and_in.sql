-- name: customers_with_open_orders
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.last_name
FROM customer c
WHERE EXISTS (
    SELECT 1 FROM orders o
    WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id AND o.carrier IS NULL);

-- name: customers_without_orders
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id);

-- name: items_in_some_order
-- key: i_id
SELECT i_id, title FROM item WHERE i_id IN (SELECT i_id FROM order_line);

-- name: items_in_no_order
-- key: i_id
SELECT i_id, title FROM item WHERE i_id NOT IN (SELECT i_id FROM order_line WHERE i_id IS NOT NULL);

-- name: items_in_no_order_with_nulls
-- key: i_id
-- global: one line without an item makes NOT IN true of no item: its coming and going is that of every row
SELECT i_id, title FROM item WHERE i_id NOT IN (SELECT i_id FROM order_line);

-- name: items_not_in_undelivered_lines
-- key: i_id
SELECT i.i_id FROM item i
WHERE i.i_id NOT IN (SELECT l.i_id FROM order_line l WHERE l.delivered IS NULL AND l.i_id IS NOT NULL) AND i.price > 100;

-- name: orders_with_remote_line
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, o.all_local
FROM orders o
WHERE EXISTS (
    SELECT 1 FROM order_line l
    WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id AND l.supply_w_id <> o.w_id);

-- name: orders_fully_delivered
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id
FROM orders o
WHERE o.carrier IS NOT NULL
  AND NOT EXISTS (
      SELECT 1 FROM order_line l
      WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id AND l.delivered IS NULL);

-- name: orders_in_new_order
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, o.line_count
FROM orders o
WHERE (o.w_id, o.d_id, o.o_id) IN (SELECT n.w_id, n.d_id, n.o_id FROM new_order n);

-- name: orders_closed
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id
FROM orders o
WHERE (o.w_id, o.d_id, o.o_id) NOT IN (SELECT n.w_id, n.d_id, n.o_id FROM new_order n);

-- name: warehouses_short_of_tools
-- key: w_id
SELECT w.w_id, w.name
FROM warehouse w
WHERE EXISTS (
    SELECT 1 FROM stock s JOIN item i ON i.i_id = s.i_id
    WHERE s.w_id = w.w_id AND s.quantity < 12 AND i.category = 'tools');

-- name: warehouses_with_every_item
-- key: w_id
-- global: a new item is missing in every warehouse: its coming takes every row, until there is stock of it
SELECT w.w_id, w.name
FROM warehouse w
WHERE NOT EXISTS (
    SELECT 1 FROM item i
    WHERE i.category = 'books'
      AND NOT EXISTS (SELECT 1 FROM stock s WHERE s.w_id = w.w_id AND s.i_id = i.i_id AND s.quantity > 0));

-- name: customers_who_bought_books
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE EXISTS (
    SELECT 1
    FROM orders o
    JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
    JOIN item i ON i.i_id = l.i_id
    WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id AND i.category = 'books');

-- name: customers_only_good_items
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id
FROM customer c
WHERE EXISTS (SELECT 1 FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id)
  AND NOT EXISTS (
      SELECT 1
      FROM orders o
      JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
      WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id AND l.amount < 1000);

-- name: payers_or_debtors
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.balance
FROM customer c
WHERE c.balance < -100000
   OR EXISTS (
       SELECT 1 FROM history h
       WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id AND h.amount > 400000);

-- name: debtors_count_by_district
-- key: w_id, d_id
SELECT c.w_id, c.d_id, count(*) AS silent_debtors, sum(c.balance) AS balance
FROM customer c
WHERE c.balance < 0
  AND NOT EXISTS (
      SELECT 1 FROM history h WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id)
GROUP BY c.w_id, c.d_id;

-- name: has_flags
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id,
       EXISTS (SELECT 1 FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id) AS ordered,
       EXISTS (
           SELECT 1 FROM history h
           WHERE h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id) AS paid,
       NOT EXISTS (
           SELECT 1 FROM customer r
           WHERE r.w_id = c.w_id AND r.d_id = c.d_id AND r.referred_by = c.c_id) AS childless
FROM customer c;

-- name: districts_of_big_orders
-- key: w_id, d_id
SELECT d.w_id, d.d_id, d.name
FROM district d
WHERE d.d_id IN (SELECT o.d_id FROM orders o WHERE o.w_id = d.w_id AND o.line_count >= 4);

-- name: lines_of_listed_items
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, l.amount
FROM order_line l
WHERE l.i_id IN (SELECT i.i_id FROM item i WHERE i.category IN ('tools', 'toys'));

-- name: lines_of_scarce_items
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no
FROM order_line l
WHERE (l.supply_w_id, l.i_id) IN (SELECT s.w_id, s.i_id FROM stock s WHERE s.quantity < 12);

-- name: items_above_every_stock
-- key: i_id
SELECT i.i_id, i.title
FROM item i
WHERE NOT EXISTS (SELECT 1 FROM stock s WHERE s.i_id = i.i_id AND s.quantity >= 50);

-- name: referrers_whose_protegees_order
-- key: w_id, d_id, c_id
SELECT r.w_id, r.d_id, r.c_id
FROM customer r
WHERE EXISTS (
    SELECT 1 FROM customer c
    WHERE c.w_id = r.w_id AND c.d_id = r.d_id AND c.referred_by = r.c_id
      AND EXISTS (SELECT 1 FROM orders o WHERE o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id));

-- name: exists_by_inequality
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, o.entered
FROM orders o
WHERE EXISTS (
    SELECT 1 FROM history h
    WHERE h.c_w_id = o.w_id AND h.c_d_id = o.d_id AND h.c_id = o.c_id AND h.paid_at > o.entered);

-- name: latest_order_by_not_exists
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, o.c_id, o.entered
FROM orders o
WHERE NOT EXISTS (
    SELECT 1 FROM orders p WHERE p.w_id = o.w_id AND p.d_id = o.d_id AND p.c_id = o.c_id AND p.o_id > o.o_id);

-- name: case_of_exists
-- key: i_id
SELECT i.i_id,
       CASE WHEN EXISTS (SELECT 1 FROM order_line l WHERE l.i_id = i.i_id AND l.delivered IS NULL) THEN 'wanted'
            WHEN EXISTS (SELECT 1 FROM order_line l WHERE l.i_id = i.i_id) THEN 'sold'
            ELSE 'idle' END AS state
FROM item i;

-- name: grouped_in_subquery
-- key: i_id
SELECT i.i_id, i.title, i.price
FROM item i
WHERE i.i_id IN (SELECT l.i_id FROM order_line l GROUP BY l.i_id HAVING sum(l.quantity) >= 15);

-- name: in_union
-- key: w_id
SELECT w.w_id, w.name
FROM warehouse w
WHERE w.w_id IN (SELECT s.w_id FROM stock s WHERE s.quantity < 11
                 UNION SELECT l.supply_w_id FROM order_line l WHERE l.amount > 900000);

-- name: join_filtered_by_exists
-- key: category
SELECT i.category, sum(l.amount) AS amount
FROM order_line l
JOIN item i ON i.i_id = l.i_id
WHERE EXISTS (
    SELECT 1 FROM orders o WHERE o.w_id = l.w_id AND o.d_id = l.d_id AND o.o_id = l.o_id AND o.carrier = 2)
GROUP BY i.category;

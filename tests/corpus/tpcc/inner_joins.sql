-- name: order_with_customer
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, c.last_name, c.credit, o.entered
FROM orders o
JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id;

-- name: line_with_item
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, i.title, l.quantity * i.price AS list_amount, l.amount
FROM order_line l
JOIN item i ON i.i_id = l.i_id;

-- name: stock_with_item_and_warehouse
-- key: w_id, i_id
SELECT s.w_id, s.i_id, w.name AS warehouse, i.title, s.quantity, s.quantity * i.price AS worth
FROM stock s
JOIN item i ON i.i_id = s.i_id
JOIN warehouse w ON w.w_id = s.w_id;

-- name: worth_by_warehouse
-- key: w_id
SELECT s.w_id, sum(s.quantity * i.price) AS worth, count(*) AS items
FROM stock s
JOIN item i ON i.i_id = s.i_id
GROUP BY s.w_id;

-- name: revenue_by_category
-- key: category
SELECT i.category, sum(l.amount) AS amount, sum(l.quantity) AS pieces
FROM order_line l
JOIN item i ON i.i_id = l.i_id
GROUP BY i.category;

-- name: revenue_by_customer
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, c.last_name, sum(l.amount) AS amount, count(*) AS lines
FROM customer c
JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
GROUP BY c.w_id, c.d_id, c.c_id, c.last_name;

-- name: revenue_by_region
-- key: region
SELECT w.region, sum(l.amount) AS amount, count(*) AS lines
FROM warehouse w
JOIN order_line l ON l.w_id = w.w_id
GROUP BY w.region;

-- name: discounted_revenue_by_rating
-- key: credit
SELECT c.credit, sum(l.amount * (10000 - c.discount)) AS discounted
FROM customer c
JOIN orders o ON o.w_id = c.w_id AND o.d_id = c.d_id AND o.c_id = c.c_id
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
GROUP BY c.credit;

-- name: open_orders_with_totals
-- key: w_id, d_id, o_id
SELECT n.w_id, n.d_id, n.o_id, o.entered, sum(l.amount) AS total
FROM new_order n
JOIN orders o ON o.w_id = n.w_id AND o.d_id = n.d_id AND o.o_id = n.o_id
JOIN order_line l ON l.w_id = n.w_id AND l.d_id = n.d_id AND l.o_id = n.o_id
GROUP BY n.w_id, n.d_id, n.o_id, o.entered;

-- name: payments_with_names
-- key: h_id
SELECT h.h_id, h.amount, c.last_name, d.name AS district, w.name AS warehouse
FROM history h
JOIN customer c ON c.w_id = h.c_w_id AND c.d_id = h.c_d_id AND c.c_id = h.c_id
JOIN district d ON d.w_id = h.w_id AND d.d_id = h.d_id
JOIN warehouse w ON w.w_id = h.w_id;

-- name: taxed_order_totals
-- key: w_id, d_id, o_id
SELECT l.w_id, l.d_id, l.o_id, sum(l.amount) * (10000 + w.tax + d.tax) AS taxed
FROM order_line l
JOIN district d ON d.w_id = l.w_id AND d.d_id = l.d_id
JOIN warehouse w ON w.w_id = l.w_id
GROUP BY l.w_id, l.d_id, l.o_id, w.tax, d.tax;

-- name: low_stock_of_recent_orders
-- key: w_id, d_id
SELECT d.w_id, d.d_id, count(DISTINCT s.i_id) AS low_items
FROM district d
JOIN order_line l ON l.w_id = d.w_id AND l.d_id = d.d_id AND l.o_id >= d.next_o_id - 20 AND l.o_id < d.next_o_id
JOIN stock s ON s.w_id = l.w_id AND s.i_id = l.i_id
WHERE s.quantity < 30
GROUP BY d.w_id, d.d_id;

-- name: categories_by_customer
-- key: w_id, d_id, c_id, category
SELECT o.w_id, o.d_id, o.c_id, i.category, count(*) AS lines, sum(l.quantity) AS pieces
FROM orders o
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
JOIN item i ON i.i_id = l.i_id
GROUP BY o.w_id, o.d_id, o.c_id, i.category;

-- name: remote_lines
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, home.region AS home, away.region AS away
FROM order_line l
JOIN warehouse home ON home.w_id = l.w_id
JOIN warehouse away ON away.w_id = l.supply_w_id
WHERE l.supply_w_id <> l.w_id;

-- name: flow_between_regions
-- key: source, target
SELECT away.region AS source, home.region AS target, sum(l.quantity) AS pieces
FROM order_line l
JOIN warehouse home ON home.w_id = l.w_id
JOIN warehouse away ON away.w_id = l.supply_w_id
GROUP BY away.region, home.region;

-- name: carrier_workload
-- key: carrier
SELECT o.carrier, count(*) AS lines, sum(l.quantity * i.weight) AS weight
FROM orders o
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
JOIN item i ON i.i_id = l.i_id
WHERE o.carrier IS NOT NULL
GROUP BY o.carrier;

-- name: comma_join_totals
-- key: w_id
SELECT w.w_id, w.name, count(*) AS customers
FROM warehouse w, district d, customer c
WHERE d.w_id = w.w_id AND c.w_id = d.w_id AND c.d_id = d.d_id
GROUP BY w.w_id, w.name;

-- name: district_share
-- key: w_id, d_id
SELECT d.w_id, d.d_id, d.ytd, w.ytd AS whole, d.ytd * 100 / nullif(w.ytd, 0) AS percent
FROM district d
JOIN warehouse w ON w.w_id = d.w_id;

-- name: good_customers_far_orders
-- key: w_id, d_id, o_id
SELECT o.w_id, o.d_id, o.o_id, c.c_id
FROM orders o
JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id AND c.credit = 'GC'
WHERE NOT o.all_local AND o.entered > c.since;

-- name: max_price_bought
-- key: w_id, d_id, c_id
SELECT o.w_id, o.d_id, o.c_id, max(i.price) AS dearest, min(i.price) AS cheapest, avg(i.price) AS mean
FROM orders o
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
JOIN item i ON i.i_id = l.i_id
GROUP BY o.w_id, o.d_id, o.c_id;

-- name: delivery_delay
-- key: w_id, d_id, o_id
-- sqlite
SELECT o.w_id, o.d_id, o.o_id, max(julianday(l.delivered) - julianday(o.entered)) AS longest
FROM orders o
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
WHERE l.delivered IS NOT NULL
GROUP BY o.w_id, o.d_id, o.o_id;
-- postgresql
SELECT o.w_id, o.d_id, o.o_id, max(l.delivered - o.entered) AS longest
FROM orders o
JOIN order_line l ON l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id
WHERE l.delivered IS NOT NULL
GROUP BY o.w_id, o.d_id, o.o_id;

-- name: filter_over_join
-- key: w_id
SELECT o.w_id,
       count(*) FILTER (WHERE c.credit = 'GC') AS of_good,
       count(*) FILTER (WHERE c.credit = 'BC' AND o.carrier IS NULL) AS open_of_bad,
       sum(o.line_count) FILTER (WHERE c.balance < 0) AS lines_of_debtors
FROM orders o
JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id
GROUP BY o.w_id;

-- name: or_join_customers
-- key: w_id, d_id, c_id
SELECT c.w_id, c.d_id, c.c_id, count(*) AS related
FROM customer c
JOIN history h ON (h.c_w_id = c.w_id AND h.c_d_id = c.d_id AND h.c_id = c.c_id)
               OR (h.w_id = c.w_id AND h.d_id = c.d_id AND h.amount = c.paid)
GROUP BY c.w_id, c.d_id, c.c_id;

-- name: items_never_dear
-- key: i_id
SELECT i.i_id, i.title, count(*) AS lines
FROM item i
JOIN order_line l ON l.i_id = i.i_id AND l.amount <= i.price * l.quantity
GROUP BY i.i_id;

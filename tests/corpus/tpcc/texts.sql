-- name: titles_of_order
-- key: w_id, d_id, o_id
-- sqlite
SELECT w_id, d_id, o_id, group_concat(title, ', ') AS titles
FROM (
    SELECT l.w_id, l.d_id, l.o_id, i.title
    FROM order_line l JOIN item i ON i.i_id = l.i_id
    ORDER BY l.w_id, l.d_id, l.o_id, l.line_no) AS x
GROUP BY w_id, d_id, o_id;
-- postgresql
SELECT l.w_id, l.d_id, l.o_id, string_agg(i.title, ', ' ORDER BY l.line_no) AS titles
FROM order_line l JOIN item i ON i.i_id = l.i_id
GROUP BY l.w_id, l.d_id, l.o_id;

-- name: protegees_of_customer
-- key: w_id, d_id, c_id
-- sqlite
SELECT r.w_id, r.d_id, r.c_id,
       (SELECT group_concat(x.last_name, ';') FROM (
            SELECT c.last_name FROM customer c
            WHERE c.w_id = r.w_id AND c.d_id = r.d_id AND c.referred_by = r.c_id ORDER BY c.c_id) AS x) AS names
FROM customer r;
-- postgresql
SELECT r.w_id, r.d_id, r.c_id,
       (SELECT string_agg(c.last_name, ';' ORDER BY c.c_id) FROM customer c
        WHERE c.w_id = r.w_id AND c.d_id = r.d_id AND c.referred_by = r.c_id) AS names
FROM customer r;

-- name: carriers_of_district
-- key: w_id, d_id
-- sqlite
SELECT w_id, d_id, group_concat(carrier, ',') AS carriers
FROM (SELECT DISTINCT w_id, d_id, carrier FROM orders WHERE carrier IS NOT NULL ORDER BY w_id, d_id, carrier) AS x
GROUP BY w_id, d_id;
-- postgresql
SELECT w_id, d_id, string_agg(DISTINCT carrier::text, ',' ORDER BY carrier::text) AS carriers
FROM orders
WHERE carrier IS NOT NULL
GROUP BY w_id, d_id;

-- name: path_of_item_windowed
-- key: i_id
-- sqlite
SELECT i_id, places
FROM (
    SELECT i_id, group_concat(w_id, '>') OVER (PARTITION BY i_id ORDER BY quantity DESC, w_id) AS places,
           row_number() OVER (PARTITION BY i_id ORDER BY quantity, w_id DESC) AS from_end
    FROM stock) AS x
WHERE from_end = 1;
-- postgresql
SELECT i_id, places
FROM (
    SELECT i_id, string_agg(w_id::text, '>') OVER (PARTITION BY i_id ORDER BY quantity DESC, w_id) AS places,
           row_number() OVER (PARTITION BY i_id ORDER BY quantity, w_id DESC) AS from_end
    FROM stock) AS x
WHERE from_end = 1;

-- name: notes_of_customer
-- key: c_w_id, c_d_id, c_id
-- sqlite
SELECT c_w_id, c_d_id, c_id, group_concat(note, '|') AS notes
FROM (SELECT c_w_id, c_d_id, c_id, note FROM history WHERE note IS NOT NULL ORDER BY h_id) AS x
GROUP BY c_w_id, c_d_id, c_id;
-- postgresql
SELECT c_w_id, c_d_id, c_id, string_agg(note, '|' ORDER BY h_id) AS notes
FROM history
WHERE note IS NOT NULL
GROUP BY c_w_id, c_d_id, c_id;

-- name: categories_as_json
-- key: w_id
-- sqlite
SELECT w_id, json_group_array(category) AS categories
FROM (SELECT DISTINCT s.w_id, i.category FROM stock s JOIN item i ON i.i_id = s.i_id
      WHERE s.quantity < 20 ORDER BY s.w_id, i.category) AS x
GROUP BY w_id;
-- postgresql
SELECT s.w_id, jsonb_agg(DISTINCT i.category) AS categories
FROM stock s JOIN item i ON i.i_id = s.i_id
WHERE s.quantity < 20
GROUP BY s.w_id;

-- name: order_document
-- key: w_id, d_id, o_id
-- sqlite
SELECT o.w_id, o.d_id, o.o_id,
       json_object('customer', c.last_name, 'lines', o.line_count, 'open', o.carrier IS NULL) AS document
FROM orders o
LEFT JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id;
-- postgresql
SELECT o.w_id, o.d_id, o.o_id,
       jsonb_build_object('customer', c.last_name, 'lines', o.line_count, 'open', o.carrier IS NULL) AS document
FROM orders o
LEFT JOIN customer c ON c.w_id = o.w_id AND c.d_id = o.d_id AND c.c_id = o.c_id;

-- name: items_as_array
-- key: w_id, d_id, o_id
-- sqlite
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT json_group_array(x.i_id) FROM (
            SELECT l.i_id FROM order_line l
            WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id ORDER BY l.line_no) AS x) AS items
FROM orders o;
-- postgresql
SELECT o.w_id, o.d_id, o.o_id,
       (SELECT array_agg(l.i_id ORDER BY l.line_no) FROM order_line l
        WHERE l.w_id = o.w_id AND l.d_id = o.d_id AND l.o_id = o.o_id) AS items
FROM orders o;

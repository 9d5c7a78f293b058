-- name: order_place_of_customer
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, c_id, row_number() OVER (PARTITION BY w_id, d_id, c_id ORDER BY o_id) AS place
FROM orders;

-- name: running_payments
-- key: h_id
SELECT h_id, c_w_id, c_d_id, c_id, amount,
       sum(amount) OVER (PARTITION BY c_w_id, c_d_id, c_id ORDER BY paid_at, h_id) AS so_far
FROM history;

-- name: previous_order
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, c_id, entered,
       lag(entered) OVER (PARTITION BY w_id, d_id, c_id ORDER BY entered, o_id) AS previous
FROM orders;

-- name: next_payment
-- key: h_id
SELECT h_id, c_w_id, c_d_id, c_id,
       lead(amount, 1, 0) OVER (PARTITION BY c_w_id, c_d_id, c_id ORDER BY paid_at, h_id) AS next_amount
FROM history;

-- name: line_share_of_order
-- key: w_id, d_id, o_id, line_no
SELECT w_id, d_id, o_id, line_no, amount,
       amount * 100 / nullif(sum(amount) OVER (PARTITION BY w_id, d_id, o_id), 0) AS percent
FROM order_line;

-- name: price_rank_in_category
-- key: i_id
SELECT i_id, category, price,
       rank() OVER (PARTITION BY category ORDER BY price DESC) AS place,
       dense_rank() OVER (PARTITION BY category ORDER BY price DESC) AS dense_place
FROM item;

-- name: balance_quartile
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, ntile(4) OVER (PARTITION BY w_id, d_id ORDER BY balance, c_id) AS quartile
FROM customer;

-- name: first_and_last_in_district
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id,
       first_value(o_id) OVER (PARTITION BY w_id, d_id ORDER BY entered, o_id) AS first_o_id,
       last_value(o_id) OVER (
           PARTITION BY w_id, d_id ORDER BY entered, o_id
           ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_o_id
FROM orders;

-- name: moving_mean_of_payments
-- key: h_id
SELECT h_id, w_id, d_id,
       avg(amount) OVER (
           PARTITION BY w_id, d_id ORDER BY paid_at, h_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS mean
FROM history;

-- name: named_window
-- key: w_id, i_id
SELECT w_id, i_id, quantity, sum(quantity) OVER mine AS pieces, row_number() OVER mine AS place
FROM stock
WINDOW mine AS (PARTITION BY w_id ORDER BY quantity DESC, i_id);

-- name: window_over_group
-- key: w_id, d_id
SELECT w_id, d_id, count(*) AS orders, rank() OVER (PARTITION BY w_id ORDER BY count(*) DESC, d_id) AS place
FROM orders
GROUP BY w_id, d_id;

-- name: window_over_join
-- key: w_id, d_id, o_id, line_no
SELECT l.w_id, l.d_id, l.o_id, l.line_no, i.category,
       count(*) OVER (PARTITION BY l.w_id, l.d_id, l.o_id, i.category) AS same_category
FROM order_line l
JOIN item i ON i.i_id = l.i_id;

-- name: two_partitions
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, balance,
       rank() OVER (PARTITION BY w_id, d_id ORDER BY balance DESC) AS in_district,
       rank() OVER (PARTITION BY w_id ORDER BY balance DESC) AS in_warehouse
FROM customer;

-- name: difference_to_best
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, max(paid) OVER (PARTITION BY w_id, d_id) - paid AS behind
FROM customer;

-- name: count_in_partition
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, last_name, count(*) OVER (PARTITION BY last_name) AS namesakes
FROM customer;

-- name: filtered_window
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, c_id,
       count(*) FILTER (WHERE carrier IS NULL) OVER (PARTITION BY w_id, d_id, c_id) AS open_orders
FROM orders;

-- name: cume_and_percent
-- key: i_id
SELECT i_id, category, cume_dist() OVER (PARTITION BY category ORDER BY price) AS below,
       percent_rank() OVER (PARTITION BY category ORDER BY price) AS percent
FROM item;

-- name: range_frame
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id,
       sum(line_count) OVER (
           PARTITION BY w_id, d_id ORDER BY o_id RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) AS lines_of_six
FROM orders;

-- name: gaps_between_orders
-- key: w_id, d_id, o_id
SELECT x.w_id, x.d_id, x.o_id, x.o_id - x.previous - 1 AS missing
FROM (SELECT w_id, d_id, o_id, lag(o_id) OVER (PARTITION BY w_id, d_id ORDER BY o_id) AS previous FROM orders) AS x
WHERE x.o_id - x.previous > 1;

-- name: window_of_expression
-- key: w_id, i_id
SELECT w_id, i_id, quantity, row_number() OVER (PARTITION BY i_id, quantity / 10 ORDER BY w_id) AS place_in_band
FROM stock;

-- name: window_in_derived_joined
-- key: w_id, d_id, o_id
SELECT x.w_id, x.d_id, x.o_id, c.last_name, x.place
FROM (SELECT w_id, d_id, o_id, c_id, row_number() OVER (PARTITION BY w_id, d_id, c_id ORDER BY o_id) AS place
      FROM orders) AS x
JOIN customer c ON c.w_id = x.w_id AND c.d_id = x.d_id AND c.c_id = x.c_id
WHERE x.place <= 2;

-- name: grouped_over_window
-- key: w_id, d_id
SELECT x.w_id, x.d_id, count(*) AS comebacks
FROM (SELECT w_id, d_id, c_id, row_number() OVER (PARTITION BY w_id, d_id, c_id ORDER BY o_id) AS place
      FROM orders WHERE c_id IS NOT NULL) AS x
WHERE x.place = 2
GROUP BY x.w_id, x.d_id;

-- name: nth_payment
-- key: h_id
SELECT h_id, c_w_id, c_d_id, c_id,
       nth_value(amount, 2) OVER (
           PARTITION BY c_w_id, c_d_id, c_id ORDER BY h_id
           ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS second_amount
FROM history;

-- name: case_of_window
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id,
       CASE WHEN balance = max(balance) OVER (PARTITION BY w_id, d_id) THEN 'best'
            WHEN balance = min(balance) OVER (PARTITION BY w_id, d_id) THEN 'worst' END AS mark
FROM customer;

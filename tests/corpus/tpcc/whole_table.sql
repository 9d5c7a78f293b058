-- name: items_above_mean_price
-- key: i_id
SELECT i_id, title, price FROM item WHERE price > (SELECT avg(price) FROM item);

-- name: share_of_everything
-- key: category
-- global: each row shows its share of a sum over all items: every row is another one when the sum is
SELECT category, sum(price) AS prices, sum(price) * 100 / (SELECT sum(price) FROM item) AS percent
FROM item
GROUP BY category;

-- name: global_rank_of_warehouse
-- key: w_id
-- global: one warehouse that moves to the front moves the rank of all behind it: so many rows are other ones
SELECT w_id, ytd, rank() OVER (ORDER BY ytd DESC) AS place FROM warehouse;

-- name: running_total_of_payments
-- key: h_id
-- global: a payment counts in the running total of all that come later: so many rows are other ones
SELECT h_id, amount, sum(amount) OVER (ORDER BY paid_at, h_id) AS so_far FROM history;

-- name: joined_whole_result
SELECT count(*) AS lines, sum(l.quantity * i.price) AS list_amount
FROM order_line l
JOIN item i ON i.i_id = l.i_id;

-- name: customers_above_best_of_others
-- key: w_id, d_id, c_id
SELECT w_id, d_id, c_id, balance
FROM customer
WHERE balance > (SELECT max(balance) FROM customer WHERE w_id = 1) AND w_id <> 1;

-- name: anything_scarce
-- key: w_id
-- global: one scarce item shows all warehouses, and its going hides them: every row comes and goes with it
SELECT w_id, name FROM warehouse WHERE EXISTS (SELECT 1 FROM stock WHERE quantity < 11);

-- name: emptiness
SELECT count(*) AS idle_items
FROM item i
WHERE NOT EXISTS (SELECT 1 FROM order_line l WHERE l.i_id = i.i_id);

-- name: best_district
-- key: w_id, d_id
WITH sums AS (SELECT w_id, d_id, sum(amount) AS amount FROM order_line GROUP BY w_id, d_id)
SELECT w_id, d_id, amount FROM sums WHERE amount = (SELECT max(amount) FROM sums);

-- name: mean_of_group_counts
SELECT avg(x.orders) AS mean_orders, max(x.orders) AS most
FROM (SELECT w_id, d_id, c_id, count(*) AS orders FROM orders GROUP BY w_id, d_id, c_id) AS x;

-- name: limited_distinct_names
-- key: last_name
SELECT DISTINCT last_name FROM customer ORDER BY last_name LIMIT 7;

-- name: difference_to_config
-- key: i_id
-- global: the highest tax stands in every row: every row is another one when it is
SELECT i.i_id, i.price * (10000 + (SELECT max(w.tax) FROM warehouse w)) AS highest_price FROM item i;

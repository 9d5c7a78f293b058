-- name: customers_by_rating
-- key: w_id, credit
SELECT w_id, credit, count(*) AS customers, sum(balance) AS balance, min(balance) AS lowest, max(balance) AS highest
FROM customer
GROUP BY w_id, credit;

-- name: customers_by_discount_band
-- key: band
SELECT discount / 1000 AS band, count(*) AS customers, avg(discount) AS mean
FROM customer
GROUP BY discount / 1000;

-- name: orders_by_district
-- key: w_id, d_id
SELECT w_id, d_id, count(*) AS orders, count(carrier) AS delivered, count(*) - count(carrier) AS open_orders,
       sum(line_count) AS lines
FROM orders
GROUP BY w_id, d_id;

-- name: orders_by_carrier
-- key: carrier
SELECT carrier, count(*) AS orders, min(entered) AS first_entered, max(entered) AS last_entered
FROM orders
GROUP BY carrier;

-- name: orders_by_day
-- key: day
-- sqlite
SELECT date(entered) AS day, count(*) AS orders, sum(line_count) AS lines
FROM orders
GROUP BY date(entered);
-- postgresql
SELECT entered::date AS day, count(*) AS orders, sum(line_count) AS lines
FROM orders
GROUP BY entered::date;

-- name: orders_by_hour
-- key: hour
-- sqlite
SELECT strftime('%H', entered) AS hour, count(*) AS orders
FROM orders
GROUP BY strftime('%H', entered);
-- postgresql
SELECT extract(hour FROM entered) AS hour, count(*) AS orders
FROM orders
GROUP BY extract(hour FROM entered);

-- name: order_totals
-- key: w_id, d_id, o_id
SELECT w_id, d_id, o_id, sum(amount) AS total, sum(quantity) AS pieces, count(*) AS lines, count(delivered) AS delivered
FROM order_line
GROUP BY w_id, d_id, o_id;

-- name: sales_by_item
-- key: i_id
SELECT i_id, count(*) AS lines, sum(quantity) AS pieces, sum(amount) AS amount, avg(amount) AS mean_amount
FROM order_line
GROUP BY i_id;

-- name: sales_by_supplying_warehouse
-- key: supply_w_id
SELECT supply_w_id, sum(amount) AS amount,
       sum(CASE WHEN supply_w_id <> w_id THEN amount ELSE 0 END) AS remote_amount
FROM order_line
GROUP BY supply_w_id;

-- name: lines_by_delivery
-- key: w_id
SELECT w_id,
       count(*) FILTER (WHERE delivered IS NULL) AS waiting,
       count(*) FILTER (WHERE delivered IS NOT NULL) AS done,
       sum(amount) FILTER (WHERE delivered IS NULL) AS waiting_amount
FROM order_line
GROUP BY w_id;

-- name: stock_levels
-- key: w_id
SELECT w_id, sum(quantity) AS pieces, min(quantity) AS least, max(quantity) AS most, avg(quantity) AS mean,
       count(*) FILTER (WHERE quantity < 10) AS short
FROM stock
GROUP BY w_id;

-- name: stock_by_item
-- key: i_id
SELECT i_id, sum(quantity) AS pieces, sum(ytd) AS sold, sum(order_count) AS orders, sum(remote_count) AS remote
FROM stock
GROUP BY i_id;

-- name: payments_by_customer
-- key: c_w_id, c_d_id, c_id
SELECT c_w_id, c_d_id, c_id, count(*) AS payments, sum(amount) AS paid, max(paid_at) AS last_paid
FROM history
GROUP BY c_w_id, c_d_id, c_id;

-- name: payments_by_month
-- key: month
-- sqlite
SELECT strftime('%Y-%m', paid_at) AS month, count(*) AS payments, sum(amount) AS paid
FROM history
GROUP BY strftime('%Y-%m', paid_at);
-- postgresql
SELECT date_trunc('month', paid_at) AS month, count(*) AS payments, sum(amount) AS paid
FROM history
GROUP BY date_trunc('month', paid_at);

-- name: payments_at_home_and_away
-- key: w_id, at_home
SELECT w_id, w_id = c_w_id AS at_home, count(*) AS payments, sum(amount) AS paid
FROM history
GROUP BY w_id, w_id = c_w_id;

-- name: items_by_category
-- key: category
SELECT category, count(*) AS items, min(price) AS cheapest, max(price) AS dearest, avg(price) AS mean
FROM item
GROUP BY category;

-- name: items_by_initial
-- key: initial
SELECT upper(substr(title, 1, 1)) AS initial, count(*) AS items, sum(price) AS prices
FROM item
GROUP BY upper(substr(title, 1, 1));

-- name: weight_by_category
-- key: category
SELECT category, sum(weight) AS weight, avg(weight) AS mean, max(weight) AS heaviest
FROM item
WHERE category IS NOT NULL
GROUP BY category;

-- name: customers_by_last_name
-- key: last_name
SELECT last_name, count(*) AS customers, min(since) AS first_since, count(email) AS with_email
FROM customer
GROUP BY last_name;

-- name: referrals_by_customer
-- key: w_id, d_id, referred_by
SELECT w_id, d_id, referred_by, count(*) AS referrals
FROM customer
WHERE referred_by IS NOT NULL
GROUP BY w_id, d_id, referred_by;

-- name: customers_by_year
-- key: year
-- sqlite
SELECT cast(strftime('%Y', since) AS integer) AS year, count(*) AS customers, sum(paid) AS paid
FROM customer
GROUP BY cast(strftime('%Y', since) AS integer);
-- postgresql
SELECT cast(extract(year FROM since) AS integer) AS year, count(*) AS customers, sum(paid) AS paid
FROM customer
GROUP BY cast(extract(year FROM since) AS integer);

-- name: open_orders_by_district
-- key: w_id, d_id
SELECT w_id, d_id, count(*) AS open_orders, min(o_id) AS oldest
FROM new_order
GROUP BY w_id, d_id;

-- name: districts_by_warehouse
-- key: w_id
SELECT w_id, count(*) AS districts, sum(ytd) AS ytd, avg(tax) AS mean_tax, max(next_o_id) AS highest
FROM district
GROUP BY w_id;

-- name: warehouses_by_region
-- key: region
SELECT region, count(*) AS warehouses, count(city) AS with_city, sum(ytd) AS ytd
FROM warehouse
GROUP BY region;

-- name: whole_balance
SELECT count(*) AS customers, sum(balance) AS balance, sum(paid) AS paid FROM customer;

-- name: whole_sales
SELECT count(*) AS lines, sum(amount) AS amount, min(amount) AS least, max(amount) AS most, avg(quantity) AS mean
FROM order_line
WHERE delivered IS NOT NULL;

-- name: line_size_histogram
-- key: size
SELECT CASE WHEN quantity <= 2 THEN 'small' WHEN quantity <= 6 THEN 'middle' ELSE 'large' END AS size,
       count(*) AS lines, sum(amount) AS amount
FROM order_line
GROUP BY CASE WHEN quantity <= 2 THEN 'small' WHEN quantity <= 6 THEN 'middle' ELSE 'large' END;

-- name: rating_pivot
-- key: w_id, d_id
SELECT w_id, d_id,
       sum(CASE WHEN credit = 'GC' THEN 1 ELSE 0 END) AS good,
       sum(CASE WHEN credit = 'BC' THEN 1 ELSE 0 END) AS bad,
       max(CASE WHEN credit = 'BC' THEN balance END) AS highest_bad,
       sum(balance) FILTER (WHERE credit = 'GC' AND balance < 0) AS good_debt
FROM customer
GROUP BY w_id, d_id;

-- name: all_local_orders
-- key: w_id
-- sqlite
SELECT w_id, min(all_local) AS every_local, max(all_local) AS any_local
FROM orders
GROUP BY w_id;
-- postgresql
SELECT w_id, bool_and(all_local) AS every_local, bool_or(all_local) AS any_local
FROM orders
GROUP BY w_id;

-- The other thing that an expert writes by hand: statement triggers with transition tables, updating at once.
CREATE TABLE aggregate_user (
  user_id bigint PRIMARY KEY,
  follower_count bigint NOT NULL DEFAULT 0,
  following_count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
INSERT INTO aggregate_user (user_id) SELECT id FROM users;
CREATE FUNCTION add_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO aggregate_user AS a (user_id, follower_count, following_count)
  SELECT k, sum(p), sum(q) FROM (
    SELECT followee AS k, 1 AS p, 0 AS q FROM n WHERE is_current AND NOT is_delete
    UNION ALL SELECT follower, 0, 1 FROM n WHERE is_current AND NOT is_delete) AS d
  GROUP BY k ORDER BY k
  ON CONFLICT (user_id) DO UPDATE SET follower_count = a.follower_count + excluded.follower_count,
                                      following_count = a.following_count + excluded.following_count;
  RETURN NULL;
END $$;
CREATE FUNCTION remove_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO aggregate_user AS a (user_id, follower_count, following_count)
  SELECT k, sum(p), sum(q) FROM (
    SELECT followee AS k, -1 AS p, 0 AS q FROM o WHERE is_current AND NOT is_delete
    UNION ALL SELECT follower, 0, -1 FROM o WHERE is_current AND NOT is_delete) AS d
  GROUP BY k ORDER BY k
  ON CONFLICT (user_id) DO UPDATE SET follower_count = a.follower_count + excluded.follower_count,
                                      following_count = a.following_count + excluded.following_count;
  RETURN NULL;
END $$;
CREATE TRIGGER added AFTER INSERT ON follows REFERENCING NEW TABLE AS n
  FOR EACH STATEMENT EXECUTE FUNCTION add_follows();
CREATE TRIGGER removed AFTER DELETE ON follows REFERENCING OLD TABLE AS o
  FOR EACH STATEMENT EXECUTE FUNCTION remove_follows();

-- What a careful expert writes by hand: row triggers that update both counters at once, in one statement.
-- They assume that the keys of a row never change.
CREATE TABLE aggregate_user (
  user_id bigint PRIMARY KEY,
  follower_count bigint NOT NULL DEFAULT 0,
  following_count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
INSERT INTO aggregate_user (user_id) SELECT id FROM users;
CREATE FUNCTION add_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO aggregate_user AS a (user_id, follower_count, following_count)
  VALUES (NEW.followee, 1, 0), (NEW.follower, 0, 1)
  ON CONFLICT (user_id) DO UPDATE SET follower_count = a.follower_count + excluded.follower_count,
                                      following_count = a.following_count + excluded.following_count;
  RETURN NULL;
END $$;
CREATE FUNCTION remove_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO aggregate_user AS a (user_id, follower_count, following_count)
  VALUES (OLD.followee, -1, 0), (OLD.follower, 0, -1)
  ON CONFLICT (user_id) DO UPDATE SET follower_count = a.follower_count + excluded.follower_count,
                                      following_count = a.following_count + excluded.following_count;
  RETURN NULL;
END $$;
CREATE TRIGGER added AFTER INSERT ON follows FOR EACH ROW
  WHEN (NEW.is_current AND NOT NEW.is_delete) EXECUTE FUNCTION add_follow();
CREATE TRIGGER removed AFTER DELETE ON follows FOR EACH ROW
  WHEN (OLD.is_current AND NOT OLD.is_delete) EXECUTE FUNCTION remove_follow();
CREATE TRIGGER came_back AFTER UPDATE ON follows FOR EACH ROW
  WHEN ((NEW.is_current AND NOT NEW.is_delete) AND NOT (OLD.is_current AND NOT OLD.is_delete))
  EXECUTE FUNCTION add_follow();
CREATE TRIGGER went_away AFTER UPDATE ON follows FOR EACH ROW
  WHEN ((OLD.is_current AND NOT OLD.is_delete) AND NOT (NEW.is_current AND NOT NEW.is_delete))
  EXECUTE FUNCTION remove_follow();

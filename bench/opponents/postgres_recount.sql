-- What one writes first: count again after every write, with the index that makes it bearable.
CREATE TABLE aggregate_user (
  user_id bigint PRIMARY KEY,
  follower_count bigint NOT NULL DEFAULT 0,
  following_count bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
INSERT INTO aggregate_user (user_id) SELECT id FROM users;
CREATE INDEX ON follows (followee);
CREATE FUNCTION recount() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO aggregate_user AS a (user_id, follower_count, following_count)
  SELECT k, (SELECT count(*) FROM follows AS f WHERE f.followee = k AND f.is_current AND NOT f.is_delete),
         (SELECT count(*) FROM follows AS f WHERE f.follower = k AND f.is_current AND NOT f.is_delete)
  FROM (VALUES (NEW.followee), (NEW.follower)) AS z (k) ORDER BY k
  ON CONFLICT (user_id) DO UPDATE SET follower_count = excluded.follower_count,
                                      following_count = excluded.following_count;
  RETURN NULL;
END $$;
CREATE TRIGGER added AFTER INSERT OR UPDATE ON follows FOR EACH ROW EXECUTE FUNCTION recount();

-- The application's own tables; nothing keeps anything.
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE follows (
  follower int NOT NULL,
  followee int NOT NULL,
  is_current boolean NOT NULL DEFAULT true,
  is_delete boolean NOT NULL DEFAULT false,
  created_at timestamp NOT NULL DEFAULT now(),
  PRIMARY KEY (follower, followee)
);
INSERT INTO users SELECT generate_series(1, 20000);

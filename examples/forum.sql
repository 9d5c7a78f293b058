-- A small forum, of which the README and docs/operate speak: sqlite3 forum.db < examples/forum.sql
PRAGMA journal_mode = WAL;
CREATE TABLE threads (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE posts (
    id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, created_at TEXT NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX posts_thread_id ON posts (thread_id);
INSERT INTO threads (title) VALUES ('Tides'), ('Moons'), ('Nobody answered');
INSERT INTO posts (thread_id, created_at, is_deleted) VALUES
    (1, '2026-01-01', 0), (1, '2026-01-02', 1), (1, '2026-01-03', 0), (2, '2026-01-04', 0), (2, '2026-01-02', 0);

-- The base tables of the music network, SQLite. Timestamps are UTC text 'YYYY-MM-DD HH:MM:SS'.
-- A versioned table keeps old rows with is_current = 0; at most one current row per natural key is
-- enforced by a partial unique index, never left to convention. A stub is an entity that was created
-- before the input began: events name it, so counts need a home, but nothing else is known of it.

CREATE TABLE IF NOT EXISTS blocks (
    number     INTEGER PRIMARY KEY,
    blockhash  TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS users (
    user_id               INTEGER NOT NULL,
    handle                TEXT,
    handle_lc             TEXT,
    wallet                TEXT,
    name                  TEXT,
    bio                   TEXT,
    location              TEXT,
    profile_picture       TEXT,
    profile_picture_sizes TEXT,
    cover_photo           TEXT,
    cover_photo_sizes     TEXT,
    is_verified           BOOLEAN NOT NULL DEFAULT 0,
    is_deactivated        BOOLEAN NOT NULL DEFAULT 0,
    is_stub               BOOLEAN NOT NULL DEFAULT 0,
    is_current            BOOLEAN NOT NULL,
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL,
    blocknumber           INTEGER NOT NULL,
    txhash                TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS users_current ON users (user_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS tracks (
    track_id             INTEGER NOT NULL,
    owner_id             INTEGER,
    title                TEXT,
    genre                TEXT,
    mood                 TEXT,
    tags                 TEXT,
    duration             INTEGER,
    remix_of             TEXT,
    stem_of              TEXT,
    pinned_comment_id    INTEGER,
    is_unlisted          BOOLEAN NOT NULL DEFAULT 0,
    is_available         BOOLEAN NOT NULL DEFAULT 1,
    is_playlist_upload   BOOLEAN NOT NULL DEFAULT 0,
    is_scheduled_release BOOLEAN NOT NULL DEFAULT 0,
    release_date         TEXT,
    is_delete            BOOLEAN NOT NULL DEFAULT 0,
    is_stub              BOOLEAN NOT NULL DEFAULT 0,
    is_current           BOOLEAN NOT NULL,
    created_at           TEXT NOT NULL,
    updated_at           TEXT NOT NULL,
    blocknumber          INTEGER NOT NULL,
    txhash               TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (track_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS tracks_current ON tracks (track_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS tracks_owner ON tracks (owner_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS tracks_pinned ON tracks (pinned_comment_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS playlists (
    playlist_id          INTEGER NOT NULL,
    playlist_owner_id    INTEGER,
    is_album             BOOLEAN NOT NULL DEFAULT 0,
    is_private           BOOLEAN NOT NULL DEFAULT 0,
    playlist_name        TEXT,
    playlist_contents    TEXT,
    is_scheduled_release BOOLEAN NOT NULL DEFAULT 0,
    release_date         TEXT,
    is_delete            BOOLEAN NOT NULL DEFAULT 0,
    is_stub              BOOLEAN NOT NULL DEFAULT 0,
    is_current           BOOLEAN NOT NULL,
    created_at           TEXT NOT NULL,
    updated_at           TEXT NOT NULL,
    blocknumber          INTEGER NOT NULL,
    txhash               TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (playlist_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS playlists_current ON playlists (playlist_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS playlists_owner ON playlists (playlist_owner_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS follows (
    follower_user_id INTEGER NOT NULL,
    followee_user_id INTEGER NOT NULL,
    is_delete        BOOLEAN NOT NULL,
    is_current       BOOLEAN NOT NULL,
    created_at       TEXT NOT NULL,
    blocknumber      INTEGER NOT NULL,
    txhash           TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (follower_user_id, followee_user_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS follows_current ON follows (follower_user_id, followee_user_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS follows_followee ON follows (followee_user_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS saves (
    user_id           INTEGER NOT NULL,
    save_item_id      INTEGER NOT NULL,
    save_type         TEXT NOT NULL CHECK (save_type IN ('track', 'playlist', 'album')),
    is_save_of_repost BOOLEAN NOT NULL DEFAULT 0,
    is_delete         BOOLEAN NOT NULL,
    is_current        BOOLEAN NOT NULL,
    created_at        TEXT NOT NULL,
    blocknumber       INTEGER NOT NULL,
    txhash            TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, save_item_id, save_type, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS saves_current ON saves (user_id, save_item_id, save_type) WHERE is_current;
CREATE INDEX IF NOT EXISTS saves_item ON saves (save_item_id, save_type) WHERE is_current;

CREATE TABLE IF NOT EXISTS reposts (
    user_id             INTEGER NOT NULL,
    repost_item_id      INTEGER NOT NULL,
    repost_type         TEXT NOT NULL CHECK (repost_type IN ('track', 'playlist', 'album')),
    is_repost_of_repost BOOLEAN NOT NULL DEFAULT 0,
    is_delete           BOOLEAN NOT NULL,
    is_current          BOOLEAN NOT NULL,
    created_at          TEXT NOT NULL,
    blocknumber         INTEGER NOT NULL,
    txhash              TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, repost_item_id, repost_type, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS reposts_current ON reposts (user_id, repost_item_id, repost_type) WHERE is_current;
CREATE INDEX IF NOT EXISTS reposts_item ON reposts (repost_item_id, repost_type) WHERE is_current;

CREATE TABLE IF NOT EXISTS subscriptions (
    subscriber_id INTEGER NOT NULL,
    user_id       INTEGER NOT NULL,
    is_delete     BOOLEAN NOT NULL,
    is_current    BOOLEAN NOT NULL,
    created_at    TEXT NOT NULL,
    blocknumber   INTEGER NOT NULL,
    txhash        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (subscriber_id, user_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS subscriptions_current ON subscriptions (subscriber_id, user_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS subscriptions_user ON subscriptions (user_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS comments (
    comment_id        INTEGER PRIMARY KEY,
    text              TEXT NOT NULL,
    user_id           INTEGER NOT NULL,
    entity_id         INTEGER NOT NULL,
    entity_type       TEXT NOT NULL,
    is_visible        BOOLEAN NOT NULL DEFAULT 1,
    is_edited         BOOLEAN NOT NULL DEFAULT 0,
    is_delete         BOOLEAN NOT NULL DEFAULT 0,
    track_timestamp_s INTEGER,
    created_at        TEXT NOT NULL,
    updated_at        TEXT NOT NULL,
    blocknumber       INTEGER NOT NULL,
    txhash            TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS comments_user ON comments (user_id);
CREATE INDEX IF NOT EXISTS comments_entity ON comments (entity_id, entity_type);
CREATE TABLE IF NOT EXISTS comment_reactions (
    comment_id  INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    is_delete   BOOLEAN NOT NULL,
    created_at  TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (comment_id, user_id)
);

-- What a comment answers, whom it mentions, and who does not want to hear of whom or what, from when to when.
CREATE TABLE IF NOT EXISTS comment_threads (
    comment_id        INTEGER PRIMARY KEY,
    parent_comment_id INTEGER NOT NULL,
    blocknumber       INTEGER NOT NULL,
    txhash            TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS comment_threads_parent ON comment_threads (parent_comment_id);
CREATE TABLE IF NOT EXISTS comment_mentions (
    comment_id  INTEGER NOT NULL,
    user_id     INTEGER NOT NULL,
    is_delete   BOOLEAN NOT NULL,
    created_at  TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (comment_id, user_id)
);
CREATE INDEX IF NOT EXISTS comment_mentions_user ON comment_mentions (user_id);
CREATE TABLE IF NOT EXISTS mutes (
    user_id     INTEGER NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id   INTEGER NOT NULL,
    since_block INTEGER NOT NULL,
    since       TEXT NOT NULL,
    until       TEXT,
    PRIMARY KEY (user_id, entity_type, entity_id, since_block)
);
CREATE INDEX IF NOT EXISTS mutes_entity ON mutes (entity_type, entity_id);

CREATE TABLE IF NOT EXISTS shares (
    user_id       INTEGER NOT NULL,
    share_item_id INTEGER NOT NULL,
    share_type    TEXT NOT NULL CHECK (share_type IN ('track', 'playlist')),
    created_at    TEXT NOT NULL,
    blocknumber   INTEGER NOT NULL,
    txhash        TEXT NOT NULL,
    PRIMARY KEY (user_id, share_item_id, share_type, txhash)
);
CREATE INDEX IF NOT EXISTS shares_item ON shares (share_item_id, share_type);

-- Who took a track away with them, each time; and until when somebody has looked at a collection, and at their notices.
CREATE TABLE IF NOT EXISTS track_downloads (
    user_id     INTEGER NOT NULL,
    track_id    INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL,
    PRIMARY KEY (user_id, track_id, txhash)
);
CREATE TABLE IF NOT EXISTS playlist_seen (
    user_id     INTEGER NOT NULL,
    playlist_id INTEGER NOT NULL,
    seen_at     TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL,
    PRIMARY KEY (user_id, playlist_id)
);
CREATE TABLE IF NOT EXISTS notification_seen (
    user_id     INTEGER PRIMARY KEY,
    seen_at     TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL
);

-- What is in a collection, and what was: the inverse of playlists.playlist_contents, which a hook keeps.
CREATE TABLE IF NOT EXISTS playlist_tracks (
    playlist_id INTEGER NOT NULL,
    track_id    INTEGER NOT NULL,
    is_removed  BOOLEAN NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    PRIMARY KEY (playlist_id, track_id)
);
CREATE INDEX IF NOT EXISTS playlist_tracks_track ON playlist_tracks (track_id);
-- Which tracks a track was made of, and which it is a part of.
CREATE TABLE IF NOT EXISTS remixes (
    parent_track_id INTEGER NOT NULL,
    child_track_id  INTEGER NOT NULL,
    PRIMARY KEY (parent_track_id, child_track_id)
);
CREATE INDEX IF NOT EXISTS remixes_child ON remixes (child_track_id);
CREATE TABLE IF NOT EXISTS stems (
    parent_track_id INTEGER NOT NULL,
    child_track_id  INTEGER NOT NULL,
    PRIMARY KEY (parent_track_id, child_track_id)
);
CREATE INDEX IF NOT EXISTS stems_child ON stems (child_track_id);

-- Plays as the ledger tells them, each under its identity, and whether the network counts them yet.
CREATE TABLE IF NOT EXISTS etl_plays (
    block             INTEGER NOT NULL,
    transaction_index INTEGER NOT NULL,
    ordinal           INTEGER NOT NULL,
    height            INTEGER NOT NULL,
    taken_at          TEXT NOT NULL,
    user_id           INTEGER,
    track_id          INTEGER NOT NULL,
    played_at         TEXT NOT NULL,
    country           TEXT,
    is_bridged        BOOLEAN NOT NULL,
    PRIMARY KEY (block, transaction_index, ordinal)
) WITHOUT ROWID;
-- No natural unique key: the same user may play the same track twice in the same second.
CREATE TABLE IF NOT EXISTS plays (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id      INTEGER,
    source       TEXT NOT NULL,
    play_item_id INTEGER NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    slot         INTEGER NOT NULL,
    signature    TEXT NOT NULL,
    country      TEXT
);
-- The groups of aggregate_monthly_plays, so that one group can be recounted without reading its track's other plays.
CREATE INDEX IF NOT EXISTS plays_month ON plays (play_item_id, date(created_at, 'start of month'), coalesce(country, ''));
-- What one user played and when: their distinct hours and tracks, and their history, without other people's plays.
CREATE INDEX IF NOT EXISTS plays_user ON plays (user_id, play_item_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS plays_moment ON plays (play_item_id, created_at);

CREATE TABLE IF NOT EXISTS user_events (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id        INTEGER NOT NULL,
    referrer       INTEGER,
    is_mobile_user BOOLEAN NOT NULL DEFAULT 0,
    is_current     BOOLEAN NOT NULL,
    blocknumber    INTEGER NOT NULL,
    txhash         TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS user_events_current ON user_events (user_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS user_events_referrer ON user_events (referrer) WHERE is_current;

-- Who keeps whom out of their messages.
CREATE TABLE IF NOT EXISTS chat_blocked_users (
    blocker_user_id INTEGER NOT NULL,
    blockee_user_id INTEGER NOT NULL,
    is_delete       BOOLEAN NOT NULL,
    created_at      TEXT NOT NULL,
    blocknumber     INTEGER NOT NULL,
    txhash          TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (blocker_user_id, blockee_user_id)
);
CREATE INDEX IF NOT EXISTS chat_blocked_users_blockee ON chat_blocked_users (blockee_user_id);

-- Tips and purchases come from another ledger: each has a slot and a signature of its own. Amounts are in millionths.
CREATE TABLE IF NOT EXISTS user_tips (
    slot             INTEGER NOT NULL,
    signature        TEXT NOT NULL,
    sender_user_id   INTEGER NOT NULL,
    receiver_user_id INTEGER NOT NULL,
    amount           INTEGER NOT NULL CHECK (amount > 0),
    created_at       TEXT NOT NULL,
    PRIMARY KEY (slot, signature)
);
CREATE INDEX IF NOT EXISTS user_tips_sender ON user_tips (sender_user_id, receiver_user_id);
CREATE INDEX IF NOT EXISTS user_tips_receiver ON user_tips (receiver_user_id);
CREATE INDEX IF NOT EXISTS user_tips_signature ON user_tips (signature);
-- What receivers made of tips, and what people hold at the end of each block that says so.
CREATE TABLE IF NOT EXISTS tip_reactions (
    reacted_to  TEXT NOT NULL,
    user_id     INTEGER NOT NULL,
    value       INTEGER NOT NULL,
    created_at  TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (reacted_to, user_id)
);
CREATE TABLE IF NOT EXISTS user_holdings (
    user_id    INTEGER NOT NULL,
    slot       INTEGER NOT NULL,
    balance    INTEGER NOT NULL CHECK (balance >= 0),
    created_at TEXT NOT NULL,
    PRIMARY KEY (user_id, slot)
);
CREATE TABLE IF NOT EXISTS usdc_purchases (
    slot           INTEGER NOT NULL,
    signature      TEXT NOT NULL,
    buyer_user_id  INTEGER NOT NULL,
    seller_user_id INTEGER NOT NULL,
    amount         INTEGER NOT NULL CHECK (amount > 0),
    content_type   TEXT NOT NULL CHECK (content_type IN ('track', 'album')),
    content_id     INTEGER NOT NULL,
    created_at     TEXT NOT NULL,
    PRIMARY KEY (slot, signature)
);
CREATE INDEX IF NOT EXISTS usdc_purchases_buyer ON usdc_purchases (buyer_user_id, content_type, content_id);
CREATE INDEX IF NOT EXISTS usdc_purchases_seller ON usdc_purchases (seller_user_id);

-- How long everybody has listened without a break, and each time that it grew: kept by a hook, play by play.
CREATE TABLE IF NOT EXISTS challenge_listen_streak (
    user_id          INTEGER PRIMARY KEY,
    last_listen_date TEXT NOT NULL,
    listen_streak    INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS listen_streak_advances (
    user_id       INTEGER NOT NULL,
    hour          TEXT NOT NULL,
    listened_at   TEXT NOT NULL,
    listen_streak INTEGER NOT NULL,
    blocknumber   INTEGER NOT NULL,
    PRIMARY KEY (user_id, hour)
);

-- Contests of remixes, and who won them, in the order in which the host names them.
CREATE TABLE IF NOT EXISTS events (
    event_id    INTEGER PRIMARY KEY,
    event_type  TEXT NOT NULL,
    user_id     INTEGER NOT NULL,
    entity_type TEXT,
    entity_id   INTEGER,
    end_date    TEXT,
    event_data  TEXT,
    is_deleted  BOOLEAN NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    blocknumber INTEGER NOT NULL,
    txhash      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS events_user ON events (user_id);
CREATE INDEX IF NOT EXISTS events_entity ON events (entity_id);
CREATE TABLE IF NOT EXISTS contest_winners (
    event_id     INTEGER NOT NULL,
    track_id     INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    announced_at TEXT NOT NULL,
    blocknumber  INTEGER NOT NULL,
    PRIMARY KEY (event_id, track_id)
);
CREATE INDEX IF NOT EXISTS contest_winners_track ON contest_winners (track_id);

-- What was at the top of the week, announced once and never changed: see weekly.py.
CREATE TABLE IF NOT EXISTS trending_results (
    week    TEXT NOT NULL,
    type    TEXT NOT NULL CHECK (type IN ('tracks', 'underground', 'playlists')),
    rank    INTEGER NOT NULL,
    version TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    id      INTEGER NOT NULL,
    PRIMARY KEY (week, type, version, rank)
);
CREATE INDEX IF NOT EXISTS trending_results_user ON trending_results (user_id);
CREATE INDEX IF NOT EXISTS trending_results_id ON trending_results (id);

-- The rewards that can be earned; catalogue.py fills it. Nothing counts for one before its starting block.
CREATE TABLE IF NOT EXISTS challenges (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    type           TEXT NOT NULL CHECK (type IN ('boolean', 'numeric', 'aggregate', 'trending')),
    amount         INTEGER NOT NULL,
    step_count     INTEGER NOT NULL,
    starting_block INTEGER NOT NULL,
    weekly_pool    INTEGER NOT NULL,
    cooldown_days  INTEGER,
    active         BOOLEAN NOT NULL
);
-- How far everybody is. Each declaration of a challenge owns the rows of its challenge_id.
CREATE TABLE IF NOT EXISTS user_challenges (
    challenge_id          TEXT NOT NULL REFERENCES challenges (id),
    specifier             TEXT NOT NULL,
    user_id               INTEGER NOT NULL,
    is_complete           BOOLEAN NOT NULL,
    current_step_count    INTEGER NOT NULL,
    amount                INTEGER NOT NULL,
    created_at            TEXT NOT NULL,
    completed_at          TEXT,
    completed_blocknumber INTEGER,
    PRIMARY KEY (challenge_id, specifier),
    CHECK (is_complete = (completed_at IS NOT NULL) AND is_complete = (completed_blocknumber IS NOT NULL))
);
-- All the challenges of a user, and the key under which a row is found from the user's own rows.
CREATE UNIQUE INDEX IF NOT EXISTS user_challenges_user ON user_challenges (challenge_id, user_id, specifier);
CREATE INDEX IF NOT EXISTS user_challenges_whose ON user_challenges (user_id);
CREATE INDEX IF NOT EXISTS user_challenges_payable ON user_challenges (completed_blocknumber) WHERE is_complete;

-- Round numbers that a count has reached, each once: see milestones.py.
CREATE TABLE IF NOT EXISTS milestones (
    name        TEXT NOT NULL,
    id          INTEGER NOT NULL,
    threshold   INTEGER NOT NULL,
    blocknumber INTEGER,
    slot        INTEGER,
    "timestamp" TEXT NOT NULL,
    PRIMARY KEY (name, id, threshold)
);
CREATE INDEX IF NOT EXISTS milestones_id ON milestones (id, name);
-- Who is told what: one row for each notice and recipient. Each declaration of notifications.py owns the rows of its family.
CREATE TABLE IF NOT EXISTS notification (
    family      TEXT NOT NULL,
    type        TEXT NOT NULL,
    user_id     INTEGER NOT NULL,
    actor_id    INTEGER NOT NULL,
    item_type   TEXT NOT NULL,
    item_id     INTEGER NOT NULL,
    group_id    TEXT NOT NULL,
    specifier   TEXT NOT NULL,
    "timestamp" TEXT NOT NULL,
    blocknumber INTEGER,
    PRIMARY KEY (group_id, specifier, user_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS notification_what
    ON notification (user_id, family, actor_id, item_id, specifier, type, item_type);
CREATE INDEX IF NOT EXISTS notification_latest ON notification (user_id, "timestamp", group_id, specifier);
-- Whether somebody heard within the hour that a reward is cooling down is asked for every completed reward.
CREATE INDEX IF NOT EXISTS notification_cooldown ON notification (user_id, "timestamp") WHERE type = 'reward_in_cooldown';

-- The base tables of the music network, PostgreSQL. Timestamps are naive UTC.
-- A versioned table keeps old rows with is_current = false; at most one current row per natural key is
-- enforced by a partial unique index, never left to convention. A stub is an entity that was created
-- before the input began: events name it, so counts need a home, but nothing else is known of it.

DO $$ BEGIN
    CREATE TYPE savetype AS ENUM ('track', 'playlist', 'album');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
DO $$ BEGIN
    CREATE TYPE reposttype AS ENUM ('track', 'playlist', 'album');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
DO $$ BEGIN
    CREATE TYPE sharetype AS ENUM ('track', 'playlist');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;

CREATE TABLE IF NOT EXISTS blocks (
    number     integer PRIMARY KEY,
    blockhash  text NOT NULL UNIQUE,
    created_at timestamp NOT NULL
);
CREATE TABLE IF NOT EXISTS users (
    user_id               integer NOT NULL,
    handle                text,
    handle_lc             text,
    wallet                text,
    name                  text,
    bio                   text,
    location              text,
    profile_picture       text,
    profile_picture_sizes text,
    cover_photo           text,
    cover_photo_sizes     text,
    is_verified           boolean NOT NULL DEFAULT false,
    is_deactivated        boolean NOT NULL DEFAULT false,
    is_stub               boolean NOT NULL DEFAULT false,
    is_current            boolean NOT NULL,
    created_at            timestamp NOT NULL,
    updated_at            timestamp NOT NULL,
    blocknumber           integer NOT NULL,
    txhash                text NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS users_current ON users (user_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS tracks (
    track_id             integer NOT NULL,
    owner_id             integer,
    title                text,
    genre                text,
    mood                 text,
    tags                 text,
    duration             integer,
    remix_of             jsonb,
    stem_of              jsonb,
    pinned_comment_id    integer,
    is_unlisted          boolean NOT NULL DEFAULT false,
    is_available         boolean NOT NULL DEFAULT true,
    is_playlist_upload   boolean NOT NULL DEFAULT false,
    is_scheduled_release boolean NOT NULL DEFAULT false,
    release_date         timestamp,
    is_delete            boolean NOT NULL DEFAULT false,
    is_stub              boolean NOT NULL DEFAULT false,
    is_current           boolean NOT NULL,
    created_at           timestamp NOT NULL,
    updated_at           timestamp NOT NULL,
    blocknumber          integer NOT NULL,
    txhash               text NOT NULL DEFAULT '',
    PRIMARY KEY (track_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS tracks_current ON tracks (track_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS tracks_owner ON tracks (owner_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS tracks_pinned ON tracks (pinned_comment_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS playlists (
    playlist_id          integer NOT NULL,
    playlist_owner_id    integer,
    is_album             boolean NOT NULL DEFAULT false,
    is_private           boolean NOT NULL DEFAULT false,
    playlist_name        text,
    playlist_contents    jsonb,
    is_scheduled_release boolean NOT NULL DEFAULT false,
    release_date         timestamp,
    is_delete            boolean NOT NULL DEFAULT false,
    is_stub              boolean NOT NULL DEFAULT false,
    is_current           boolean NOT NULL,
    created_at           timestamp NOT NULL,
    updated_at           timestamp NOT NULL,
    blocknumber          integer NOT NULL,
    txhash               text NOT NULL DEFAULT '',
    PRIMARY KEY (playlist_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS playlists_current ON playlists (playlist_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS playlists_owner ON playlists (playlist_owner_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS follows (
    follower_user_id integer NOT NULL,
    followee_user_id integer NOT NULL,
    is_delete        boolean NOT NULL,
    is_current       boolean NOT NULL,
    created_at       timestamp NOT NULL,
    blocknumber      integer NOT NULL,
    txhash           text NOT NULL DEFAULT '',
    PRIMARY KEY (follower_user_id, followee_user_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS follows_current ON follows (follower_user_id, followee_user_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS follows_followee ON follows (followee_user_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS saves (
    user_id           integer NOT NULL,
    save_item_id      integer NOT NULL,
    save_type         savetype NOT NULL,
    is_save_of_repost boolean NOT NULL DEFAULT false,
    is_delete         boolean NOT NULL,
    is_current        boolean NOT NULL,
    created_at        timestamp NOT NULL,
    blocknumber       integer NOT NULL,
    txhash            text NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, save_item_id, save_type, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS saves_current ON saves (user_id, save_item_id, save_type) WHERE is_current;
CREATE INDEX IF NOT EXISTS saves_item ON saves (save_item_id, save_type) WHERE is_current;

CREATE TABLE IF NOT EXISTS reposts (
    user_id             integer NOT NULL,
    repost_item_id      integer NOT NULL,
    repost_type         reposttype NOT NULL,
    is_repost_of_repost boolean NOT NULL DEFAULT false,
    is_delete           boolean NOT NULL,
    is_current          boolean NOT NULL,
    created_at          timestamp NOT NULL,
    blocknumber         integer NOT NULL,
    txhash              text NOT NULL DEFAULT '',
    PRIMARY KEY (user_id, repost_item_id, repost_type, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS reposts_current ON reposts (user_id, repost_item_id, repost_type) WHERE is_current;
CREATE INDEX IF NOT EXISTS reposts_item ON reposts (repost_item_id, repost_type) WHERE is_current;

CREATE TABLE IF NOT EXISTS subscriptions (
    subscriber_id integer NOT NULL,
    user_id       integer NOT NULL,
    is_delete     boolean NOT NULL,
    is_current    boolean NOT NULL,
    created_at    timestamp NOT NULL,
    blocknumber   integer NOT NULL,
    txhash        text NOT NULL DEFAULT '',
    PRIMARY KEY (subscriber_id, user_id, txhash)
);
CREATE UNIQUE INDEX IF NOT EXISTS subscriptions_current ON subscriptions (subscriber_id, user_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS subscriptions_user ON subscriptions (user_id) WHERE is_current;

CREATE TABLE IF NOT EXISTS comments (
    comment_id        integer PRIMARY KEY,
    text              text NOT NULL,
    user_id           integer NOT NULL,
    entity_id         integer NOT NULL,
    entity_type       text NOT NULL,
    is_visible        boolean NOT NULL DEFAULT true,
    is_edited         boolean NOT NULL DEFAULT false,
    is_delete         boolean NOT NULL DEFAULT false,
    track_timestamp_s integer,
    created_at        timestamp NOT NULL,
    updated_at        timestamp NOT NULL,
    blocknumber       integer NOT NULL,
    txhash            text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS comments_user ON comments (user_id);
CREATE INDEX IF NOT EXISTS comments_entity ON comments (entity_id, entity_type);
CREATE TABLE IF NOT EXISTS comment_reactions (
    comment_id  integer NOT NULL,
    user_id     integer NOT NULL,
    is_delete   boolean NOT NULL,
    created_at  timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL DEFAULT '',
    PRIMARY KEY (comment_id, user_id)
);

-- What a comment answers, whom it mentions, and who does not want to hear of whom or what, from when to when.
CREATE TABLE IF NOT EXISTS comment_threads (
    comment_id        integer PRIMARY KEY,
    parent_comment_id integer NOT NULL,
    blocknumber       integer NOT NULL,
    txhash            text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS comment_threads_parent ON comment_threads (parent_comment_id);
CREATE TABLE IF NOT EXISTS comment_mentions (
    comment_id  integer NOT NULL,
    user_id     integer NOT NULL,
    is_delete   boolean NOT NULL,
    created_at  timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL DEFAULT '',
    PRIMARY KEY (comment_id, user_id)
);
CREATE INDEX IF NOT EXISTS comment_mentions_user ON comment_mentions (user_id);
CREATE TABLE IF NOT EXISTS mutes (
    user_id     integer NOT NULL,
    entity_type text NOT NULL,
    entity_id   integer NOT NULL,
    since_block integer NOT NULL,
    since       timestamp NOT NULL,
    until       timestamp,
    PRIMARY KEY (user_id, entity_type, entity_id, since_block)
);
CREATE INDEX IF NOT EXISTS mutes_entity ON mutes (entity_type, entity_id);

CREATE TABLE IF NOT EXISTS shares (
    user_id       integer NOT NULL,
    share_item_id integer NOT NULL,
    share_type    sharetype NOT NULL,
    created_at    timestamp NOT NULL,
    blocknumber   integer NOT NULL,
    txhash        text NOT NULL,
    PRIMARY KEY (user_id, share_item_id, share_type, txhash)
);
CREATE INDEX IF NOT EXISTS shares_item ON shares (share_item_id, share_type);

-- Who took a track away with them, each time; and until when somebody has looked at a collection, and at their notices.
CREATE TABLE IF NOT EXISTS track_downloads (
    user_id     integer NOT NULL,
    track_id    integer NOT NULL,
    created_at  timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL,
    PRIMARY KEY (user_id, track_id, txhash)
);
CREATE TABLE IF NOT EXISTS playlist_seen (
    user_id     integer NOT NULL,
    playlist_id integer NOT NULL,
    seen_at     timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL,
    PRIMARY KEY (user_id, playlist_id)
);
CREATE TABLE IF NOT EXISTS notification_seen (
    user_id     integer PRIMARY KEY,
    seen_at     timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL
);

-- What is in a collection, and what was: the inverse of playlists.playlist_contents, which a hook keeps.
CREATE TABLE IF NOT EXISTS playlist_tracks (
    playlist_id integer NOT NULL,
    track_id    integer NOT NULL,
    is_removed  boolean NOT NULL,
    created_at  timestamp NOT NULL,
    updated_at  timestamp NOT NULL,
    blocknumber integer NOT NULL,
    PRIMARY KEY (playlist_id, track_id)
);
CREATE INDEX IF NOT EXISTS playlist_tracks_track ON playlist_tracks (track_id);
-- Which tracks a track was made of, and which it is a part of.
CREATE TABLE IF NOT EXISTS remixes (
    parent_track_id integer NOT NULL,
    child_track_id  integer NOT NULL,
    PRIMARY KEY (parent_track_id, child_track_id)
);
CREATE INDEX IF NOT EXISTS remixes_child ON remixes (child_track_id);
CREATE TABLE IF NOT EXISTS stems (
    parent_track_id integer NOT NULL,
    child_track_id  integer NOT NULL,
    PRIMARY KEY (parent_track_id, child_track_id)
);
CREATE INDEX IF NOT EXISTS stems_child ON stems (child_track_id);

-- Plays as the ledger tells them, each under its identity, and whether the network counts them yet.
CREATE TABLE IF NOT EXISTS etl_plays (
    block             integer NOT NULL,
    transaction_index integer NOT NULL,
    ordinal           integer NOT NULL,
    height            integer NOT NULL,
    taken_at          timestamp NOT NULL,
    user_id           integer,
    track_id          integer NOT NULL,
    played_at         timestamp NOT NULL,
    country           text,
    is_bridged        boolean NOT NULL,
    PRIMARY KEY (block, transaction_index, ordinal)
);
-- No natural unique key: the same user may play the same track twice in the same second.
CREATE TABLE IF NOT EXISTS plays (
    id           bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    user_id      integer,
    source       text NOT NULL,
    play_item_id integer NOT NULL,
    created_at   timestamp NOT NULL,
    updated_at   timestamp NOT NULL,
    slot         integer NOT NULL,
    signature    text NOT NULL,
    country      text
);
-- The groups of aggregate_monthly_plays, so that one group can be recounted without reading its track's other plays.
CREATE INDEX IF NOT EXISTS plays_month ON plays (play_item_id, (date_trunc('month', created_at)::date), (coalesce(country, '')));
-- What one user played and when: their distinct hours and tracks, and their history, without other people's plays.
CREATE INDEX IF NOT EXISTS plays_user ON plays (user_id, play_item_id, created_at) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS plays_moment ON plays (play_item_id, created_at);

CREATE TABLE IF NOT EXISTS user_events (
    id             bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    user_id        integer NOT NULL,
    referrer       integer,
    is_mobile_user boolean NOT NULL DEFAULT false,
    is_current     boolean NOT NULL,
    blocknumber    integer NOT NULL,
    txhash         text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX IF NOT EXISTS user_events_current ON user_events (user_id) WHERE is_current;
CREATE INDEX IF NOT EXISTS user_events_referrer ON user_events (referrer) WHERE is_current;

-- Who keeps whom out of their messages.
CREATE TABLE IF NOT EXISTS chat_blocked_users (
    blocker_user_id integer NOT NULL,
    blockee_user_id integer NOT NULL,
    is_delete       boolean NOT NULL,
    created_at      timestamp NOT NULL,
    blocknumber     integer NOT NULL,
    txhash          text NOT NULL DEFAULT '',
    PRIMARY KEY (blocker_user_id, blockee_user_id)
);
CREATE INDEX IF NOT EXISTS chat_blocked_users_blockee ON chat_blocked_users (blockee_user_id);

-- Tips and purchases come from another ledger: each has a slot and a signature of its own. Amounts are in millionths.
CREATE TABLE IF NOT EXISTS user_tips (
    slot             integer NOT NULL,
    signature        text NOT NULL,
    sender_user_id   integer NOT NULL,
    receiver_user_id integer NOT NULL,
    amount           bigint NOT NULL CHECK (amount > 0),
    created_at       timestamp NOT NULL,
    PRIMARY KEY (slot, signature)
);
CREATE INDEX IF NOT EXISTS user_tips_sender ON user_tips (sender_user_id, receiver_user_id);
CREATE INDEX IF NOT EXISTS user_tips_receiver ON user_tips (receiver_user_id);
CREATE INDEX IF NOT EXISTS user_tips_signature ON user_tips (signature);
-- What receivers made of tips, and what people hold at the end of each block that says so.
CREATE TABLE IF NOT EXISTS tip_reactions (
    reacted_to  text NOT NULL,
    user_id     integer NOT NULL,
    value       integer NOT NULL,
    created_at  timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL DEFAULT '',
    PRIMARY KEY (reacted_to, user_id)
);
CREATE TABLE IF NOT EXISTS user_holdings (
    user_id    integer NOT NULL,
    slot       integer NOT NULL,
    balance    bigint NOT NULL CHECK (balance >= 0),
    created_at timestamp NOT NULL,
    PRIMARY KEY (user_id, slot)
);
CREATE TABLE IF NOT EXISTS usdc_purchases (
    slot           integer NOT NULL,
    signature      text NOT NULL,
    buyer_user_id  integer NOT NULL,
    seller_user_id integer NOT NULL,
    amount         bigint NOT NULL CHECK (amount > 0),
    content_type   text NOT NULL CHECK (content_type IN ('track', 'album')),
    content_id     integer NOT NULL,
    created_at     timestamp NOT NULL,
    PRIMARY KEY (slot, signature)
);
CREATE INDEX IF NOT EXISTS usdc_purchases_buyer ON usdc_purchases (buyer_user_id, content_type, content_id);
CREATE INDEX IF NOT EXISTS usdc_purchases_seller ON usdc_purchases (seller_user_id);

-- How long everybody has listened without a break, and each time that it grew: kept by a hook, play by play.
CREATE TABLE IF NOT EXISTS challenge_listen_streak (
    user_id          integer PRIMARY KEY,
    last_listen_date timestamp NOT NULL,
    listen_streak    integer NOT NULL
);
CREATE TABLE IF NOT EXISTS listen_streak_advances (
    user_id       integer NOT NULL,
    hour          text NOT NULL,
    listened_at   timestamp NOT NULL,
    listen_streak integer NOT NULL,
    blocknumber   integer NOT NULL,
    PRIMARY KEY (user_id, hour)
);

-- Contests of remixes, and who won them, in the order in which the host names them.
CREATE TABLE IF NOT EXISTS events (
    event_id    integer PRIMARY KEY,
    event_type  text NOT NULL,
    user_id     integer NOT NULL,
    entity_type text,
    entity_id   integer,
    end_date    timestamp,
    event_data  jsonb,
    is_deleted  boolean NOT NULL,
    created_at  timestamp NOT NULL,
    updated_at  timestamp NOT NULL,
    blocknumber integer NOT NULL,
    txhash      text NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS events_user ON events (user_id);
CREATE INDEX IF NOT EXISTS events_entity ON events (entity_id);
CREATE TABLE IF NOT EXISTS contest_winners (
    event_id     integer NOT NULL,
    track_id     integer NOT NULL,
    place        integer NOT NULL,
    announced_at timestamp NOT NULL,
    blocknumber  integer NOT NULL,
    PRIMARY KEY (event_id, track_id)
);
CREATE INDEX IF NOT EXISTS contest_winners_track ON contest_winners (track_id);

-- What was at the top of the week, announced once and never changed: see weekly.py.
CREATE TABLE IF NOT EXISTS trending_results (
    week    text NOT NULL,
    type    text NOT NULL CHECK (type IN ('tracks', 'underground', 'playlists')),
    rank    integer NOT NULL,
    version text NOT NULL,
    user_id integer NOT NULL,
    id      integer NOT NULL,
    PRIMARY KEY (week, type, version, rank)
);
CREATE INDEX IF NOT EXISTS trending_results_user ON trending_results (user_id);
CREATE INDEX IF NOT EXISTS trending_results_id ON trending_results (id);

-- The rewards that can be earned; catalogue.py fills it. Nothing counts for one before its starting block.
CREATE TABLE IF NOT EXISTS challenges (
    id             text PRIMARY KEY,
    name           text NOT NULL,
    type           text NOT NULL CHECK (type IN ('boolean', 'numeric', 'aggregate', 'trending')),
    amount         integer NOT NULL,
    step_count     integer NOT NULL,
    starting_block integer NOT NULL,
    weekly_pool    integer NOT NULL,
    cooldown_days  integer,
    active         boolean NOT NULL
);
-- How far everybody is. Each declaration of a challenge owns the rows of its challenge_id.
CREATE TABLE IF NOT EXISTS user_challenges (
    challenge_id          text NOT NULL REFERENCES challenges (id),
    specifier             text NOT NULL,
    user_id               integer NOT NULL,
    is_complete           boolean NOT NULL,
    current_step_count    integer NOT NULL,
    amount                integer NOT NULL,
    created_at            timestamp NOT NULL,
    completed_at          timestamp,
    completed_blocknumber bigint,
    PRIMARY KEY (challenge_id, specifier),
    CHECK (is_complete = (completed_at IS NOT NULL) AND is_complete = (completed_blocknumber IS NOT NULL))
);
-- All the challenges of a user, and the key under which a row is found from the user's own rows.
CREATE UNIQUE INDEX IF NOT EXISTS user_challenges_user ON user_challenges (challenge_id, user_id, specifier);
CREATE INDEX IF NOT EXISTS user_challenges_whose ON user_challenges (user_id);
CREATE INDEX IF NOT EXISTS user_challenges_payable ON user_challenges (completed_blocknumber) WHERE is_complete;

-- Round numbers that a count has reached, each once: see milestones.py.
CREATE TABLE IF NOT EXISTS milestones (
    name        text NOT NULL,
    id          integer NOT NULL,
    threshold   integer NOT NULL,
    blocknumber bigint,
    slot        bigint,
    "timestamp" timestamp NOT NULL,
    PRIMARY KEY (name, id, threshold)
);
CREATE INDEX IF NOT EXISTS milestones_id ON milestones (id, name);
-- Who is told what: one row for each notice and recipient. Each declaration of notifications.py owns the rows of its family.
CREATE TABLE IF NOT EXISTS notification (
    family      text NOT NULL,
    type        text NOT NULL,
    user_id     integer NOT NULL,
    actor_id    integer NOT NULL,
    item_type   text NOT NULL,
    item_id     bigint NOT NULL,
    group_id    text NOT NULL,
    specifier   text NOT NULL,
    "timestamp" timestamp NOT NULL,
    blocknumber bigint,
    PRIMARY KEY (group_id, specifier, user_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS notification_what
    ON notification (user_id, family, actor_id, item_id, specifier, type, item_type);
CREATE INDEX IF NOT EXISTS notification_latest ON notification (user_id, "timestamp", group_id, specifier);
-- Whether somebody heard within the hour that a reward is cooling down is asked for every completed reward.
CREATE INDEX IF NOT EXISTS notification_cooldown ON notification (user_id, "timestamp") WHERE type = 'reward_in_cooldown';

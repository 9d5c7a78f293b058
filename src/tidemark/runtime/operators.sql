-- What operators did and what they want to see: the audit, samples of runs, and counts that only grow.

-- name: create_audit
-- Every action of an operator: when, who, by which door, what about what, and how it ended. Rows are kept.
CREATE TABLE {ours}_audit (
    id {lasting},
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    about TEXT NOT NULL,
    detail TEXT NOT NULL,
    outcome TEXT NOT NULL
);

-- name: create_audit_about
-- What was done about one thing is found without reading the rest.
CREATE INDEX {here}_audit_about ON {ours}_audit (about, id);

-- name: create_sample
-- How a run went from moment to moment: a row a second at first, and more and more seldom.
CREATE TABLE {ours}_sample (
    run {big} NOT NULL,
    seconds {real} NOT NULL,
    span {real} NOT NULL,
    done {big} NOT NULL,
    rows {big} NOT NULL,
    chunks {big} NOT NULL,
    hold_ms {real} NOT NULL,
    wait_ms {real} NOT NULL,
    longest_ms {real} NOT NULL,
    target_ms {real} NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (run, seconds)
) {rowless};

-- name: create_total
-- What runs have come to, ever: by what they were about, their duty and how they ended.
CREATE TABLE {ours}_total (
    derived TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    runs {big} NOT NULL,
    rows_done {big} NOT NULL,
    rows_written {big} NOT NULL,
    seconds {real} NOT NULL,
    ended TEXT,
    PRIMARY KEY (derived, kind, state)
) {rowless};

-- name: create_hold
-- How many chunks held their locks, or waited for them, for how long, and how many runs took how long: by the number of a bound,
-- which they are not above.
CREATE TABLE {ours}_hold (
    derived TEXT NOT NULL,
    kind TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('hold', 'wait', 'took')),
    bound INTEGER NOT NULL,
    chunks {big} NOT NULL,
    ms {real} NOT NULL,
    PRIMARY KEY (derived, kind, what, bound)
) {rowless};

-- name: create_held
-- How many seconds work was held back, ever, by each reason.
CREATE TABLE {ours}_held (
    derived TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    seconds {real} NOT NULL,
    PRIMARY KEY (derived, kind, reason)
) {rowless};

-- name: create_run_of
-- The runs of one duty about one thing, in order.
CREATE INDEX {here}_run_of ON {ours}_run (derived, kind, id);

-- name: create_run_open
-- Runs that have not ended and runs that failed are found without reading the history.
CREATE INDEX {here}_run_open ON {ours}_run (state, id) WHERE state IN ('running', 'failed');

-- name: add_audit
-- Write down what an operator did.
INSERT INTO {ours}_audit (at, who, action, about, detail, outcome)
VALUES ({now}, :who, :action, :about, :detail, :outcome);

-- name: list_audit
-- What operators did, newest first; about one thing, or all.
SELECT id, at, who, action, about, detail, outcome FROM {ours}_audit
WHERE CAST(:about AS TEXT) = '' OR about = :about ORDER BY id DESC LIMIT :limit;

-- name: add_sample
-- How a run goes now.
INSERT INTO {ours}_sample (run, seconds, span, done, rows, chunks, hold_ms, wait_ms, longest_ms, target_ms, size)
VALUES (:run, :seconds, :span, :done, :rows, :chunks, :hold_ms, :wait_ms, :longest_ms, :target_ms, :size)
ON CONFLICT (run, seconds) DO NOTHING;

-- name: list_samples
-- How a run went, in order.
SELECT seconds, span, done, rows, chunks, hold_ms, wait_ms, longest_ms, target_ms, size
FROM {ours}_sample WHERE run = :run ORDER BY seconds;

-- name: list_last_samples
-- How a run goes now, newest first.
SELECT seconds, span, done, rows, chunks, hold_ms, wait_ms, longest_ms, target_ms, size
FROM {ours}_sample WHERE run = :run ORDER BY seconds DESC LIMIT :limit;

-- name: trim_samples
-- Samples of runs that were long ago are nobody's any more.
DELETE FROM {ours}_sample WHERE run < (SELECT min(run) FROM (SELECT DISTINCT run FROM {ours}_sample ORDER BY run DESC LIMIT :keep) AS kept);

-- name: add_held
-- Add seconds to those that work was held back by a reason.
INSERT INTO {ours}_held AS h (derived, kind, reason, seconds) VALUES (:derived, :kind, :reason, :seconds)
ON CONFLICT (derived, kind, reason) DO UPDATE SET seconds = h.seconds + excluded.seconds;

-- name: list_held
-- How many seconds work was held back.
SELECT derived, kind, reason, seconds FROM {ours}_held ORDER BY derived, kind, reason;

-- name: count_killed
-- Add runs whose process was killed.
INSERT INTO {ours}_total AS t (derived, kind, state, runs, rows_done, rows_written, seconds, ended)
VALUES (:derived, :kind, 'interrupted', :runs, 0, 0, 0, {now})
ON CONFLICT (derived, kind, state) DO UPDATE SET runs = t.runs + excluded.runs, ended = excluded.ended;

-- name: list_totals
-- What runs have come to.
SELECT derived, kind, state, runs, rows_done, rows_written, seconds, ended FROM {ours}_total ORDER BY derived, kind, state;

-- name: add_hold
-- Add chunks to those that held or waited no longer than a bound.
INSERT INTO {ours}_hold AS h (derived, kind, what, bound, chunks, ms) VALUES (:derived, :kind, :what, :bound, :chunks, :ms)
ON CONFLICT (derived, kind, what, bound) DO UPDATE SET chunks = h.chunks + excluded.chunks, ms = h.ms + excluded.ms;

-- name: list_holds
-- How long chunks held and waited.
SELECT derived, kind, what, bound, chunks, ms FROM {ours}_hold ORDER BY derived, kind, what, bound;

-- name: count_findings_ever
-- How many rows were ever found wrong, by derived table and by how that ended.
SELECT derived, coalesce(outcome, ''), count(*) FROM {ours}_drift WHERE kind <> 'stale' GROUP BY derived, coalesce(outcome, '') ORDER BY 1, 2;

"""What went wrong in other people's backfills, ticks and dashboards, with the tests that hold Tidemark against it.

Owns: `ACCEPTANCE`. Promises: nothing here runs; `test_requirements` sees that every test is there.
"""

from __future__ import annotations

HEAD = """\
# What a backfill promises, and who checks it

Made by `python -m tests.backfill.requirements --write`. The requirements come from the reviews of a real system's background
migrations, and from what operators of others complain about; each is a test, and each test finds a mistake that is planted
into the runner on purpose: by name in `tests/backfill/mutants.py`, or by the test that is named.

| requirement | test | planted mistake |
| --- | --- | --- |
"""

ACCEPTED = """
## Twelve failures of other people's

| what went wrong elsewhere | tests |
| --- | --- |
"""
ACCEPTANCE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "A process that is killed at any instant loses no chunk and doubles none (`make kills N=1000` kills a thousand).",
        (
            "backfill/test_deaths.py::test_a_death_after_any_commit_leaves_nothing_out_and_doubles_nothing",
            "protocols/test_backfills.py::test_a_kill_of_a_backfill_at_any_instant_loses_and_doubles_nothing",
            "protocols/test_kills.py::test_a_kill_at_any_instant_loses_and_doubles_nothing",
        ),
    ),
    (
        "Four writers lose nothing and wait for no longer than a chunk; how long that is, `make bench` measures.",
        (
            "backfill/test_telling.py::test_a_writer_finds_the_database_free_after_every_chunk",
            "examples/test_meshscope_load.py::test_one_connection_makes_everybody_wait_and_ends_with_the_same_columns",
        ),
    ),
    (
        "Rows that can never be filled do not keep it from ending.",
        ("backfill/test_telling.py::test_rows_that_are_never_filled_do_not_keep_it_from_ending",),
    ),
    (
        "Inserts that are faster than it do not, either.",
        ("backfill/test_running.py::test_rows_that_come_while_it_runs_do_not_make_it_longer",),
    ),
    (
        "A row that cannot be done is quarantined alone; the others are done; exit 7.",
        (
            "backfill/test_running.py::test_a_row_that_cannot_be_migrated_is_quarantined_alone_and_tried_again_when_asked",
            "backfill/test_command_line.py::test_keys_that_were_quarantined_end_it_with_seven_and_a_retry_tries_them",
        ),
    ),
    (
        "A reader that pins the log makes it rest, with the reason `wal_pinned`, and go on by itself.",
        ("backfill/test_steering.py::test_a_pinned_reader_bounds_the_log_and_its_end_lets_it_go_on",),
    ),
    (
        "Alembic's batch operations and Django's AlterField run on a table that is watched, and the state is honest after them.",
        (
            "changes/test_guard.py::test_alembic_batch_operations",
            "changes/test_guard.py::test_django_migrations",
            "changes/test_guard.py::test_without_a_guard_alembic_fails_or_makes_a_gap",
        ),
    ),
    (
        "What failed is red in the banner, not ready by policy, and never ready because nobody looked.",
        (
            "page/browser_banner.py",
            "web/test_health.py::test_a_failed_run_is_never_ready_until_one_is_done",
            "web/test_health.py::test_a_policy_says_what_ready_means",
            "examples/test_meshscope_api.py::test_what_failed_or_is_unknown_neither_runs_nor_reads_as_fine",
        ),
    ),
    (
        "The time that is left is right within a fifth after the first tenth, and nothing says 100 % before it is compared.",
        (
            "backfill/test_telling.py::test_the_error_of_the_time_that_is_left_is_small_after_a_tenth",
            "backfill/test_telling.py::test_the_time_that_is_left_is_what_is_left_at_the_present_rate",
        ),
    ),
    (
        'Health answers while somebody else holds the writers\' lock; how fast, `make bench ARGS="--parts surface"` measures.',
        (
            "web/test_mounting.py::test_health_answers_while_somebody_else_writes",
            "examples/test_meshscope_api.py::test_nothing_waits_for_whoever_writes",
        ),
    ),
    (
        "The dashboard works under any prefix and a strict content security policy.",
        (
            "web/test_mounting.py::test_it_works_under_any_prefix_and_names_no_absolute_address",
            "web/test_mounting.py::test_every_answer_has_the_security_headers",
        ),
    ),
    (
        "A plan after an apply is empty, a second apply does nothing, and an uninstall leaves nothing.",
        (
            "unit/runtime/test_apply.py::test_a_created_table_is_true_and_the_next_plan_is_empty",
            "unit/runtime/test_apply.py::test_uninstalling_leaves_nothing_of_ours",
        ),
    ),
)

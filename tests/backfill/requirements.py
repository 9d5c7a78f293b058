"""What a runner of backfills has to do, as a table: each requirement, the test named for it, and the mistake that the test finds.

``python -m tests.backfill.requirements --write`` writes ``docs/backfill-requirements.md``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tests.backfill.acceptance import ACCEPTANCE, ACCEPTED, HEAD
from tests.docs.blocks import DOCS

PAGE = DOCS / "backfill-requirements.md"


@dataclass(frozen=True)
class Requirement:
    """A sentence, the test (file::function under ``tests``), and the name of a mutant that it finds; where the mistakes of a room
    are planted by a test beside it, that is `planted_by`."""

    says: str
    test: str
    mutant: str = ""
    planted_by: str = ""


def _own(room: str, *rows: tuple[str, str, str]) -> tuple[Requirement, ...]:
    return tuple(Requirement(says, f"backfill/test_{room}.py::test_{test}", mutant) for says, test, mutant in rows)


REQUIREMENTS = (
    *_own(
        "running",
        (
            "Rows that come while it runs do not make it longer, and it ends however fast they come.",
            "rows_that_come_while_it_runs_do_not_make_it_longer",
            "there is no upper bound",
        ),
        (
            "On SQLite a chunk's keys are listed before the lock is had; a row that comes in between is done all the same.",
            "a_row_that_comes_after_the_keys_of_its_chunk_were_listed_is_done",
            "keys that were listed are those of now",
        ),
        (
            "A row whose data is to blame is quarantined alone, with its error and the attempt; the others are done; exit 7.",
            "a_row_that_cannot_be_migrated_is_quarantined_alone_and_tried_again_when_asked",
            "the bad row takes its chunk along",
        ),
        (
            "What a function raises is contained: it never ends the process.",
            "a_row_that_cannot_be_migrated_is_quarantined_alone_and_tried_again_when_asked",
            "one bad row fails all",
        ),
        (
            "A failed backfill stays visible with its message, and does not read as ready.",
            "too_many_keys_quarantined_are_a_failure_that_stays_visible",
            "a failure reads as finished",
        ),
        (
            "Too many keys that were quarantined are a failure.",
            "too_many_keys_quarantined_are_a_failure_that_stays_visible",
            "any number may be quarantined",
        ),
        (
            "An error before the first row is a failure on record.",
            "a_statement_that_the_engine_does_not_take_fails_before_the_first_row",
            "no text is tried before the first row",
        ),
        (
            "A definition that changed is not continued in the middle.",
            "another_definition_is_not_continued_in_the_middle",
            "a changed definition goes on",
        ),
        ("One name cannot run twice at a time.", "only_one_runner_is_at_a_backfill", "two may be at it"),
        (
            "A stop keeps what is done, is told apart from a failure, and can go on.",
            "what_is_interrupted_goes_on_and_does_nothing_twice",
            "a stop is a failure",
        ),
    ),
    *_own(
        "steering",
        (
            "A cancel is honoured within one chunk: some rows are done, not all, and they stay.",
            "a_cancelled_backfill_keeps_what_was_committed_and_says_so",
            "a wish is not seen",
        ),
        (
            "Nor does it wait for what holds the backfill back.",
            "what_is_held_back_can_be_given_up",
            "who is held back hears of no cancel",
        ),
        (
            "A cancel is recorded with its cause, apart from failures and crashes.",
            "a_cancelled_backfill_keeps_what_was_committed_and_says_so",
            "a cancel is a failure",
        ),
        (
            "A retry resets the counters in the transaction that begins it.",
            "a_cancelled_backfill_keeps_what_was_committed_and_says_so",
            "a retry keeps the counters",
        ),
        (
            "A pause waits, and goes on by itself when it is taken back.",
            "a_paused_backfill_waits_and_goes_on_when_it_is_resumed",
            "a pause ends with the chunk",
        ),
        (
            "Every reason to hold back is told, not the first alone.",
            "every_reason_to_hold_back_is_told_and_what_cannot_be_seen_is_one",
            "one reason is told of several",
        ),
        (
            "A signal that cannot be seen holds back.",
            "every_reason_to_hold_back_is_told_and_what_cannot_be_seen_is_one",
            "what cannot be seen is well",
        ),
        (
            "While there is a reason to hold back nothing is done, and the record says why.",
            "strain_holds_it_back_on_record_until_no_reason_is_left",
            "what is under strain goes on",
        ),
        (
            "A reader that pins the log bounds it by a pause; its end lets the backfill go on.",
            "a_pinned_reader_bounds_the_log_and_its_end_lets_it_go_on",
            "what is under strain goes on",
        ),
    ),
    *_own(
        "telling",
        (
            "It ends even if some rows can never be filled.",
            "rows_that_are_never_filled_do_not_keep_it_from_ending",
            "the cursor moves over written rows only",
        ),
        (
            "A count of rows that is none never ends the loop as a success.",
            "a_count_of_rows_that_is_none_is_a_failure",
            "a count that is none is taken for nothing",
        ),
        ("No event is told of an empty chunk.", "no_event_is_told_of_a_chunk_without_keys", "an empty chunk is told"),
        (
            "Writers find the database free after every chunk for as long as it was held.",
            "a_writer_finds_the_database_free_after_every_chunk",
            "nobody rests",
        ),
        (
            "The rest is never shorter than the hold while others write.",
            "a_writer_finds_the_database_free_after_every_chunk",
            "nobody rests enough",
        ),
        (
            "Each chunk is of its size, whatever there is.",
            "a_chunk_does_no_more_than_its_size",
            "a step reads everything",
        ),
        (
            "Progress is written at most once a second.",
            "it_is_told_once_a_second_and_always_at_the_end",
            "it is told after every chunk",
        ),
        (
            "The last progress is always written.",
            "it_is_told_once_a_second_and_always_at_the_end",
            "the last word is not told",
        ),
        (
            "That progress cannot be written never stops the work.",
            "that_nothing_can_be_told_stops_no_work",
            "that nothing can be told is a failure",
        ),
        (
            "Who reads the record waits for no writer.",
            "what_is_read_waits_for_no_writer",
            "who reads waits for writers",
        ),
        (
            "Zero is zero: no rest is not the usual rest.",
            "zero_is_no_rest_and_not_the_usual_one",
            "zero is nothing said",
        ),
        (
            "A record that is gone is an error when it is written.",
            "a_record_that_is_gone_is_an_error",
            "a record that is gone is no error",
        ),
        (
            "No ledger, no backfill and a broken record are told apart.",
            "no_ledger_no_backfill_and_a_broken_record_are_told_apart",
            "without a ledger there is nothing",
        ),
        (
            "An unknown state is unknown, never running and never ready.",
            "an_unknown_state_is_unknown_and_never_running_or_ready",
            "an unknown state is taken for what it says",
        ),
        (
            "A runner that died reads as interrupted, not as running.",
            "a_runner_that_died_without_a_word_reads_as_interrupted",
            "a dead runner is at work",
        ),
        (
            "A time that cannot be read gives no number.",
            "a_time_that_cannot_be_read_gives_no_number",
            "a time that cannot be read is now",
        ),
        (
            "The rate is of this run's own time.",
            "the_rate_is_rows_in_a_second_of_this_run",
            "the rate counts what was held back",
        ),
        (
            "45,000 rows left at 500 a second are 90 seconds.",
            "the_time_that_is_left_is_what_is_left_at_the_present_rate",
            "what is left is over the whole",
        ),
        (
            "Never more than 99 % before it is finished.",
            "the_time_that_is_left_is_what_is_left_at_the_present_rate",
            "the whole is whole before it is finished",
        ),
        (
            "The time that is left is right within a fifth, after the first tenth.",
            "the_error_of_the_time_that_is_left_is_small_after_a_tenth",
            "what is left is over the whole",
        ),
        (
            "The time that is left has bounds, by the fast and the slow tenth of what was seen; none where that is a guess.",
            "the_time_that_is_left_has_bounds_by_the_fast_and_the_slow_tenth",
            "the bounds of what is left are its middle",
        ),
        (
            "Fillings and migrations are one list.",
            "fillings_and_migrations_are_one_list",
            "fillings are not in the list",
        ),
        (
            "Each step and its record reach their rows by an index, in an explicit order.",
            "a_step_and_its_record_reach_their_rows_by_an_index",
            "a step sorts what is left",
        ),
        (
            "Nothing is left of a run that was stopped: no timer, no thread, no lease.",
            "nothing_is_left_of_a_run_that_was_stopped",
            "a lease is kept after the end",
        ),
    ),
    *_own(
        "workers",
        (
            "Conflicts are tried again.",
            "conflicts_are_tried_again_and_what_takes_too_long_is_halved",
            "a conflict is a failure",
        ),
        (
            "A chunk that takes too long is halved.",
            "conflicts_are_tried_again_and_what_takes_too_long_is_halved",
            "what takes too long stays as big",
        ),
        (
            "A lost connection is opened anew, and nothing is done twice.",
            "a_lost_connection_is_opened_anew_and_nothing_is_done_twice",
            "a lost connection is a failure",
        ),
        (
            "Nor where the answer to a commit is lost, of which nobody knows whether it was.",
            "a_lost_connection_is_opened_anew_and_nothing_is_done_twice",
            "what was not answered was not committed",
        ),
        (
            "Workers beside each other do every row once.",
            "workers_beside_each_other_do_every_row_once_and_end_together",
            "every range begins at the first key",
        ),
        (
            "Totals are counted and not guessed from the keys: sparse keys do not mislead them.",
            "the_survey_counts_exactly_and_cuts_where_the_keys_are",
            "keys are guessed from their numbers",
        ),
    ),
    *_own(
        "fillings",
        (
            "A failed filling never reads as ready.",
            "a_failed_filling_never_reads_as_ready",
            "a failed filling is as good as a finished one",
        ),
        (
            "A filling rests when it is told to, and no worker takes it up meanwhile.",
            "a_filling_rests_when_an_operator_says_so_and_a_worker_goes_on_when_it_may",
            "a paused filling is taken up again",
        ),
        (
            "What many writers changed behind a long filling is no failure, however much it is.",
            "what_many_writers_changed_behind_a_filling_is_no_failure",
            "what is left of a long filling is a failure",
        ),
        (
            "A range of keys is computed anew up to its last key.",
            "a_range_of_keys_is_computed_anew_and_nothing_beside_it",
            "a range ends before its last key",
        ),
        (
            "Nothing beside a range of keys is computed anew.",
            "a_range_of_keys_is_computed_anew_and_nothing_beside_it",
            "a range is everything",
        ),
        (
            "Rows that somebody picked are made true, and no others.",
            "rows_that_somebody_picked_are_made_true_and_no_others",
            "who picks a row has everything repaired",
        ),
    ),
    *_own(
        "pages",
        ("What is computed ahead of the lock is true.", "rows_computed_ahead_are_those_of_now", "ahead is now"),
        (
            "A filling goes on after the last key that was done, whatever came or went meanwhile.",
            "every_key_is_filled_whatever_stops_it_and_what_is_filled_is_not_again",
            "a filling that goes on forgets its key",
        ),
        (
            "No key is missed: not the one that is NULL,",
            "every_key_is_filled_whatever_stops_it_and_what_is_filled_is_not_again",
            "the key that is NULL is in no page",
        ),
        (
            "and not the first of a page.",
            "every_key_is_filled_whatever_stops_it_and_what_is_filled_is_not_again",
            "a page begins one key late",
        ),
        (
            "Keys that are born while it fills are true, and it ends.",
            "keys_that_are_born_while_it_fills_are_true_and_do_not_make_it_longer",
            "the walk of a filling has no end",
        ),
        ("No transaction lists every key.", "a_page_is_all_that_is_ever_listed", "every key is listed at once"),
    ),
    *_own(
        "side_by_side",
        (
            "Sessions beside each other fill every key of a derived table once, at one time, and what they did adds up.",
            "sessions_beside_each_other_fill_every_key_once",
            "a range is given to two sessions",
        ),
        (
            "No key is left between the ranges of sessions beside each other.",
            "sessions_beside_each_other_fill_every_key_once",
            "a range is given to no session",
        ),
        (
            "What several filled goes on with any number, and nothing is done or counted twice.",
            "they_stop_together_and_any_number_goes_on",
            "what ranges have is not what is filled",
        ),
        (
            "A session beside others that is lost gives its range back.",
            "a_session_that_is_lost_gives_its_range_back",
            "who is lost takes a range along",
        ),
        (
            "Workers that wait say so one after the other.",
            "a_migration_that_waits_waits_with_all_its_workers",
            "several say at once that they wait",
        ),
    ),
    Requirement(
        "Where nobody else commits, rows are put there as they were read; the first commit of anybody ends that.",
        "backfill/test_quiet.py::test_the_first_commit_of_anybody_ends_it",
        planted_by="backfill/test_quiet.py::test_the_first_commit_of_anybody_ends_it",
    ),
    Requirement(
        "Who is alone on PostgreSQL locks a table in the place of its rows, and a writer that comes meanwhile loses nothing.",
        "backfill/test_alone.py::test_a_writer_that_comes_meanwhile_loses_nothing",
        planted_by="backfill/test_alone.py::test_a_writer_that_comes_meanwhile_loses_nothing",
    ),
    *_own(
        "deaths",
        (
            "A kill at any instant loses and doubles nothing; `protocols/test_backfills.py` kills processes of a migration and a "
            "filling, too.",
            "a_death_after_any_commit_leaves_nothing_out_and_doubles_nothing",
            "the cursor is committed after the rows",
        ),
    ),
    Requirement(
        "A definition that gains a column has that column filled alone, and the others stay true and shown.",
        "changes/test_added_columns.py::test_only_what_was_added_is_filled",
        planted_by="changes/test_added_columns.py::test_a_mistake_in_widening_is_found_out",
    ),
    Requirement(
        "What readers see of an older definition is ticked while the newer one is filled.",
        "changes/test_meanwhile.py::test_what_readers_see_is_ticked_while_another_definition_is_filled",
        planted_by="changes/test_meanwhile.py::test_a_filling_that_ticks_nothing_meanwhile_is_found_out",
    ),
    Requirement(
        "What is adopted in shadow is compared as often as somebody asks, and taken over only when somebody says so.",
        "examples/test_soundgraph_adoption.py::test_a_shadow_stays_beside_until_it_is_told_otherwise",
        planted_by="examples/test_soundgraph_adoption.py::test_an_adoption_that_forgets_how_it_stands_is_found_out",
    ),
    Requirement(
        "Over a baseline what was there is carried on, and verified as the sum that it is.",
        "examples/test_soundgraph_adoption.py::test_over_a_baseline_what_was_there_is_carried_on",
        planted_by="examples/test_soundgraph_adoption.py::test_an_adoption_that_forgets_how_it_stands_is_found_out",
    ),
)


def page() -> str:
    """The text of the page."""
    rows = [f"| {one.says} | `{one.test}` | {one.mutant or f'`{one.planted_by}`'} |" for one in REQUIREMENTS]
    accepted = [f"| {says} | {', '.join(f'`{test}`' for test in tests)} |" for says, tests in ACCEPTANCE]
    return HEAD + "\n".join(rows) + "\n" + ACCEPTED + "\n".join(accepted) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    PAGE.write_text(page(), encoding="utf-8")

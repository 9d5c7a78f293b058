"""Lifecycles: every move leads somewhere and has a sentence."""

import pytest

from tidemark.errors import Fault
from tidemark.states import DERIVED, RUN, UNKNOWN, check_list, check_move, read_state


def test_every_edge_of_a_lifecycle_leads_to_a_state_and_has_a_sentence() -> None:
    for table in (DERIVED, RUN):
        for before, edges in table.items():
            for after, sentence in edges.items():
                assert after in table and sentence.endswith("."), (before, after)
                assert check_move(before, after, table) == sentence
    assert read_state("live") == "live" and read_state("nonsense") == UNKNOWN
    assert check_list(RUN) == "'running', 'done', 'failed', 'interrupted'"
    with pytest.raises(Fault, match="cannot go"):
        check_move("planned", "live")
    with pytest.raises(Fault):
        check_move(UNKNOWN, "live")

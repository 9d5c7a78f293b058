"""Scripts as the ledger stores them read back as they were."""

import pytest

from tests.unit.runtime.handmade import DIALECTS, count_posts
from tidemark.errors import Fault
from tidemark.runtime.scripts import read_script, script_text


@pytest.mark.parametrize("engine", sorted(DIALECTS))
@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_script_reads_back_as_it_was_written(engine: str, freshness: str) -> None:
    script = count_posts(DIALECTS[engine], freshness=freshness)
    again = read_script(script_text(script))
    assert again == script
    assert again.fingerprint == script.fingerprint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": "x"}', '{"nonsense": 1}'])
def test_a_script_of_another_version_is_a_fault(text: str) -> None:
    with pytest.raises(Fault, match="cannot read"):
        read_script(text)


@pytest.mark.parametrize("engine", sorted(DIALECTS))
def test_what_an_earlier_version_wrote_and_nobody_reads_is_left_out(engine: str) -> None:
    script = count_posts(DIALECTS[engine], freshness="tick")
    text = script_text(script).replace('"kind": "table"', '"kind": "table", "owner": "me", "writers": ["me", "you"]')
    assert '"writers"' in text and read_script(text) == script

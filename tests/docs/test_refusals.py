"""Each refusal code is raised by the real engine for the example on its page, with the message that the page shows."""

from pathlib import Path

import pytest

from tests.docs.blocks import find_block, find_blocks
from tests.docs.refusals import PAGES, World, declared, page_of, provoke
from tests.kit.postgres import Server
from tidemark import Refusal, Tidemark
from tidemark.errors import Code


@pytest.mark.parametrize("code", Code, ids=str)
def test_the_page_shows_what_the_engine_says(code: Code, tmp_path: Path, postgres: Server) -> None:
    said = provoke(code, World(tmp_path, postgres))
    assert find_block(page_of(code), "text") == said, "run: python -m tests.docs.refusals --write"


@pytest.mark.parametrize("code", [code for code in Code if len(find_blocks(page_of(code), "python")) > 1], ids=str)
def test_what_the_page_says_to_write_instead_is_kept(code: Code, tmp_path: Path, postgres: Server) -> None:
    done = Tidemark(declared(find_blocks(page_of(code), "python")[1]), World(tmp_path, postgres).sqlite()).apply()
    assert len(done.live) == 1


@pytest.mark.parametrize("code", [Code.PARSE, Code.UNKNOWN_TABLE, Code.UNKNOWN_COLUMN, Code.SUBQUERY_SHAPE], ids=str)
def test_a_place_is_where_the_text_begins(code: Code, tmp_path: Path, postgres: Server) -> None:
    project = declared(find_block(page_of(code), "python") or "")
    with pytest.raises(Refusal) as caught:
        Tidemark(project, World(tmp_path, postgres).sqlite()).plan()
    place, query = caught.value.place, project.declarations[0].query[""]
    assert place is not None
    assert place.line == 1
    # A subquery's text is our rendering of it; it begins with the user's first column.
    wanted = "p.body" if code is Code.SUBQUERY_SHAPE else place.text
    assert query[place.column - 1 :].startswith(wanted) or query[: place.column - 1].endswith("p.")


def test_the_index_names_every_code() -> None:
    text = (PAGES / "README.md").read_text(encoding="utf-8")
    assert [code.value for code in Code if f"[{code.value}]({code.value}.md)" not in text] == []

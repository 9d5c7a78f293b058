"""What the project says: no place of one machine, no address of a registry, and the words of the glossary."""

import re

import pytest

from tests.house.tree import ROOT, texts

# Written in pieces, so that this file does not contain what it looks for.
BANNED = [re.compile(r"(?<![\w.])/" + place) for place in ("work/", "root/", "tmp/tm", "opt/(pypi|wheels)")] + [
    re.compile(r"\b" + host.replace("*", r"[\w-]+") + r"\b")
    for host in ("pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(org|com)", "proxy.golang" + r"\.org")
]

GLOSSARY_WORDS = """
    source, declaration, derived table, true, capture, change, delta, image, affected keys, dirty set, class, freshness,
    program, script, plan, fingerprint, watermark, checkpoint, lag, tick, drift, verify, repair, backfill, chunk, cursor,
    cutover, lease, duty, ledger, refusal, fault
""".replace("\n", " ")


@pytest.mark.parametrize("pattern", BANNED, ids=lambda pattern: str(pattern.pattern))
def test_nothing_speaks_of_one_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_what_is_quarantined_is_said_to_be_nothing_else() -> None:
    other = re.compile(r"\b(put|puts|set|sets)[ _]aside\b", re.IGNORECASE)
    found = [path for path, text in texts() if not path.endswith("glossary.md") and other.search(text)]
    assert not [path for path in found if path.startswith(("src/", "docs/", "README", "CHANGELOG"))]


def _rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| ")]
    return [row for row in rows if row[0] not in ("Word", "---")]


def test_the_glossary_has_every_word_once_with_a_meaning_and_what_not_to_say() -> None:
    words = [row[0] for row in _rows()]
    expected = {word.strip() for word in GLOSSARY_WORDS.split(",")}
    assert len(words) == len(set(words))
    assert expected <= set(words), f"without an entry: {sorted(expected - set(words))}"
    assert all(len(row) == 4 and all(row) for row in _rows())


def test_no_word_of_the_glossary_is_what_another_entry_says_not_to_say() -> None:
    words = {row[0] for row in _rows()}
    unsaid = {word.strip() for row in _rows() for word in row[3].split(",")}
    assert not words & unsaid

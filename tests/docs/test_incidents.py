"""The page of incidents: none is missing, and every test that it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^\| (\d+[ab]?) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_incident_has_a_test_that_is_there() -> None:
    found = LINE.findall((ROOT / "docs" / "incidents.md").read_text(encoding="utf-8"))
    numbers = [number for number, *_ in found]
    assert [int(number) for number in numbers if number.isdecimal()] == list(range(1, 58))
    assert {number for number in numbers if not number.isdecimal()} == {"42a", "42b"}
    for number, _, _, cell in found:
        tests = TEST.findall(cell)
        assert tests, f"incident {number} has no test"
        for path, name in tests:
            text = (ROOT / "tests" / path).read_text(encoding="utf-8")
            assert f"def {name}(" in text, f"incident {number}: {path} has no {name}"

"""What databases have of a version is not changed under the name of the same shape."""

from tests.golden.shapes import TODO, known_lines, lines_of_conversions, lines_of_shape, stored_fields, without_modules
from tests.golden.texts import CASES, script_of
from tests.unit.query.catalogs import BOTH
from tidemark.runtime.ledger import SHAPE
from tidemark.runtime.scripts import FORGOTTEN


def test_the_texts_of_a_shape_are_what_they_were() -> None:
    known, now = known_lines(), {label: text for label, text in lines_of_shape().items() if " stored " not in label}
    mine = {label: text for label, text in known.items() if label.startswith(f"{SHAPE} ") and " stored " not in label}
    assert now == mine, TODO


def test_no_conversion_changes_once_it_is_there_and_both_engines_have_each() -> None:
    now, known = (
        lines_of_conversions(),
        {label: text for label, text in known_lines().items() if label.startswith("to_")},
    )
    assert now == known, f"a conversion that databases went through is never changed. {TODO}"
    assert {label.split()[0] for label in now} == {f"to_{number}" for number in range(11, int(SHAPE) + 1)}
    assert len(now) == 2 * (int(SHAPE) - 10)


def test_what_is_stored_of_a_script_can_still_be_read() -> None:
    """A field may come with a default. One that goes is forgotten by name, one that changes wants a conversion."""
    now = stored_fields()
    begins = f"{SHAPE} stored "
    lines = known_lines().items()
    known = {label.removeprefix(begins): without_modules(kind) for label, kind in lines if label.startswith(begins)}
    assert known
    for label, kind in known.items():
        assert now.get(label) == kind or label.rpartition(".")[2] in FORGOTTEN, f"{label}: {TODO}"
    for label, kind in now.items():
        assert label in known or kind.endswith(" or missing"), f"{label} has no default: {TODO}"


def test_no_object_is_shared_by_scripts() -> None:
    """What several derived tables share belongs to the ledger, whose shape tells when it changes."""
    for dialect in BOTH:
        owners: dict[str, str] = {}
        for case in CASES:
            for piece in script_of(case, dialect).pieces:
                assert owners.setdefault(piece.name, case.name) == case.name, piece.name

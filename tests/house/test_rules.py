"""Every Python file keeps the rules of the house, and every rule can tell when it is broken."""

import pytest

from tests.house.rules import PLANTED, RULES, Rule
from tests.house.tree import Module, import_cycles, modules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps(rule: Rule) -> None:
    broken = [finding for module in modules() for finding in rule(module)]
    assert not broken, "\n".join([rule.__doc__ or "", *broken])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_planted_breach_is_found_by(rule: Rule) -> None:
    assert list(rule(Module.parse(*PLANTED[rule])))


def test_no_imports_go_in_a_circle() -> None:
    assert import_cycles(modules()) == []


def test_a_planted_circle_is_found_though_one_import_is_lazy_and_one_for_typing() -> None:
    planted = [
        Module.parse("src/tidemark/a.py", "def f():\n    from tidemark import b\n"),
        Module.parse("src/tidemark/b.py", "if TYPE_CHECKING:\n    from tidemark.c import C\n"),
        Module.parse("src/tidemark/c/__init__.py", "from .. import a\n"),
        Module.parse("src/tidemark/d.py", "import tidemark.a\n"),
    ]
    assert import_cycles(planted) == [["tidemark.a", "tidemark.b", "tidemark.c"]]

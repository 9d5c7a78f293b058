"""What the pages enumerate is what the code has: commands, exit codes, settings, options of declarations, pages themselves."""

import inspect
import re
from collections.abc import Callable

import pytest

from tests.docs import lifecycles
from tests.docs.blocks import DOCS, find_block
from tests.docs.commands import EXITS, PAGE, page, parsers
from tests.docs.refusals import declared
from tests.house.tree import ROOT, texts
from tidemark import Project
from tidemark.cli import settings
from tidemark.cli.arguments import COMMANDS, EPILOG
from tidemark.errors import Exit

VARIABLE = re.compile(r"\bTIDEMARK_[A-Z_]+\b")
CELL = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)


def test_the_page_of_commands_is_what_the_parser_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.docs.commands --write"


def test_every_command_is_on_the_page() -> None:
    titles = re.findall(r"^## tidemark (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == list(COMMANDS) == list(parsers())


def test_every_exit_code_has_a_meaning() -> None:
    assert set(EXITS) == set(Exit)
    told = {int(number) for number in re.findall(r"\b(\d+) [a-z]", EPILOG)}
    assert told == {int(code) for code in Exit}


def test_commands_that_pages_speak_of_exist() -> None:
    spoken = {
        (path, word)
        for path, text in texts()
        if path.endswith(".md")
        for word in re.findall(r"(?:`|\$ )tidemark ([a-z]+)", text)
    }
    assert {found for found in spoken if found[1] not in COMMANDS} == set()


def test_every_setting_of_the_environment_is_on_the_page() -> None:
    used = {
        name for path, text in texts() if path.startswith(("src/", "tests/kit/")) for name in VARIABLE.findall(text)
    }
    assert used == set(VARIABLE.findall((DOCS / "settings.md").read_text(encoding="utf-8")))


def test_every_setting_of_a_project_file_is_on_the_page() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    stated = re.search(r"for name in \(([^)]*)\)", inspect.getsource(settings.find_settings))
    assert stated is not None
    for name in re.findall(r'"(\w+)"', stated[1]):
        assert f"`{name}`" in text
    assert f"`{settings.DEFAULT_DEFINITIONS}`" in text


@pytest.mark.parametrize("call", [Project.derive, Project.source], ids=lambda call: call.__name__)
def test_every_option_of_a_declaration_is_on_the_page(call: Callable[..., object]) -> None:
    _, _, after = (DOCS / "declaring.md").read_text(encoding="utf-8").partition(f"## `project.{call.__name__}(")
    section, _, _ = after.partition("\n## ")
    assert set(CELL.findall(section)) == set(inspect.signature(call).parameters) - {"self"}


def test_the_example_declares() -> None:
    project = declared(find_block(DOCS / "declaring.md", "python") or "")
    assert [declaration.name for declaration in project.declarations] == ["posts_by_author"]


def test_every_page_is_in_the_reading_order() -> None:
    links = {
        (index.parent / target).resolve()
        for index in (DOCS / "README.md", DOCS / "refusals" / "README.md", DOCS / "operate" / "README.md")
        for target in re.findall(r"\]\(([^)#]+)\)", index.read_text(encoding="utf-8"))
    }
    pages = {path.resolve() for path in DOCS.rglob("*.md")} - {(DOCS / "README.md").resolve()}
    assert sorted(str(path.relative_to(ROOT)) for path in pages - links) == []


def test_modules_that_pages_name_exist() -> None:
    named = {
        (path, name)
        for path, text in texts()
        if path.startswith("docs/") and path.endswith(".md")
        for name in re.findall(r"`((?:query|maintenance|render|database|runtime|cli)/[\w/.]+)`", text)
    }
    absent = [(path, name) for path, name in named if not (ROOT / "src" / "tidemark" / name).exists()]
    assert absent == []


def test_the_page_of_lifecycles_is_what_the_tables_say() -> None:
    assert lifecycles.PAGE.read_text(encoding="utf-8") == lifecycles.page(), (
        "run: python -m tests.docs.lifecycles --write"
    )


def test_names_that_the_glossary_gives_are_in_the_code() -> None:
    code = "\n".join(text for path, text in texts() if path.startswith("src/"))
    lines = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines if line.startswith("| ")]
    named = {name for row in rows[2:] for name in re.findall(r"`([\w*]+)`", row[2])}
    absent = {name for name in named if not re.search(rf"\b{name.replace('*', '[a-z_]+')}\b", code)}
    assert absent == set()

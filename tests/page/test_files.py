"""The page's files keep what they promise: nothing from elsewhere, nothing inline, data never markup, and a small banner."""

from __future__ import annotations

import re

import pytest

from tests.page.source import EXPORT, IMPORT, PAGE, commands_in, find_forbidden, find_foreign, read_markup, texts
from tidemark.cli.arguments import build_parser
from tidemark.states import BACKFILL, DERIVED, RUN, STREAM, UNKNOWN
from tidemark.web import files

BANNER_BYTES_MAX = 3072
LINES_MAX = 420
NAMED = {"backfill", "explain", "history", "repair", "stream", "tick", "verify"}
SCRIPTS = texts(".js")
INDEX = texts(".html")["index.html"]


def test_the_markup_is_whole_and_every_id_is_there_once() -> None:
    markup = read_markup(INDEX)
    assert not markup.problems
    ids = [one.attributes["id"] for one in markup.elements if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    labels = [
        one.attributes[name] for one in markup.elements for name in ("aria-labelledby", "for") if name in one.attributes
    ]
    assert set(labels) <= set(ids)
    html = next(one for one in markup.elements if one.tag == "html")
    assert html.attributes["lang"] == "en"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    markup = read_markup(INDEX)
    assert not [one for one in markup.elements if one.tag == "style" or "style" in one.attributes]
    assert not [
        one for one in markup.elements if one.tag == "script" and (one.text.strip() or "src" not in one.attributes)
    ]
    assert not [name for one in markup.elements for name in one.attributes if name.startswith("on")]
    named = [
        one.attributes[name] or "" for one in markup.elements for name in ("src", "href") if name in one.attributes
    ]
    # Relative addresses only, so that it works under any prefix.
    assert all(re.fullmatch(r"[a-z]+\.(js|css|svg)|#[/a-z]*", one) for one in named), named
    assert {one for one in named if not one.startswith("#")} <= {path.name for path in PAGE.iterdir()}
    for name, text in texts(".js", ".css", ".html", ".svg").items():
        assert find_foreign(text) == [], name


@pytest.mark.parametrize("name", SCRIPTS)
def test_data_never_becomes_markup_or_a_style_attribute(name: str) -> None:
    assert find_forbidden(SCRIPTS[name]) == []


@pytest.mark.parametrize(
    "planted",
    [
        "box.innerHTML = name",
        "box.insertAdjacentHTML('beforeend', name)",
        'made.setAttribute("style", value)',
        'made.setAttribute("onclick", value)',
        'fetch("/status")',
        'h("p", { onclick: name })',
        'h("p", { class: "a", style: name })',
        "new Function(name)()",
        "location = `javascript:${name}`",
    ],
)
def test_what_is_planted_in_a_script_is_found(planted: str) -> None:
    assert find_forbidden(SCRIPTS["parts.js"] + planted)


@pytest.mark.parametrize(
    "planted", ['fetch("https://elsewhere/x")', '@import "x.css";', "p { background: url(x.png) }"]
)
def test_what_leads_elsewhere_is_found(planted: str) -> None:
    assert find_foreign(planted)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_short_says_what_it_owns_and_imports_what_there_is(name: str) -> None:
    text = SCRIPTS[name]
    assert text.count("\n") <= LINES_MAX
    assert text.startswith("// ")
    for names, target in IMPORT.findall(text):
        assert target.startswith("./"), f"{name}: {target}"
        there = set(EXPORT.findall(SCRIPTS[target.removeprefix("./")]))
        missing = {one.strip() for one in names.split(",")} - there
        assert not missing, f"{name}: {target} has no {missing}"
        body = text.replace(names, "", 1)
        unused = {one.strip() for one in names.split(",") if not re.search(rf"\b{one.strip()}\b", body)}
        assert not unused, f"{name}: {unused} is not used"


def test_every_element_that_a_script_looks_up_is_there() -> None:
    markup = read_markup(INDEX)
    there = {one.attributes["id"] for one in markup.elements if "id" in one.attributes}
    made = {one for text in SCRIPTS.values() for one in re.findall(r'[{,] id: "([\w-]+)"', text)}
    wanted = {one for text in SCRIPTS.values() for one in re.findall(r'\b(?:at|getElementById)\("([\w-]+)"\)', text)}
    assert wanted and wanted <= there | made, wanted - there - made


def test_every_press_has_somebody_who_hears_it() -> None:
    made = {one for text in (*SCRIPTS.values(), INDEX) for one in re.findall(r'data-do"?[:=] ?"([a-z]+)"', text)}
    heard = set(re.findall(r'what === "([a-z]+)"', SCRIPTS["page.js"]))
    assert made == heard


def test_every_state_that_there_is_has_a_mood() -> None:
    (body,) = re.findall(r"const BY_STATE = \{(.*?)\};", SCRIPTS["moods.js"], re.S)
    known = set(re.findall(r"(\w+):", body))
    assert {*DERIVED, *RUN, *BACKFILL, *STREAM} <= known
    assert UNKNOWN not in known, "what is unknown must not be read as anything else"


def test_every_command_to_copy_is_one_that_can_be_typed() -> None:
    named = set().union(*(commands_in(text) for text in SCRIPTS.values()))
    assert {"verify", "repair", "explain", "tick", "backfill retry", "outbox retry"} <= named
    parser = build_parser()
    for one in named:
        names = [[], ["a name"], ["--", "--help"]] if one.split()[0] in NAMED else [[]]
        for name in names[1 if one.split()[0] in ("explain", "backfill", "stream") else 0 :]:
            parsed = parser.parse_args([*one.split(), *name])
            assert parsed.command == one.split()[0]
            assert not name or name[-1] in (getattr(parsed, "name", None), *getattr(parsed, "names", []))


def test_the_banner_is_small_and_needs_nothing_but_itself() -> None:
    text = (PAGE / "banner.js").read_bytes()
    assert len(text) <= BANNER_BYTES_MAX, f"{len(text)} bytes"
    assert b"import" not in text and b"export" not in text


def test_every_file_of_the_page_is_served_with_its_type() -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    assert {path.name: types[path.suffix] for path in PAGE.iterdir()} == files.FILES

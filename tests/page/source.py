"""The page's own files, read for tests that need no browser.

Owns: the texts, the elements of the HTML, and what the scripts import, look up and run. Promises: reads them as written, so
that a rule holds for what is served.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import tidemark.web

PAGE = Path(tidemark.web.__file__).parent / "page"
VOID = {"meta", "link", "img", "input", "br", "hr"}
IMPORT = re.compile(r'^import \{ ([^}]+) \} from "([^"]+)";$', re.M)
EXPORT = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.M)


def texts(*suffixes: str) -> dict[str, str]:
    """The texts of the files with these suffixes, by name."""
    return {one.name: one.read_text() for one in sorted(PAGE.iterdir()) if one.suffix in suffixes}


@dataclass
class Element:
    """One tag with its attributes and the text right inside it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Markup(HTMLParser):
    """The elements of an HTML text; `problems` are tags that do not match."""

    elements: list[Element] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to parse."""
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        names = [name for name, _ in attrs]
        self.problems += [f"<{tag}> says {name} twice" for name in set(names) if names.count(name) > 1]
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(self.elements[-1])

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if not self.open or self.open[-1].tag != tag:
            self.problems.append(f"</{tag}> at line {self.getpos()[0]} closes {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        """Text stands somewhere."""
        if self.open:
            self.open[-1].text += data


def read_markup(text: str) -> Markup:
    """The elements of a page."""
    found = Markup()
    found.feed(text)
    found.close()
    found.problems += [f"<{one.tag}> is never closed" for one in found.open]
    return found


FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|\beval\(|new Function|"
    r"javascript:|setAttribute\(\"(?:style|on)|fetch\([\"`]/|import\(|[{,]\s*(?:on[a-z]+|style|srcdoc):"
)
"""What turns data into markup or code, sets an inline style, or asks for an absolute address."""


def find_forbidden(text: str) -> list[str]:
    """Every place of a script that could turn data into markup or code, or that leaves the page's own place."""
    return FORBIDDEN.findall(text)


def find_foreign(text: str) -> list[str]:
    """Every address in a file that leads elsewhere."""
    found = re.findall(r"\w+://[^\s\"'<>)]*|@import|url\([^)]*\)|(?<![\w:-])//cdn[^\s]*", text)
    return [one for one in found if one != "http://www.w3.org/2000/svg"]


def commands_in(text: str) -> set[str]:
    """The words before the name of every command of ours that a script makes: ``verify``, ``backfill pause``."""
    whole = re.findall(r"[\"`]tidemark ([a-z]+(?: [a-z]+)*)[\"`]", text)
    built = re.findall(r"command\(\"([a-z]+(?: [a-z]+)*)\"", text)
    steered = re.findall(r"\bto\(\"([a-z]+)\"\)", text)
    return {*whole, *built, *(f"backfill {verb}" for verb in steered)}

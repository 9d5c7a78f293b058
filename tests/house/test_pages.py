"""What the documentation enumerates is what the code has: refusal codes, links between pages, make targets."""

import ast
import re
from pathlib import Path

from tests.house.tree import ROOT, modules, project_files

REFUSALS = ROOT / "docs" / "refusals"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


def _codes() -> list[str]:
    """The values of the enum ``Code`` in the ground floor's errors; none while there is no such module."""
    for module in modules():
        if module.path == "src/tidemark/errors.py":
            enums = [node for node in module.tree.body if isinstance(node, ast.ClassDef) and node.name == "Code"]
            assert enums, "src/tidemark/errors.py has no class Code"
            return [
                str(step.value.value)
                for step in enums[0].body
                if isinstance(step, ast.Assign) and isinstance(step.value, ast.Constant)
            ]
    return []


def _pages() -> dict[str, str]:
    return {path.stem: path.read_text() for path in REFUSALS.glob("*.md") if path.stem != "README"}


def test_refusal_codes_are_distinct_words_with_hyphens() -> None:
    codes = _codes()
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes), codes


def test_every_refusal_code_has_a_page_and_every_page_a_code() -> None:
    codes, pages = set(_codes()), set(_pages())
    assert codes == pages, f"without a page: {sorted(codes - pages)}; without a code: {sorted(pages - codes)}"


def test_a_refusal_page_opens_with_its_code_and_says_more() -> None:
    thin = [code for code, text in _pages().items() if not text.startswith(f"# {code}\n") or len(text.split()) < 30]
    assert not thin, f"the first line is '# code', then what, why and what to write instead: {sorted(thin)}"


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for path in project_files():
        if not path.endswith(".md"):
            continue
        for target in LINK.findall((ROOT / path).read_text()):
            if "://" not in target and not ((ROOT / path).parent / target).exists():
                broken.append(f"{path}: {target}")
    assert not broken, "\n".join(broken)


def test_make_help_names_every_target() -> None:
    text = Path(ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", text, flags=re.MULTILINE)) - {"help", "clean"}
    assert targets == set(re.findall(r'@echo "make (\w+)', text))

"""The project's own files, parsed once, for the house tests.

Owns: which files belong to the project and what a module imports. Promises: lazy imports, imports for type checking
and `importlib.import_module` with a constant name all count as imports.
"""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "tidemark"
GENERATED = ("constraints/", "LICENSE")
TEXT_SUFFIXES = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".json",
    ".md",
    ".py",
    ".sh",
    ".sql",
    ".toml",
    ".txt",
    ".yml",
}


@dataclass(frozen=True)
class Module:
    """One Python file: ``path`` relative to the root with forward slashes, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, text: str) -> "Module":
        """A module from its text, which need not be on disk."""
        return cls(path, text, ast.parse(text, filename=path))

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree: to walk it takes longer than any rule does."""
        return tuple(ast.walk(self.tree))

    @property
    def in_package(self) -> bool:
        """Whether users get it: everything under ``src/``."""
        return self.path.startswith("src/")

    @property
    def room(self) -> str:
        """The path below ``src/tidemark/``, such as ``render/sqlite/linear.py``; empty elsewhere."""
        return self.path.removeprefix(f"src/{PACKAGE}/") if self.in_package else ""

    @property
    def name(self) -> str:
        """The dotted name, such as ``tidemark.render.sqlite.linear`` or ``tests.kit``."""
        parts = self.path.removeprefix("src/").removesuffix(".py").split("/")
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def project_files() -> tuple[str, ...]:
    """Every file that is or will be committed, relative to the root; a tree without git counts as a whole."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        found: Iterable[str] = listing.stdout.split("\0")
    else:
        found = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if ".venv" not in path.parts)
    return tuple(sorted(path for path in found if path and (ROOT / path).is_file()))


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the project."""
    return tuple(Module.parse(path, (ROOT / path).read_text()) for path in project_files() if path.endswith(".py"))


def texts() -> Iterator[tuple[str, str]]:
    """Path and text of every file that people wrote, in any language."""
    for path in project_files():
        if Path(path).suffix in TEXT_SUFFIXES and not path.startswith(GENERATED):
            yield path, (ROOT / path).read_text(errors="replace")


def imports(module: Module, known: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that is imported; ``known`` are names that are modules, not attributes."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if full in known else base
        elif isinstance(node, ast.Call) and last_word(node.func).endswith("import_module") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


def last_word(node: ast.expr) -> str:
    """What a dotted name ends in; empty for what is none. To write a whole tree out again takes much longer."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".") + (["__init__"] if module.path.endswith("__init__.py") else [])
    return ".".join([*package[: -node.level], *([node.module] if node.module else [])])


def import_cycles(some: Iterable[Module]) -> list[list[str]]:
    """Groups of modules that reach each other by imports: the strongly connected components of more than one."""
    chosen = list(some)
    known = frozenset(module.name for module in chosen)
    graph = {m.name: sorted({name for _, name in imports(m, known) if name in known}) for m in chosen}
    reach = {name: _reachable(graph, name) for name in graph}
    groups = {tuple(sorted({a} | {b for b in reach[a] if a in reach[b]})) for a in graph if a in reach[a]}
    return [list(group) for group in sorted(groups)]


def _reachable(graph: dict[str, list[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph[name])
    return seen

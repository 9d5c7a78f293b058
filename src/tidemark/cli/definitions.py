"""Loading the user's definitions.

Owns: finding the one project in a module. Promises: the module is imported once and nothing of it is changed; a file is read as
it is now, and nothing is written beside it; whatever goes wrong in it is told with its own message and place.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import TypeVar

from tidemark.cli.settings import Settings
from tidemark.declare import Project
from tidemark.errors import Code, Refusal, TidemarkError

T = TypeVar("T")


class _FromSource(importlib.machinery.SourceFileLoader):
    """Compiles the file each time: Python goes by the size and the second of what it kept, and an edit may share both."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_project(settings: Settings) -> Project:
    """The project that the definitions declare.

    `settings.definitions` is a file or a dotted module, with ``:name`` after it when the module has several projects.
    Raises `Refusal` (``definitions``), and whatever refusal a declaration itself raises.
    """
    where, _, attribute = _split(settings.definitions)
    module = _load(where, settings.folder)
    if attribute:
        found = getattr(module, attribute, None)
        if not isinstance(found, Project):
            raise _refuse(f"{where} has no project called {attribute}", "name the variable that holds the project")
        return found
    projects = {id(value): value for value in vars(module).values() if isinstance(value, Project)}
    if len(projects) != 1:
        count = "no project" if not projects else f"{len(projects)} projects"
        raise _refuse(f"{where} has {count}", 'write project = Project("…") once, or say --definitions WHERE:name')
    return next(iter(projects.values()))


def has_definitions(settings: Settings) -> bool:
    """Whether the file is there that `settings` lead to; a dotted module is for Python to find."""
    where, _, _ = _split(settings.definitions)
    return (settings.folder / where).is_file() if where.endswith(".py") else True


def _split(definitions: str) -> tuple[str, str, str]:
    # A drive letter of Windows is one character before its colon.
    head, colon, tail = definitions.rpartition(":")
    return (head, colon, tail) if len(head) > 1 and tail.isidentifier() else (definitions, "", "")


def _load(where: str, folder: Path) -> ModuleType:
    file = folder / where
    if not where.endswith(".py") and not file.is_file():
        return _run(where, lambda: _import(where, folder))
    if not file.is_file():
        raise _refuse(f"there is no definitions file {where}", "run `tidemark init` to write one, or say --definitions")
    if file.suffix != ".py":
        raise _refuse(f"{where} is no Python file", "name a file that ends in .py")
    loader = _FromSource(f"tidemark_definitions_{file.stem}", str(file))
    spec = importlib.machinery.ModuleSpec(loader.name, loader, origin=str(file))
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    sys.modules[spec.name] = module
    _run(where, lambda: loader.exec_module(module))
    return module


def _import(where: str, folder: Path) -> ModuleType:
    sys.path.insert(0, str(folder))
    return importlib.import_module(where)


def _run(where: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except TidemarkError:
        raise
    except Exception as problem:
        last = traceback.extract_tb(problem.__traceback__)[-1]
        # Who imports what is not there fails in Python's own code, of which nobody wants to know the line.
        place = "" if last.filename.startswith("<") else f" ({last.filename}:{last.lineno})"
        raise _refuse(
            f"{where} cannot be loaded: {type(problem).__name__}: {problem}{place}",
            "mend the definitions, or say --definitions",
        ) from problem


def _refuse(reason: str, instead: str) -> Refusal:
    return Refusal(Code.DEFINITIONS, reason, instead=instead)

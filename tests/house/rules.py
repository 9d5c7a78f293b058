"""The rules of the house for one Python file; each takes a module and returns what is wrong in it, one line each.

Owns: sizes, headers, names, who may import what. `RULES` is the list that the tests go through; each rule carries in
`PLANTED` a file that breaks it, so that a rule which finds nothing is known to be able to find something.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch

from tests.house.tree import PACKAGE, Module, imports, last_word

FILE_LINES_MAX = 420
FUNCTION_LINES_MAX = 70
BANNED_STEMS = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
GROUND = {
    "blocks",
    "contract",
    "dialect",
    "errors",
    "events",
    "memory",
    "model",
    "names",
    "options",
    "plain",
    "processors",
    "states",
    "streams",
    "telling",
}
ENGINE_WORDS = {"sqlite", "sqlite3", "postgres", "postgresql"}
ENGINE_ROOMS = ("render/sqlite/*.py", "render/postgres/*.py", "database/*.py")
# Who may ask whether tables are in schemas: whoever names a table, or finds one by its name.
SCHEMA_ROOMS = (
    "dialect.py",
    "names.py",
    "query/called.py",
    "query/cascade.py",
    "query/resolve.py",
    "runtime/objects/sources.py",
    "runtime/operate/status.py",
)
LAZY_ROOMS = ("cli.py", "cli/*.py")

# Which rooms may import a library. A room is a pattern of the path below the package.
LIBRARY_ROOMS = {
    "sqlglot": ("query/*.py", "render/statements*.py"),
    "sqlite3": ("database/*.py",),
    "psycopg": ("database/*.py",),
    "psycopg_pool": ("database/*.py",),
    "starlette": ("web/*.py",),
    "uvicorn": ("web/*.py",),
    "sse_starlette": ("web/*.py",),
}

Rule = Callable[[Module], Iterator[str]]


def opens_with_docstring(module: Module) -> Iterator[str]:
    """A module says what it owns and promises; an empty package file has nothing to say."""
    if module.tree.body and not ast.get_docstring(module.tree):
        yield f"{module.path}: no docstring at the top"


def is_short_enough(module: Module) -> Iterator[str]:
    """A file is a room, not a corridor."""
    lines = module.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{module.path}: {lines} lines, at most {FILE_LINES_MAX}"


def functions_are_short_enough(module: Module) -> Iterator[str]:
    """A function fits on a screen and a half, its docstring included."""
    for node in _functions(module):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield f"{module.path}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"


def has_a_telling_name(module: Module) -> Iterator[str]:
    """A name that fits everything says nothing."""
    for part in module.path.removesuffix(".py").split("/"):
        if part in BANNED_STEMS:
            yield f"{module.path}: nothing is called {part}"


def imports_at_the_top(module: Module) -> Iterator[str]:
    """Imports inside functions hide cycles. Only the command line delays some, to start fast."""
    if any(fnmatch(module.room, room) for room in LAZY_ROOMS):
        return
    indented = [node for node in module.nodes if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset]
    for function in _functions(module) if indented else ():
        for node in indented:
            if function.lineno <= node.lineno <= (function.end_lineno or function.lineno):
                yield f"{module.path}:{node.lineno}: import inside {function.name}"


def libraries_stay_in_their_rooms(module: Module) -> Iterator[str]:
    """sqlglot, the drivers and the web framework are each known to few modules."""
    if not module.in_package:
        return
    for line, name in imports(module):
        library = name.split(".")[0]
        rooms = LIBRARY_ROOMS.get(library)
        if rooms is not None and not any(fnmatch(module.room, room) for room in rooms):
            yield f"{module.path}:{line}: {library} is imported only in {', '.join(rooms)}"
        elif rooms is None and library != PACKAGE and library not in sys.stdlib_module_names:
            yield f"{module.path}:{line}: {library} is no library of this project"


def inherits_nothing_of_sqlglot(module: Module) -> Iterator[str]:
    """No class inherits from one of sqlglot's: where `sqlglot[c]` is installed they are native and cannot be inherited from."""
    names = {alias.asname or alias.name for node in module.nodes for alias in _names_of_sqlglot(node)}
    for node in module.nodes:
        for parent in node.bases if module.in_package and isinstance(node, ast.ClassDef) else ():
            if ast.unparse(parent).split(".")[0] in names:
                yield f"{module.path}:{parent.lineno}: a class inherits from sqlglot's {ast.unparse(parent)}"


def ground_rests_on_nothing(module: Module) -> Iterator[str]:
    """The ground floor imports the standard library and the ground floor."""
    if not module.in_package or module.room.removesuffix(".py").split("/")[0] not in GROUND:
        return
    for line, name in imports(module, frozenset(f"{PACKAGE}.{ground}" for ground in GROUND)):
        parts = name.split(".")
        if parts[0] == PACKAGE and (len(parts) < 2 or parts[1] not in GROUND):
            yield f"{module.path}:{line}: the ground floor imports {name}"


def engines_do_not_know_each_other(module: Module) -> Iterator[str]:
    """What is written for one engine leans on nothing that is written for the other."""
    for mine, other in (("sqlite", "postgres"), ("postgres", "sqlite")):
        for floor in ("render", "database"):
            if not fnmatch(module.room, f"{floor}/{mine}/*.py"):
                continue
            for line, name in imports(module, frozenset({f"{PACKAGE}.{floor}.{other}"})):
                if name.startswith(f"{PACKAGE}.{floor}.{other}"):
                    yield f"{module.path}:{line}: {mine} imports {name}"


def engines_differ_in_facts(module: Module) -> Iterator[str]:
    """Engines differ in fields of a dialect and in whole texts; nothing else asks which engine it is."""
    if not module.in_package or any(fnmatch(module.room, room) for room in ENGINE_ROOMS):
        return
    for node in module.nodes:
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for side in sides:
            members = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
            if any(_engine_word(member) for member in members):
                yield f"{module.path}:{side.lineno}: asks which engine it is: {ast.unparse(side)}"
        if isinstance(node, ast.Call) and _asks_for_an_engine(node):
            yield f"{module.path}:{node.lineno}: asks which engine it is: {ast.unparse(node)}"
        if isinstance(node, ast.Dict) and _is_a_fact(node):
            yield f"{module.path}:{node.lineno}: a fact outside of the dialect: {ast.unparse(node)}"


def schemas_are_for_names(module: Module) -> Iterator[str]:
    """Whether there are schemas is asked where tables are named or found, and stands for nothing else that engines differ in."""
    if not module.in_package or module.room in SCHEMA_ROOMS:
        return
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "has_schemas":
            yield f"{module.path}:{node.lineno}: asks for schemas, and means something else"
        for asked in _conditions(node):
            if isinstance(asked, ast.Attribute) and ast.unparse(asked).endswith("dialect.schema"):
                yield f"{module.path}:{asked.lineno}: asks for schemas, and means something else"


def never_sleeps(module: Module) -> Iterator[str]:
    """A test waits for a signal, never for time to pass."""
    if not module.path.startswith("tests/"):
        return
    sleepers = {"time.sleep", "asyncio.sleep", "anyio.sleep"}
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr == "sleep" and ast.unparse(node) in sleepers:
            yield f"{module.path}:{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and any(f"{node.module}.{a.name}" in sleepers for a in node.names):
            yield f"{module.path}:{node.lineno}: imports sleep from {node.module}"


def swallows_nothing(module: Module) -> Iterator[str]:
    """An error that is caught is answered; `contextlib.suppress` of a named error is an answer."""
    for node in module.nodes:
        if isinstance(node, ast.ExceptHandler) and all(isinstance(step, ast.Pass) for step in node.body):
            yield f"{module.path}:{node.lineno}: except: pass"


def answers_in_one_spelling(module: Module) -> Iterator[str]:
    """What Tidemark answers in JSON has keys in snake_case."""
    if not module.path.startswith("src/"):
        return
    for node in module.nodes:
        keys = node.keys if isinstance(node, ast.Dict) else [node.slice] if isinstance(node, ast.Subscript) else []
        for key in keys:
            if isinstance(key, ast.Constant) and re.fullmatch(r"[a-z]+[A-Z]\w*", str(key.value)):
                yield f"{module.path}:{key.lineno}: the key {key.value}"


def skips_nothing(module: Module) -> Iterator[str]:
    """A skipped test hides half of the product; what cannot run fails and says what is missing."""
    words = {"pytest.skip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.importorskip", "pytest.mark.xfail"}
    last = {word.rpartition(".")[2] for word in words}
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in last and ast.unparse(node) in words:
            yield f"{module.path}:{node.lineno}: {ast.unparse(node)}"


def _functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _names_of_sqlglot(node: ast.AST) -> list[ast.alias]:
    """What an import binds of sqlglot."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sqlglot":
        return node.names
    return [alias for alias in node.names if alias.name.startswith("sqlglot")] if isinstance(node, ast.Import) else []


def _conditions(node: ast.AST) -> list[ast.expr]:
    """The expressions that are asked whether they are true."""
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
        return [node.test]
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [node.operand]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "bool":
        return node.args
    return node.ifs if isinstance(node, ast.comprehension) else []


def _asks_for_an_engine(call: ast.Call) -> bool:
    """Whether a call tells engines apart by a class of one, or by how a name begins."""
    called = last_word(call.func)
    if called == "isinstance" and isinstance(call.func, ast.Name):
        return any(
            word.startswith(("Sqlite", "Postgres")) for word in ast.unparse(call.args[1]).replace(".", " ").split()
        )
    asks = isinstance(call.func, ast.Attribute) and called in ("startswith", "endswith")
    return asks and any(_engine_word(argument) for argument in call.args)


def _is_a_fact(table: ast.Dict) -> bool:
    """Whether a table says yes or no of an engine."""
    of_engines = any(key is not None and _engine_word(key) for key in table.keys)
    return of_engines and any(
        isinstance(value, ast.Constant) and isinstance(value.value, bool) for value in table.values
    )


def _engine_word(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return node.value in ENGINE_WORDS
    word = last_word(node)
    return word.isupper() and word.lower() in ENGINE_WORDS


RULES: tuple[Rule, ...] = (
    opens_with_docstring,
    is_short_enough,
    functions_are_short_enough,
    has_a_telling_name,
    imports_at_the_top,
    libraries_stay_in_their_rooms,
    inherits_nothing_of_sqlglot,
    ground_rests_on_nothing,
    engines_do_not_know_each_other,
    engines_differ_in_facts,
    schemas_are_for_names,
    never_sleeps,
    swallows_nothing,
    answers_in_one_spelling,
    skips_nothing,
)

PLANTED: dict[Rule, tuple[str, str]] = {
    opens_with_docstring: ("src/tidemark/engine.py", "x = 1\n"),
    is_short_enough: ("src/tidemark/engine.py", "\n" * (FILE_LINES_MAX + 1)),
    functions_are_short_enough: ("bench/run.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
    has_a_telling_name: ("src/tidemark/query/utils.py", ""),
    imports_at_the_top: ("src/tidemark/engine.py", "def f():\n    from tidemark import model\n"),
    libraries_stay_in_their_rooms: ("src/tidemark/database/sqlite/session.py", "import sqlglot\n"),
    inherits_nothing_of_sqlglot: (
        "src/tidemark/query/parse.py",
        "from sqlglot.dialects.sqlite import SQLite\nclass Parser(SQLite.Parser):\n    FUNCTIONS = {}\n",
    ),
    ground_rests_on_nothing: ("src/tidemark/model.py", "from tidemark import query\n"),
    engines_do_not_know_each_other: (
        "src/tidemark/render/postgres/linear.py",
        "from tidemark.render.sqlite import linear\n",
    ),
    engines_differ_in_facts: ("src/tidemark/engine.py", "if url.scheme in ('postgres', 'postgresql'):\n    x = 1\n"),
    schemas_are_for_names: ("src/tidemark/render/ticks.py", "if store.dialect.has_schemas:\n    x = 1\n"),
    never_sleeps: ("tests/unit/test_x.py", "import time\ntime.sleep(1)\n"),
    swallows_nothing: ("src/tidemark/engine.py", "try:\n    x = 1\nexcept ValueError:\n    pass\n"),
    answers_in_one_spelling: ("src/tidemark/engine.py", 'x = {"rowsTotal": 1}\n'),
    skips_nothing: ("tests/unit/test_x.py", "import pytest\npytest.skip('no server')\n"),
}

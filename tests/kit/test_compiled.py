"""A script serves again only where compiling anew would make the same."""

from dataclasses import replace
from functools import partial
from typing import Any

from tests.kit.compiled import Compiler
from tidemark import Project
from tidemark.compiler.derived import compile_derived
from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.model import Declaration, OutputColumn

COUNT = "SELECT a, count(*) AS n FROM t GROUP BY a"


def _begin(url: str, query: str = COUNT) -> tuple[Session, Declaration]:
    session, project = open_session(url), Project("p")
    project.derive("counts", key="a", query=query)
    with session.transaction():
        session.script("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a INTEGER)")
    return session, project.declarations[0]


def _compile(compiler: Any, session: Session, declaration: Declaration, generation: int = 1) -> Script:
    about = (session.describe, generation, session.first_mutable)
    script: Script = compiler(declaration, session.catalog(), session.dialect, *about)
    return script


def test_the_same_is_compiled_once(engine_url: str) -> None:
    compiler = Compiler()
    session, declaration = _begin(engine_url)
    script = _compile(compiler, session, declaration)
    assert script == _compile(compile_derived, session, declaration)
    again, same = _begin(engine_url)
    assert _compile(compiler, again, same) is script
    again.close()
    session.close()


def test_anything_else_is_compiled_anew(engine_url: str) -> None:
    compiler = Compiler()
    session, declaration = _begin(engine_url)
    script = _compile(compiler, session, declaration)
    assert _compile(compiler, session, declaration, 2) == _compile(compile_derived, session, declaration, 2) != script
    other = replace(declaration, query=dict.fromkeys(declaration.query, f"{COUNT} HAVING count(*) > 1"))
    assert _compile(compiler, session, other) == _compile(compile_derived, session, other) != script
    with session.transaction():
        session.script("ALTER TABLE t ADD COLUMN b INTEGER")
    assert _compile(compiler, session, declaration) is not script
    session.close()


def test_the_engine_is_asked_the_same_again(engine_url: str) -> None:
    compiler = Compiler()
    session, declaration = _begin(engine_url)
    catalog, asked = session.catalog(), list[str]()

    def describe(query: str, type: str = "") -> tuple[OutputColumn, ...]:
        asked.append(query)
        return tuple(replace(one, type=type or one.type) for one in session.describe(query))

    def compile_with(describe: Any) -> Script:
        return compiler(declaration, catalog, session.dialect, describe, 1, session.first_mutable)

    script = compile_with(describe)
    questions = list(asked)
    assert compile_with(describe) is script
    assert asked == questions * 2 != []
    assert compile_with(partial(describe, type="TEXT")) != script
    assert compile_with(describe) is script
    session.close()

"""Reading the address of a database as users write it, and hiding the password in it.

Owns: `Address`, `read_address`, `write_address`. Promises: what is not an address is a `Refusal` that says what to write; nothing
that leaves this module for people's eyes holds a password; the driver that SQLAlchemy's addresses name is passed over, for
Tidemark has its own. Opens nothing.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from tidemark.errors import Code, Refusal
from tidemark.model import EngineName

MASK = "***"
EXAMPLES = "app.db, sqlite:///app.db, sqlite:////absolute/path/app.db or postgresql://user@host:5432/database"
_SECRET_FIELD = re.compile(r"(?i)\b((?:ssl)?password=)([^&\s]*)")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^:\[\]]*)(?::\d*)?")
_POSTGRES_SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True)
class Address:
    """Where a database is: `target` is a file path (SQLite) or a URL for libpq (PostgreSQL), `label` is for people.

    `secrets` are the texts that `hide` takes out of a message. `shows_disk` says whether it can be seen how full its disk is.
    """

    engine: EngineName
    target: str = field(repr=False)
    label: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    shows_disk: bool = True

    def hide(self, message: str) -> str:
        """`message` on one line, without any password of this address."""
        line = " ".join(message.split())
        for secret in self.secrets:
            line = re.sub(_as_a_word(secret), MASK, line)
        return _SECRET_FIELD.sub(rf"\1{MASK}", line)


def _as_a_word(secret: str) -> str:
    """A pattern that finds `secret` unless it is a part of a longer word: one of three letters is in every sentence."""
    before = r"(?<!\w)" if re.match(r"\w", secret) else ""
    return before + re.escape(secret) + (r"(?!\w)" if re.search(r"\w\Z", secret) else "")


def _refuse(reason: str, instead: str) -> Refusal:
    return Refusal(Code.DATABASE_URL, reason, instead=instead)


def read_address(url: str) -> Address:
    """The address in `url`. Raises `Refusal` (``database-url``) when it is none that Tidemark can open."""
    text = url.strip()
    if not text:
        raise _refuse("No database is named.", f"write {EXAMPLES}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _read_path(text)
    scheme = scheme.lower().partition("+")[0]
    if scheme in _POSTGRES_SCHEMES:
        return _read_postgres(f"{scheme}://{rest}")
    if scheme == "sqlite":
        return _read_sqlite(rest)
    raise _refuse(f"There is no engine called {scheme!r}.", f"write {EXAMPLES}")


def write_address(database: object) -> str:
    """The address as text: of a text, of a path, or of SQLAlchemy's ``engine.url``, which as text hides its password."""
    if isinstance(database, os.PathLike):
        return os.fsdecode(database)
    render = getattr(database, "render_as_string", None)
    return str(render(hide_password=False) if render else database)


def _read_path(text: str) -> Address:
    if re.match(r"(?i)(sqlite|postgres(ql)?):", text):
        raise _refuse("The URL lacks its slashes.", f"write {EXAMPLES}")
    if re.match(r"\w+\s*=", text):
        raise _refuse("Connection strings made of keywords are not read.", "write postgresql://user@host:5432/database")
    return _sqlite_file(text)


def _read_sqlite(rest: str) -> Address:
    if not rest.startswith("/"):
        raise _refuse(
            "A SQLite URL has three slashes before a relative path and four before an absolute one.",
            f"write sqlite:///{rest or 'app.db'}",
        )
    if "?" in rest:
        raise _refuse("A SQLite URL takes no options after '?'.", f"write sqlite://{rest.partition('?')[0]}")
    return _sqlite_file(rest[1:])


def _sqlite_file(path: str) -> Address:
    if path in ("", ":memory:") or path.startswith("file:"):
        raise _refuse(
            "A derived table must outlive its connection, so the database has to be an ordinary file.",
            "write the path of a file, such as sqlite:///app.db",
        )
    if "\0" in path:
        raise _refuse("A path cannot hold a NUL character.", "write the path of a file, such as sqlite:///app.db")
    return Address("sqlite", path, f"sqlite:///{path}")


def _read_postgres(text: str) -> Address:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _refuse_escapes() from None
    user_info, _, hosts = parts.netloc.rpartition("@")
    user, _, password = user_info.partition(":")
    if "@" in user_info or parts.fragment or not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise _refuse_escapes()
    fields = parse_qsl(parts.query)
    quoted = [password, *(value for name, value in fields if name.endswith("password"))]
    secrets = {form for secret in quoted if secret for form in (secret, unquote(secret))}
    who = user + (f":{MASK}" if password else "")
    query = _SECRET_FIELD.sub(rf"\1{MASK}", parts.query)
    shown = f"postgresql://{who}@{hosts}" if who else f"postgresql://{hosts}"
    shown += (parts.path or "/") + (f"?{query}" if query else "")
    return Address("postgres", text, shown, tuple(sorted(secrets, key=len, reverse=True)), shows_disk=False)


def _refuse_escapes() -> Refusal:
    return _refuse(
        "The PostgreSQL URL cannot be read; a user name or a password may hold a character that needs escaping.",
        "write postgresql://user:password@host:5432/database, with /, @, :, # and % in it as %2F %40 %3A %23 %25",
    )

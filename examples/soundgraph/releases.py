"""Publishing what was scheduled, when its time has come: a job that changes rows without a block.

``python -m examples.soundgraph.releases --database soundgraph.db`` publishes what is due and ends; a timer calls it every minute.
No position moves when a track becomes public so. Everything that is derived sees it all the same: a change of a row is a change.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

from examples.soundgraph.stores import Store, open_store

BATCH = 100


def _publish(table: str, key: str, hidden: str, kind: str) -> str:
    due = (
        f"SELECT {key} FROM {table} WHERE is_current AND NOT is_delete AND {hidden} AND is_scheduled_release{kind} "
        f"AND release_date <= ? ORDER BY release_date, {key} LIMIT {BATCH}"
    )
    return f"UPDATE {table} SET {hidden} = false WHERE is_current AND {key} IN ({due})"


_TRACKS = _publish("tracks", "track_id", "is_unlisted", "")
_ALBUMS = _publish("playlists", "playlist_id", "is_private", " AND is_album")


def publish_due(store: Store, now: datetime) -> int:
    """Publishes every track and album whose release date has passed at ``now`` (UTC), a hundred in a transaction; how many."""
    moment = now.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat(" ")
    published = 0
    for statement in (_TRACKS, _ALBUMS):
        while done := store.execute(statement, (moment,)):
            published += done
    return published


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.soundgraph.releases", description=__doc__)
    parser.add_argument("--database", required=True, help="a path, sqlite:///path or postgresql://user@host/name")
    with closing(open_store(parser.parse_args(given).database)) as store:
        print(f"{publish_due(store, datetime.now(UTC)):,} published")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

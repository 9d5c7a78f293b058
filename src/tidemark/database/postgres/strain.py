"""What a PostgreSQL server is under: sessions that wait for locks, replicas that fall behind.

Owns: `read_strain`. Promises: reads views of the server only; what the role may not see is a strain without a value, never a
zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tidemark.database.session import Strain

COUNT_OTHERS = (
    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend' AND application_name <> 'tidemark'"
)
_WAITING = (
    "SELECT count(DISTINCT l.pid) FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_database AS d ON d.oid = l.database "
    "WHERE NOT l.granted AND d.datname = current_database() "
    "OR (NOT l.granted AND l.locktype = 'transactionid')"
)
# A replica that the role may not look at shows without a state; one that has caught up shows no lag in time, and who only
# receives the log shows how far it has written, and replays nothing.
_REPLICAS = (
    "SELECT count(*), count(*) FILTER (WHERE state IS NULL), "
    "CAST(coalesce(max(extract(epoch FROM replay_lag)), 0) AS float8), "
    "CAST(coalesce(max(CASE WHEN pg_is_in_recovery() THEN 0 "
    "ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(replay_lsn, write_lsn, sent_lsn)) END), 0) AS float8) "
    "FROM pg_catalog.pg_stat_replication WHERE state IS DISTINCT FROM 'backup'"
)


def read_strain(read: Callable[[str], list[tuple[Any, ...]]]) -> tuple[Strain, ...]:
    """Every respect."""
    ((waiting,),) = read(_WAITING)
    ((replicas, hidden, seconds, behind),) = read(_REPLICAS)
    found = (Strain("waiting_locks", float(waiting)),)
    if hidden:
        says = f"{hidden} of {replicas} replicas do not show how far they are: GRANT pg_read_all_stats to the role"
        return (*found, Strain("replica_seconds", None, says))
    return (*found, Strain("replica_seconds", float(seconds)), Strain("replica_bytes", float(behind)))

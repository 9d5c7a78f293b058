"""What Tidemark does for this application: it keeps four columns of ``transmissions``, and fills a fifth one once.

Each derived column is the subquery that one would have run. Three of them can be added up, so they are true at every commit; the
observer of the latest observation cannot, so it is true at every tick. Packets of the time before they were decoded get
their ``hash_size`` by a backfill: the ingestor writes it for every new one, so that is over when it is over.
"""

from __future__ import annotations

from examples.meshscope.schema import HASH_SIZE
from tidemark import Project

HEARD = """
SELECT t.id,
       (SELECT count(*) FROM observations o WHERE o.transmission_id = t.id)                   AS observation_count,
       (SELECT coalesce(max(o.timestamp), 0) FROM observations o WHERE o.transmission_id = t.id) AS last_seen,
       (SELECT max(o.snr) FROM observations o WHERE o.transmission_id = t.id)                 AS best_snr
FROM transmissions t
"""
HEARD_LAST_BY = """
SELECT t.id,
       (SELECT o.observer_id FROM observations o WHERE o.transmission_id = t.id
        ORDER BY o.timestamp DESC, o.id DESC LIMIT 1) AS last_observer
FROM transmissions t
"""

project = Project("meshscope")
project.derive("heard", key="id", columns_of="transmissions", query=HEARD)
project.derive("heard_last_by", key="id", columns_of="transmissions", freshness="tick", query=HEARD_LAST_BY)
project.backfill(
    "hash_size",
    table="transmissions",
    key="id",
    where="hash_size IS NULL",
    sql=f"UPDATE transmissions SET hash_size = {HASH_SIZE} WHERE id IN (SELECT id FROM tidemark_batch)",
)

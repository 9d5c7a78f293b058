"""What other systems show of Tidemark: a dashboard for Grafana, alert rules for Prometheus.

Owns: the files and handing them out. Promises: they name metrics that there are, and no data source of anybody's: the dashboard
asks for it in a variable.
"""

from __future__ import annotations

import json
from importlib.resources import files

from tidemark.cli.outcome import Outcome

FILES = {"grafana": "grafana.json", "alerts": "alerts.yaml"}


def export_file(what: str) -> Outcome:
    """The text of a file, as it is to be imported; as JSON the text is in ``text``."""
    text = files("tidemark.cli").joinpath("exported", FILES[what]).read_text(encoding="utf-8")
    data = {"dashboard": json.loads(text)} if what == "grafana" else {"text": text}
    return Outcome(text.rstrip(), data)

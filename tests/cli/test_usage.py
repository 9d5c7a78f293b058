"""What was typed and cannot be understood: exit 2, a sentence on stderr, or an object on stdout where one is asked for."""

import json
from collections.abc import Callable

import pytest

from tidemark.cli import main


def _usage(run: Callable[[], int]) -> int:
    with pytest.raises(SystemExit) as ended:
        run()
    return int(ended.value.code or 0)


def test_what_means_nothing_is_told_on_stderr_or_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is done with it: no database is named here."""
    lines = [
        "apply --workers 0",
        "apply --workers -1",
        "apply --workers many",
        "diff posts --tolerance nan",
        "tick --max-ms nan",
    ]
    lines += [
        "diff posts --tolerance -1",
        "diff posts --modulo -3",
        "history --limit 0",
        "tick --max-batches -1",
        "run --lanes 0",
    ]
    lines += ["serve --port 99999", "backfill run up --max-duration", "nonsense"]
    assert _usage(lambda: main([])) == 2
    assert "first steps: tidemark init" in capsys.readouterr().err
    assert _usage(lambda: main(["--version"])) == 0
    assert capsys.readouterr().out.startswith("tidemark 0.")
    for typed in (line.split() for line in lines):
        assert _usage(lambda: main(typed)) == 2  # noqa: B023
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("usage: tidemark") and typed[-1] in err
        assert _usage(lambda: main([*typed, "--json"])) == 2  # noqa: B023
        out, err = capsys.readouterr()
        told = json.loads(out)
        assert (told["exit"], told["error"]["family"], err) == (2, "usage", "")
        assert typed[-1] in told["error"]["cause"] and "\n" not in told["error"]["cause"]

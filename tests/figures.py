"""The figures that `make proof` publishes: tests write them, scripts/reliability.py makes docs/reliability.md of them.

`make test` runs a part of each proof; `make proof` says WHOLE. Figures are kept where FIGURES names a folder.
"""

import datetime as dt
import functools
import json
import os
import re
import subprocess
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
WHOLE = bool(os.environ.get("WHOLE"))
FOLDER = os.environ.get("FIGURES")


def part_or_whole(part: T, whole: T) -> T:
    """What `make test` runs, or what `make proof` does."""
    return whole if WHOLE else part


def publish(section: str, of: str, /, **figures: object) -> None:
    """Keep the figures of one measurement, with its day and commit, and whether it was the whole; a later one of the same replaces it."""
    if FOLDER:
        day = dt.datetime.now(dt.UTC).date().isoformat()
        kept = {"section": section, "of": of, "day": day, "commit": _commit(), "whole": WHOLE}
        file = Path(FOLDER) / f"{section}-{re.sub('[^a-z0-9]+', '-', of.lower())}.json"
        file.write_text(json.dumps({**kept, **figures}, indent=1) + "\n")


@functools.cache
def _commit() -> str:
    """What is checked out."""
    asked = ("git", "describe", "--always", "--dirty")
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"

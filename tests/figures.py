"""The figures that `make proof` publishes: tests write them, scripts/reliability.py makes docs/reliability.md of them.

`make test` runs a part of each proof; `make proof` says WHOLE. Figures are kept where FIGURES names a folder.
"""

import datetime as dt
import functools
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")
WHOLE = bool(os.environ.get("WHOLE"))
FOLDER = os.environ.get("FIGURES")


def part_or_whole(part: T, whole: T) -> T:
    """What `make test` runs, or what `make proof` does."""
    return whole if WHOLE else part


@contextmanager
def measured(section: str, of: str, /, **known: object) -> Iterator[dict[str, object]]:
    """The figures of one measurement, which the block adds; where it fails, what broke: never those of the time before."""
    file = _file(section, of)
    if file:
        file.unlink(missing_ok=True)
    figures = dict(known)
    try:
        yield figures
    except (Exception, pytest.fail.Exception) as error:
        publish(section, of, **{**figures, "broken": figures.get("broken") or [str(error).partition("\n")[0]]})
        raise
    publish(section, of, **figures)


def publish(section: str, of: str, /, **figures: object) -> None:
    """Keep figures, with their day and commit, and whether it was the whole; later ones of the same replace them."""
    if file := _file(section, of):
        day = dt.datetime.now(dt.UTC).date().isoformat()
        kept = {"section": section, "of": of, "day": day, "commit": _commit(), "whole": WHOLE}
        file.write_text(json.dumps({**kept, **figures}, indent=1) + "\n")


def _file(section: str, of: str) -> Path | None:
    return Path(FOLDER) / f"{section}-{re.sub('[^a-z0-9]+', '-', of.lower())}.json" if FOLDER else None


@functools.cache
def _commit() -> str:
    """What is checked out."""
    asked = ("git", "describe", "--always", "--dirty")
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"

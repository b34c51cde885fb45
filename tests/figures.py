"""The figures that `make proof` publishes: tests write them, `scripts/reliability.py` makes docs/reliability.md of them.

`make test` runs a part of each proof, and keeps no figures; `make proof` runs the whole, and names a folder in PROOF.
"""

import json
import os
import re
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FOLDER = os.environ.get("PROOF")


def part_or_whole(part: T, whole: T) -> T:
    """What `make test` runs, or what `make proof` does."""
    return whole if FOLDER else part


def publish(section: str, of: str, /, **figures: object) -> None:
    """Keep the figures of one measurement; a later one of the same replaces it."""
    if FOLDER:
        file = Path(FOLDER) / f"{section}-{re.sub('[^a-z0-9]+', '-', of.lower())}.json"
        file.write_text(json.dumps({"section": section, "of": of, **figures}, indent=1) + "\n")

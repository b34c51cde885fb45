"""What a process holds, as Linux shows it in /proc."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """memory: its resident set, in KiB. files: its open file descriptors, sockets among them."""

    memory: int
    files: int
    sockets: int
    threads: int


def usage(pid: int) -> Usage:
    """That of the process with this id."""
    folder = Path(f"/proc/{pid}")
    status = (folder / "status").read_text()
    # It counts the pages: status has what each processor counted, and not the last of it.
    pages = (folder / "smaps_rollup").read_text()
    targets = list(_targets(folder / "fd"))
    return Usage(
        memory=_number(pages, "Rss"),
        files=len(targets),
        sockets=sum(target.startswith("socket:") for target in targets),
        threads=_number(status, "Threads"),
    )


def _number(status: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)
    assert found
    return int(found[1])


def _targets(folder: Path) -> list[str]:
    """What each descriptor is of; one that is closed meanwhile is none."""
    targets = []
    for link in folder.iterdir():
        with suppress(FileNotFoundError):
            targets.append(str(link.readlink()))
    return targets

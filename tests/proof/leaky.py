"""PostgreSQL's function, with leaks: whoever looks for some must find these."""

import os
import threading
from typing import Any

from rotators.postgres import app

_kept: list[tuple[int, bytes]] = []


def handler(event: Any, context: Any) -> object:
    """A file that stays open, a thread that stays, and 64 KiB that are kept, with each call."""
    _kept.append((os.open(os.devnull, os.O_RDONLY), bytes(65536)))
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return app.handler(event, context)

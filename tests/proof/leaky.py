"""PostgreSQL's function, with leaks: whoever looks for some must find these."""

import os
import threading
from typing import Any

from rotators.postgres import app

SLOWLY = 2048  # bytes
_kept: list[object] = []


def handler(event: Any, context: Any) -> object:
    """A file that stays open, a thread that stays, and 64 KiB that are kept, with each call."""
    _kept.append((os.open(os.devnull, os.O_RDONLY), os.urandom(65536)))
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return app.handler(event, context)


def slowly(event: Any, context: Any) -> object:
    """With each call 2 KiB that are kept, and no more."""
    _kept.append(os.urandom(SLOWLY))
    return app.handler(event, context)

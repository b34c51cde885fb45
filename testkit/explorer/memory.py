"""What surrounds the function in memory: no waiting, a clock that goes when a delivery hangs, passwords by number."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

from testkit.explorer.delivery import ELAPSED
from testkit.explorer.store import ADMIN_ARN


@contextmanager
def in_memory() -> Iterator[None]:
    """Inside, the function may be called by the million."""
    counter = itertools.count()

    def make(_recipe: object) -> str:
        return f"*new-password-{next(counter)}"

    with (
        mock.patch("common.password.PasswordRecipe.make", make),
        mock.patch("common.clock.time", SimpleNamespace(monotonic=ELAPSED.get)),
        mock.patch("time.sleep", return_value=None),
        mock.patch.dict(os.environ, {"ADMIN_SECRETS": ADMIN_ARN}, clear=True),
    ):
        yield

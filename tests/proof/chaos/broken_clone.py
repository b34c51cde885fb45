"""A function that gives the clone the base's rights when it makes it, and never again: chaos must find what it lacks later."""

from rotators.mysql.accounts import Held, read_accounts
from rotators.mysql.clone import Turn
from tests.proof.chaos.hurried import handler

__all__ = ["handler"]

_sync = Turn._sync  # noqa: SLF001


def _once(self: Turn, base: list[Held]) -> None:
    if not read_accounts(self.session, self.pair.clone):
        _sync(self, base)


Turn._sync = _once  # type: ignore[method-assign]  # noqa: SLF001

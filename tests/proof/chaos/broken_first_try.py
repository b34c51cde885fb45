"""A function that changes the password, and then fails: the next try finds it changed. Chaos must find the first one."""

from common.errors import ChangeRefused
from common.rotation import Rotation
from common.strategy import SingleUser
from tests.proof.chaos.hurried import handler

__all__ = ["handler"]

_accept = SingleUser.accept


def _fails_at_first(self: SingleUser, rotation: Rotation) -> str:
    case = _accept(self, rotation)
    if case == "S1":
        raise ChangeRefused("planted", "The server has refused it.", "Try again.")
    return case


SingleUser.accept = _fails_at_first  # type: ignore[method-assign]

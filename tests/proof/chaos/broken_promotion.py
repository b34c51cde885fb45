"""A function that promotes a password that no server was told: chaos must find that AWSCURRENT is refused, and at once."""

from common.strategy import SingleUser
from tests.proof.chaos.hurried import handler

__all__ = ["handler"]

SingleUser.accept = lambda *_: "S1"  # type: ignore[method-assign]
SingleUser.test = lambda *_: None  # type: ignore[method-assign]

"""A function that does not look at versions without a label, as AWS's templates do not: chaos must find what that costs."""

from common.rotation import Rotation
from tests.proof.chaos.hurried import handler

__all__ = ["handler"]


def _none(_: Rotation) -> list[str]:
    return []


Rotation._unlabelled = _none  # type: ignore[method-assign, assignment]  # noqa: SLF001

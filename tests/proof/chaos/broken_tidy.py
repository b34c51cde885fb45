"""A function that, where finishSecret comes a second time (G3), revokes AWSPREVIOUS's key: chaos must find that it is gone."""

from common.issued_key import IssuedKey
from common.rotation import Work
from tests.proof.chaos.hurried import handler

__all__ = ["handler"]


def _tidy(self: IssuedKey, work: Work) -> None:
    previous = work.secret.version("AWSPREVIOUS")
    if previous:
        self._by(work, work.read("AWSCURRENT"), lambda by: self._retired(work, by, previous))


IssuedKey.tidy = _tidy  # type: ignore[method-assign]

"""The simulator's clock: a real one, or a test's, that can be moved forward."""

from collections.abc import Callable


class Clock:
    """Seconds since the epoch: what `base` says, and as much more as the clock has been moved."""

    def __init__(self, base: Callable[[], float]) -> None:
        self._base, self._ahead = base, 0.0

    def now(self) -> float:
        """The simulator's time."""
        return self._base() + self._ahead

    def move_to(self, then: float) -> None:
        """Make it `then`; a clock that is there already is left alone, and none goes back."""
        self._ahead += max(0.0, then - self.now())

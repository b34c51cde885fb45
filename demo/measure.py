"""What a rotation did to the clients, and whether every promise held."""

from dataclasses import dataclass

from testkit.simulator import Rotation


@dataclass(frozen=True)
class Measured:
    """One rotation, measured.

    gap: seconds from the first login with AWSCURRENT that was refused to the next one accepted; 0 where none was
    app_gap: the same for the application that caches its secret
    calls: of Secrets Manager, by the function. broken: the promises that did not hold, in words
    """

    number: int
    strategy: str
    rotation: Rotation
    slow_motion: bool
    calls: int
    gap: float
    app_gap: float
    old_password: str
    broken: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """The function's time, all steps."""
        return sum(run.invocation.seconds for run in self.rotation.runs if run.invocation)

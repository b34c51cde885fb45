"""How Secrets Manager runs a rotation: four calls of a function, in order, and the whole again where one fails."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from testkit.simulator.functions import Function, Invocation

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@dataclass
class StepRun:
    """One call of the function. invocation is None while it runs. started: seconds since the epoch."""

    step: str
    attempt: int
    started: float = field(default_factory=time.time)
    invocation: Invocation | None = None


@dataclass
class Rotation:
    """One rotation, or test of one. succeeded is None while it runs."""

    arn: str
    token: str
    steps: tuple[str, ...] = STEPS
    runs: list[StepRun] = field(default_factory=list)
    succeeded: bool | None = None
    abandoned: bool = False

    @property
    def error(self) -> str | None:
        """Why the last call failed; None where it did not."""
        return self.runs[-1].invocation.error if self.runs and self.runs[-1].invocation else None

    @property
    def log(self) -> str:
        """All that the function printed."""
        return "".join(run.invocation.log for run in self.runs if run.invocation)

    def case(self, step: str) -> str | None:
        """The numbered case that the function logged for the last call of this step."""
        runs = [run for run in self.runs if run.step == step and run.invocation]
        records = runs[-1].invocation.records() if runs and runs[-1].invocation else []
        return next((record["case"] for record in records if record.get("case")), None)

    def attempt(self, number: int, function: Function, go_on: Callable[[], bool]) -> bool | None:
        """Call the steps in order until one fails; the same token each time. None where `go_on` said no before one."""
        rotation_token = str(uuid.uuid4())
        for step in self.steps:
            if not go_on():
                return None
            run = StepRun(step, number)
            self.runs.append(run)
            event = {
                "Step": step,
                "SecretId": self.arn,
                "ClientRequestToken": self.token,
                "RotationToken": rotation_token,
            }
            run.invocation = function.invoke(event)
            if run.invocation.error:
                return False
        return True

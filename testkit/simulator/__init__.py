"""A Secrets Manager that behaves like the service: versions, stages, rotations, events.

    with Simulator() as aws:
        function = aws.add_function("rotator", handler)
        aws.client().create_secret(Name="app", SecretString="…")
        rotation = aws.rotate("app", RotationLambdaARN=function.arn)

Schedules run on a clock that a test moves: what is due by then rotates, in order, each at the start of its window.

    with Simulator(clock=lambda: 1_800_000_000) as aws:
        …
        aws.rotate("app", RotationLambdaARN=function.arn, RotationRules={"ScheduleExpression": "rate(7 days)"})
        aws.advance(timedelta(days=21))  # three rotations, and NextRotationDate is a week ahead

`rate(…)`, six-field cron, Duration and AutomaticallyAfterDays are taken and refused as the service takes and refuses
them; what AWS leaves open is listed in testkit/simulator/schedules.py.

moto serves the API over HTTP and keeps names, tags and policies. Versions, stages and rotations are our own model, as
moto's are not the service's: its RotateSecret ignores a function's errors, moves AWSCURRENT itself, and overwrites
values silently. What the model claims is in tests/unit/test_simulator.py and
test_schedules.py, each test with AWS's own sentence.
"""

from testkit.simulator.calls import Call
from testkit.simulator.functions import Function, HttpFunction, Invocation, PythonFunction
from testkit.simulator.rotations import Rotation, StepRun
from testkit.simulator.simulator import Simulator, TrailEvent

__all__ = [
    "Call",
    "Function",
    "HttpFunction",
    "Invocation",
    "PythonFunction",
    "Rotation",
    "Simulator",
    "StepRun",
    "TrailEvent",
]

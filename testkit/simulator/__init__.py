"""A Secrets Manager that behaves like the service: versions, stages, rotations, events.

    with Simulator() as aws:
        function = aws.add_function("rotator", handler)
        aws.client().create_secret(Name="app", SecretString="…")
        rotation = aws.rotate("app", RotationLambdaARN=function.arn)

moto serves the API over HTTP and keeps names, tags and policies. Versions, stages and rotations are our own model, as
moto's are not the service's: its RotateSecret ignores a function's errors, moves AWSCURRENT itself, and overwrites
values silently. What the model claims is in tests/unit/test_simulator.py, each test with AWS's own sentence.
"""

from testkit.simulator.functions import Function, HttpFunction, Invocation, PythonFunction
from testkit.simulator.rotations import Rotation, StepRun
from testkit.simulator.simulator import Call, Simulator, TrailEvent

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

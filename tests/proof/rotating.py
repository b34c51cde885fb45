"""A secret of a scenario, rotated by the scenario's function in a process that stays warm."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testkit.crash.matrix import Scenario, Subject
from testkit.simulator import Rotation, Simulator
from testkit.warm.function import WarmFunction, warm_function

_numbers = itertools.count()


@dataclass(frozen=True)
class Rotating:
    """One secret with its user."""

    aws: Simulator
    function: WarmFunction
    subject: Subject
    arn: str

    def rotate(self) -> Rotation:
        """One rotation, with all of the service's tries."""
        return self.aws.rotate(self.arn, RotationLambdaARN=self.function.arn)

    def text(self) -> str:
        """AWSCURRENT's value, as an application reads it."""
        return self.aws.client().get_secret_value(SecretId=self.arn)["SecretString"]

    def works(self) -> bool:
        """Whether AWSCURRENT logs in."""
        return self.log_in(self.text())

    def log_in(self, text: str) -> bool:
        """Whether the server takes this value of the secret."""
        return self.subject.accepts(json.loads(text))


@contextmanager
def warm(scenario: Scenario, aws: Simulator) -> Iterator[WarmFunction]:
    """The scenario's function; Secrets Manager and the server are asked directly, without proxies."""
    with warm_function(scenario.handler, **scenario.environment, SECRETS_MANAGER_ENDPOINT=aws.endpoint) as function:
        aws.add(function)
        yield function


@contextmanager
def rotating(scenario: Scenario, aws: Simulator, function: WarmFunction) -> Iterator[Rotating]:
    """A new user and its secret; the user is gone at the end."""
    client = aws.client()
    subject = scenario.make(scenario.server[1], client)
    tags = [{"Key": name, "Value": value} for name, value in scenario.tags.items()]
    name = f"warm/{next(_numbers)}"
    arn = client.create_secret(Name=name, SecretString=json.dumps(subject.value), Tags=tags)["ARN"]  # type: ignore[arg-type]
    try:
        yield Rotating(aws, function, subject, arn)
    finally:
        subject.drop()

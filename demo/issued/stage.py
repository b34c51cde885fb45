"""Who is on stage: the service, the simulator, the function, a secret, an application; and what every key must be when."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from common.handler import handler_by_secret
from demo.environment import set_environment
from demo.issued.services import Issued, Service, find_service
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers
from testkit.crash.function import process_function
from testkit.load.clients import CACHE_SECONDS, Client, application
from testkit.providers import write_provider
from testkit.servers.process import keeper
from testkit.simulator import PythonFunction, Rotation, Simulator
from testkit.simulator.rotations import STEPS

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

ABANDONED = "abandoned"
PAUSE = 0.5  # seconds before each step, so that it can be followed
BETWEEN = CACHE_SECONDS + 0.5  # seconds between two rotations: longer than the application's cache lives
USES_PAUSE = 0.02  # seconds between two uses by the application
# Whose a key is: by the label of the version that holds it; an orphan works, and no version holds it.
Holder = Literal["current", "previous", "pending", "orphan", "revoked"]
# What each key must be at each moment, in the order in which they were made: the first one was made by hand.
PROMISED: Mapping[str, tuple[Holder, ...]] = {
    "before": ("current",),
    "during 1": ("current", "pending"),
    "after 1": ("previous", "current"),
    "during 2": ("previous", "current", "pending"),
    "after 2": ("revoked", "previous", "current"),
    ABANDONED: ("revoked", "previous", "current", "orphan"),
    "during 3": ("revoked", "previous", "current", "orphan", "pending"),
    "after 3": ("revoked", "revoked", "previous", "revoked", "current"),
}


@dataclass(frozen=True)
class Moment:
    """What the keys were: {id: whose}."""

    title: str
    holders: Mapping[str, Holder] = field(repr=False)


@dataclass
class Demo:
    """The stage, and what was seen so far. known: {id: key} of all that ever worked, oldest first."""

    service: Service
    aws: Simulator
    client: "SecretsManagerClient"
    function: PythonFunction
    providers: Path
    arn: str
    app: Client
    known: dict[str, Issued] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def play(self, after: Callable[[str, Rotation], None]) -> None:
        """Everything, in order, up to the first promise that breaks. after: told of each rotation that is over, with its name."""
        self.look("before")
        for number in (1, 2, 3):
            if number == 3:
                after(ABANDONED, self.abandon())
                self.look(ABANDONED)
            after(f"rotation {number}", self.rotate(number))
            self.look(f"after {number}")
            if self.broken:
                return
            time.sleep(BETWEEN)

    def rotate(self, number: int) -> Rotation:
        """A rotation, with a look before finishSecret."""
        steps = iter(STEPS)

        def pause() -> None:
            time.sleep(PAUSE)
            if next(steps, None) == "finishSecret":
                self.look(f"during {number}")

        self.aws.pause = pause
        rotation = self.aws.rotate(self.arn, RotationLambdaARN=self.function.arn)
        if not rotation.succeeded:
            self.broken.append(f"Rotation {number} failed: {rotation.error}")
        return rotation

    def abandon(self) -> Rotation:
        """A rotation whose function is killed between issue and store; then it is given up, as the runbook says."""
        settings = {name: os.environ[name] for name in ("SECRETS_MANAGER_ENDPOINT", "TLS_CA_FILE")}
        self.aws.pause = lambda: time.sleep(PAUSE)
        with process_function("demo.issued.dying:handler", PROVIDERS=str(self.providers), **settings) as dying:
            self.aws.add(dying)
            tries, self.aws.tries = self.aws.tries, 1
            rotation = self.aws.rotate(self.arn, RotationLambdaARN=dying.arn)
            self.aws.tries = tries
        self.client.update_secret_version_stage(
            SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=rotation.token
        )
        if rotation.succeeded:
            self.broken.append("The rotation that was to die did not.")
        return rotation

    def look(self, title: str) -> None:
        """Note whose every key is now, and whether it should be."""
        self.known |= {one.id: one for one in self.service.listed() if one.id not in self.known}
        held = self._held()
        self.moments.append(Moment(title, {one.id: self._holder(one, held) for one in self.known.values()}))
        found, promised = tuple(self.moments[-1].holders.values()), PROMISED[title]
        if found != promised:
            self.broken.append(f"{title}: the keys are {', '.join(found)}; promised {', '.join(promised)}.")

    def broken_promises(self) -> list[str]:
        """All that did not hold."""
        broken = list(self.broken)
        if [moment.title for moment in self.moments] != list(PROMISED):
            broken.append(f"Only {len(self.moments)} of {len(PROMISED)} looks were taken.")
        if self.app.error or not self.app.logins:
            broken.append(f"The application ended early: {self.app.error}")
        if self.app.failed:
            broken.append(f"The application's key was refused {self.app.failed} times.")
        if leaks := self.leaks():
            broken.append(f"{leaks} keys stand in a log.")
        return broken

    def leaks(self) -> int:
        """How many keys are found in what the function logged, or work and are found in what the service did.

        What it has just revoked, a service may name: ntfy's debug log does
        """
        ours, theirs = "".join(rotation.log for rotation in self.aws.rotations), self.service.log()
        return sum(
            one.key in ours or (one.key in theirs and self.service.accepts(one.key)) for one in self.known.values()
        )

    def _held(self) -> dict[str, Holder]:
        """{key: the label that counts} of each staged version that has a value."""
        held: dict[str, Holder] = {}
        labels: tuple[Holder, ...] = ("pending", "previous", "current")
        for label in labels:
            try:
                value = self.client.get_secret_value(SecretId=self.arn, VersionStage=f"AWS{label.upper()}")
            except self.client.exceptions.ResourceNotFoundException:
                continue
            held[json.loads(value["SecretString"])[self.service.credential]] = label
        return held

    def _holder(self, one: Issued, held: Mapping[str, Holder]) -> Holder:
        """Whose a key is, where the service takes it."""
        return held.get(one.key, "orphan") if self.service.accepts(one.key) else "revoked"


@contextmanager
def stage() -> Iterator[Demo]:
    """Start everything; stop it at the end."""
    with ExitStack() as stack:
        service = stack.enter_context(find_service())
        aws = stack.enter_context(Simulator())
        set_environment(aws, service.ca_file)
        providers = stack.enter_context(keeper("providers", user="")).folder
        write_provider(providers, service.provider, service.port)
        handler = handler_by_secret("api_key", by_provider(load_providers(providers)))
        function = aws.add_function("keyturn-api-key", handler)
        client = aws.client()
        arn = client.create_secret(
            Name="demo/api-key",
            SecretString=json.dumps(service.value),
            Tags=[{"Key": "rotation:provider", "Value": service.provider}],
        )["ARN"]

        def use(text: str) -> bool:
            time.sleep(USES_PAUSE)
            return service.accepts(json.loads(text)[service.credential])

        app = application(client, arn, use)
        stack.callback(app.stop)
        yield Demo(service, aws, client, function, providers, arn, app)

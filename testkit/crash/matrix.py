"""The crash matrix: a rotation is recorded, then made again and again, and the function dies at each message of it.

For each message of the first and of the second rotation, before and after it, and for each way to recover (the service
tries the same version again; the rotation is given up and a new one started), every promise is looked at.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from testkit.crash.function import ProcessFunction, process_function
from testkit.crash.proxy import Killer, http_requests, proxy, tls_records
from testkit.simulator import Rotation, Simulator

Value = dict[str, Any]
TRIES = 3  # how often a death is tried before it counts as one that never came


class Subject(Protocol):
    """A user that is rotated, made anew for each run."""

    @property
    def value(self) -> Value:
        """The secret's first value; its host and port are those of the proxy."""
        ...

    def accepts(self, value: Value) -> bool:
        """Whether the server itself takes this login."""
        ...

    def rights(self, value: Value) -> object:
        """What this login may do, in any form that can be compared."""
        ...

    def drop(self) -> None:
        """Remove it from the server."""
        ...


@dataclass(frozen=True)
class Scenario:
    """What is killed: a function's handler, its environment, the server it speaks to, how a subject is made.

    make: given the proxy's port and a client of Secrets Manager, a new subject
    always_works: whether AWSCURRENT must log in at every instant
    left_over: given a subject and the values that staged versions hold, what else of its works at the server; asked after
    the recovery, and again after one more rotation
    """

    name: str
    handler: str
    environment: Mapping[str, str]
    server: tuple[str, int]
    make: Callable[[int, Any], Subject]
    always_works: bool
    tags: Mapping[str, str] = field(default_factory=dict)
    left_over: Callable[[Any, list[Value]], list[str]] | None = None


@dataclass
class Coverage:
    """What a matrix has covered."""

    name: str
    messages: dict[str, int] = field(default_factory=dict)
    runs: int = 0
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        messages = ", ".join(f"{number} messages in the {which} rotation" for which, number in self.messages.items())
        return f"{self.name}: {messages}; {self.runs} deaths, {len(self.broken)} promises broken"


def run_matrix(scenario: Scenario) -> Coverage:
    """Every death, every recovery; what was covered, and what broke."""
    coverage = Coverage(scenario.name)
    with _bench(scenario) as bench:
        for which in ("first", "second"):
            messages = coverage.messages[which] = _recorded(bench, which)
            for at, before, anew in itertools.product(range(1, messages + 1), (True, False), (False, True)):
                coverage.runs += 1
                coverage.broken += _a_death(bench, which, at, before=before, anew=anew)
    return coverage


@dataclass(frozen=True)
class _Bench:
    scenario: Scenario
    aws: Simulator
    function: ProcessFunction
    killer: Killer
    port: int
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def case(self, which: str) -> Iterator["_Case"]:
        """A new subject and its secret, before the first or the second rotation."""
        subject = self.scenario.make(self.port, self.aws.client())
        client = self.aws.client()
        text = json.dumps(subject.value)
        arn = client.create_secret(Name=f"matrix/{next(self.numbers)}", SecretString=text)["ARN"]
        for name, value in self.scenario.tags.items():
            client.tag_resource(SecretId=arn, Tags=[{"Key": name, "Value": value}])
        self.killer.arm(0, before=True)
        self.aws.calls.clear()
        case = _Case(self, subject, arn)
        try:
            if which == "second":
                assert case.rotate().succeeded
            yield case
        finally:
            subject.drop()


@dataclass(frozen=True)
class _Case:
    bench: _Bench
    subject: Subject
    arn: str

    def rotate(self) -> Rotation:
        """One rotation, with all of the service's tries."""
        return self.bench.aws.rotate(self.arn, RotationLambdaARN=self.bench.function.arn)

    def staged(self) -> dict[str, tuple[set[str], Value | None]]:
        """{version: (its labels, its value)}."""
        client = self.bench.aws.client()
        found = {}
        for version, labels in client.describe_secret(SecretId=self.arn)["VersionIdsToStages"].items():
            try:
                text = client.get_secret_value(SecretId=self.arn, VersionId=version)["SecretString"]
            except client.exceptions.ResourceNotFoundException:
                text = "null"
            found[version] = (set(labels), json.loads(text))
        return found

    def current(self) -> Value:
        """AWSCURRENT's value, as an application reads it."""
        value: Value = json.loads(self.bench.aws.client().get_secret_value(SecretId=self.arn)["SecretString"])
        return value

    def give_up(self) -> None:
        """Take AWSPENDING off, as the runbook says."""
        for version, (labels, _) in self.staged().items():
            if "AWSPENDING" in labels and "AWSCURRENT" not in labels:
                self.bench.aws.client().update_secret_version_stage(
                    SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )

    def broken(self, rights: object) -> Iterator[str]:
        """The promises that do not hold now that the rotation has recovered."""
        staged = self.staged()
        current = [value for labels, value in staged.values() if "AWSCURRENT" in labels]
        if len(current) != 1 or current[0] is None:
            yield f"{len(current)} versions are AWSCURRENT"
            return
        if not self.subject.accepts(current[0]):
            yield "AWSCURRENT does not log in"
        elif self.subject.rights(current[0]) != rights:
            yield "AWSCURRENT has not the rights that it had"
        if any("AWSPENDING" in labels and "AWSCURRENT" not in labels for labels, _ in staged.values()):
            yield "a rotation is still pending"
        held = [value for _, value in staged.values() if value]
        for value in self._ever_stored():
            if value not in held and self.subject.accepts(value):
                yield "a credential that no staged version holds logs in"
        if self.bench.scenario.left_over:
            yield from self.bench.scenario.left_over(self.subject, held)

    def _ever_stored(self) -> list[Value]:
        calls = [call.parameters for call in self.bench.aws.calls if call.operation == "PutSecretValue"]
        stored = [json.loads(call["SecretString"]) for call in calls if call["SecretId"] == self.arn]
        return [self.subject.value, *stored]


@contextmanager
def _bench(scenario: Scenario) -> Iterator[_Bench]:
    """The simulator, the proxies, the function."""
    with ExitStack() as stack:
        aws = stack.enter_context(Simulator())
        killer = Killer()
        port = stack.enter_context(proxy("server", scenario.server, tls_records, killer))
        endpoint = ("127.0.0.1", int(aws.endpoint.rpartition(":")[2]))
        secrets_manager = stack.enter_context(proxy("Secrets Manager", endpoint, http_requests, killer))
        environment = {**scenario.environment, "SECRETS_MANAGER_ENDPOINT": f"http://127.0.0.1:{secrets_manager}"}
        function = stack.enter_context(process_function(scenario.handler, **environment))
        aws.add(function)
        killer.freeze = function.freeze
        yield _Bench(scenario, aws, function, killer, port)


def _recorded(bench: _Bench, which: str) -> int:
    """How many messages this rotation has."""
    with bench.case(which) as case:
        case.subject.rights(
            case.current()
        )  # as each run does: a login that the server knows already takes fewer messages
        bench.killer.arm(0, before=True)
        assert case.rotate().succeeded
        return len(bench.killer.seen)


def _a_death(bench: _Bench, which: str, at: int, *, before: bool, anew: bool) -> list[str]:
    """As `_one_death`; again where that rotation had ended before the message came.

    One message more or less is the driver's and the TLS library's doing: records that went out together, or apart
    """
    for _ in range(TRIES):
        broken = _one_death(bench, which, at, before=before, anew=anew)
        if bench.killer.fired:
            break
    return broken


def _one_death(bench: _Bench, which: str, at: int, *, before: bool, anew: bool) -> list[str]:
    """Die at one message, recover, and look; what broke, with where."""
    with bench.case(which) as case:
        rights = case.subject.rights(case.current())
        bench.aws.tries = 1 if anew else 3
        bench.killer.arm(at, before=before)
        looks: list[bool] = []

        def look() -> None:
            """Between any two steps from the death on AWSCURRENT logs in."""
            if bench.scenario.always_works and bench.killer.fired:
                looks.append(case.subject.accepts(case.current()))

        bench.aws.pause = look
        rotation = case.rotate()
        bench.killer.disarm()
        look()
        if anew:
            case.give_up()
            rotation = case.rotate()
        bench.aws.pause = lambda: None
        broken = [] if bench.killer.fired else ["the function did not die"]
        if not all(looks):
            broken.append("AWSCURRENT did not log in at every instant")
        if not rotation.succeeded:
            broken.append(f"it does not recover: {rotation.error}")
        broken += case.broken(rights)
        if bench.scenario.left_over:
            broken += [] if case.rotate().succeeded else ["the next rotation fails"]
            broken += [f"after the next rotation, {promise}" for promise in case.broken(rights)]
        where = bench.killer.seen[at - 1] if len(bench.killer.seen) >= at else "?"
        how = f"{which} rotation, death {'before' if before else 'after'} message {at} ({where}), {'anew' if anew else 'again'}"
        return [f"{bench.scenario.name}, {how}: {promise}" for promise in broken]

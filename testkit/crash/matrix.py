"""The crash matrix: a rotation is recorded, then made again and again, and something happens at each message of it.

For each message of the first or of the second rotation: the function dies before it, or after it, or its answer is lost; and
for each way to recover (the service tries the same version again; the rotation is given up and a new one started; a
person puts a value by hand in mid-rotation, then a new one is started) every promise is looked at.
"""

import gc
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, get_args

from testkit.crash.function import process_function
from testkit.crash.proxy import MOMENTS, Killer, Moment, http_requests, proxy, tls_records
from testkit.simulator import Invocation, Rotation, Simulator

Value = dict[str, Any]
Staged: TypeAlias = dict[str, tuple[set[str], Value | None]]
Which: TypeAlias = Literal["first", "second"]
Recovery: TypeAlias = Literal["again", "anew", "by hand"]
RECOVERIES: tuple[Recovery, ...] = get_args(Recovery)
TRIES = 3  # how often a death is tried before it counts as one that never came
CREDENTIALS = ("password", "key", "token")  # the fields of a value that are searched for in what the function prints
BY_HAND = "put_by_hand"  # a field that no target knows, which a person adds to AWSCURRENT's value


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
    always_works: whether AWSCURRENT must log in at every instant, and AWSPREVIOUS until the next rotation's setSecret
    gives_up: a rotation may take AWSPENDING off by itself (K4), and the next one succeeds
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
    gives_up: bool = False


class Killable(Protocol):
    """A function that can be stopped where it is."""

    @property
    def arn(self) -> str:
        """What RotateSecret names."""
        ...

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """Call it once, synchronously."""
        ...

    def freeze(self) -> Callable[[], None]:
        """Stop the running invocation; what is answered kills it."""
        ...


# Given a scenario and the environment of its function, the function.
Starter: TypeAlias = Callable[[Scenario, Mapping[str, str]], AbstractContextManager[Killable]]


def forked(scenario: Scenario, environment: Mapping[str, str]) -> AbstractContextManager[Killable]:
    """The function of this source, in a process of its own for each invocation."""
    return process_function(scenario.handler, **environment)


@dataclass(frozen=True)
class Coverage:
    """What a part of the matrix has covered.

    messages: how many the rotation has. cells: how many of `all_cells` were run. seconds: how long that took
    """

    name: str
    which: Which
    recovery: Recovery
    messages: int
    cells: int
    seconds: float
    broken: tuple[str, ...]

    @property
    def all_cells(self) -> int:
        """Each message at each moment."""
        return len(MOMENTS) * self.messages


def run_matrix(
    scenario: Scenario, which: Which, recovery: Recovery, *, start: Starter = forked, every: int = 1
) -> Coverage:
    """Each message at each moment, with one recovery, in one of the rotations; what was covered, and what broke.

    every: 2 runs each second cell only, and so on; with each recovery other ones. Where 3 divides it they are all of one moment
    """
    started = time.monotonic()
    with _bench(scenario, start) as bench:
        messages = _recorded(bench, which)
        cells = list(itertools.product(range(1, messages + 1), MOMENTS))[RECOVERIES.index(recovery) % every :: every]
        broken = [said for at, moment in cells for said in _a_death(bench, which, at, moment, recovery)]
    return Coverage(scenario.name, which, recovery, messages, len(cells), time.monotonic() - started, tuple(broken))


@dataclass(frozen=True)
class _Bench:
    scenario: Scenario
    aws: Simulator
    function: Killable
    killer: Killer
    port: int
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def case(self, which: Which) -> Iterator["_Case"]:
        """A new subject and its secret, before the first or the second rotation."""
        subject = self.scenario.make(self.port, self.aws.client())
        client = self.aws.client()
        text = json.dumps(subject.value)
        arn = client.create_secret(Name=f"matrix/{next(self.numbers)}", SecretString=text)["ARN"]
        for name, value in self.scenario.tags.items():
            client.tag_resource(SecretId=arn, Tags=[{"Key": name, "Value": value}])
        self.killer.arm(0)
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

    def staged(self) -> Staged:
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
        for version in _pending(self.staged()):
            self.bench.aws.client().update_secret_version_stage(
                SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=version
            )

    def put_by_hand(self) -> None:
        """What a person does who edits a field in mid-rotation: AWSCURRENT's value again, with another field."""
        value = json.dumps({**self.current(), BY_HAND: "yes"})
        self.bench.aws.client().put_secret_value(SecretId=self.arn, SecretString=value)

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
        previous = [value for labels, value in staged.values() if "AWSPREVIOUS" in labels and value]
        if self.bench.scenario.always_works and not all(map(self.subject.accepts, previous)):
            yield "AWSPREVIOUS does not log in"
        if _pending(staged):
            yield "a rotation is still pending"
        held = [value for _, value in staged.values() if value]
        for value in self._ever_stored():
            if _login(value) not in map(_login, held) and self.subject.accepts(value):
                yield "a credential that no staged version holds logs in"
        if self.bench.scenario.left_over:
            yield from self.bench.scenario.left_over(self.subject, held)
        yield from self._said()

    def _said(self) -> Iterator[str]:
        """What the function should not have printed or raised, in any of this secret's rotations."""
        credentials = {value[name] for value in self._ever_stored() for name in CREDENTIALS if name in value}
        for run in (run for rotation in self.bench.aws.rotations if rotation.arn == self.arn for run in rotation.runs):
            text = f"{run.invocation.error}\n{run.invocation.log}" if run.invocation else ""
            if any(one in text for one in credentials):
                yield f"{run.step} printed a credential"
            if "[unexpected]" in text:
                yield f"{run.step} failed as nobody foresaw: {run.invocation.error if run.invocation else ''}"

    def _ever_stored(self) -> list[Value]:
        calls = [call.parameters for call in self.bench.aws.calls if call.operation == "PutSecretValue"]
        stored = [json.loads(call["SecretString"]) for call in calls if call["SecretId"] == self.arn]
        return [self.subject.value, *stored]


def _pending(staged: Staged) -> list[str]:
    """The versions whose rotation is under way: one at most."""
    return [version for version, (labels, _) in staged.items() if "AWSPENDING" in labels and "AWSCURRENT" not in labels]


def _login(value: Value) -> Value:
    return {name: field for name, field in value.items() if name != BY_HAND}


@contextmanager
def _bench(scenario: Scenario, start: Starter) -> Iterator[_Bench]:
    """The simulator, the proxies, the function."""
    gc.collect()
    gc.freeze()  # what is imported by now is not gone through again at every collection
    with ExitStack() as stack:
        aws = stack.enter_context(Simulator())
        killer = Killer()
        port = stack.enter_context(proxy("server", scenario.server, tls_records, killer))
        endpoint = ("127.0.0.1", int(aws.endpoint.rpartition(":")[2]))
        secrets_manager = stack.enter_context(proxy("Secrets Manager", endpoint, http_requests, killer))
        environment = {**scenario.environment, "SECRETS_MANAGER_ENDPOINT": f"http://127.0.0.1:{secrets_manager}"}
        function = stack.enter_context(start(scenario, environment))
        aws.add(function)
        killer.freeze = function.freeze
        yield _Bench(scenario, aws, function, killer, port)


def _recorded(bench: _Bench, which: Which) -> int:
    """How many messages this rotation has."""
    with bench.case(which) as case:
        # As each run does: a login that the server knows already takes fewer messages.
        case.subject.rights(case.current())
        bench.killer.arm(0)
        assert case.rotate().succeeded
        return len(bench.killer.seen)


def _a_death(bench: _Bench, which: Which, at: int, moment: Moment, recovery: Recovery) -> list[str]:
    """As `_one_death`; again where that rotation had ended before the message came.

    One message more or less is the driver's and the TLS library's doing: records that went out together, or apart
    """
    broken: list[str] = []
    for _ in range(TRIES):
        broken += _one_death(bench, which, at, moment, recovery)
        if bench.killer.fired:
            return broken
    return [*broken, f"{bench.scenario.name}, {which} rotation: message {at} never came"]


def _one_death(bench: _Bench, which: Which, at: int, moment: Moment, recovery: Recovery) -> list[str]:
    """Let it happen at one message, recover, and look; what broke, with where."""
    with bench.case(which) as case:
        rights = case.subject.rights(case.current())
        bench.aws.tries = 3 if recovery == "again" else 1
        bench.killer.arm(at, moment)
        looks: list[str] = []

        def look() -> None:
            """Between any two steps from the death on AWSCURRENT logs in; directly after it, it has its rights too.

            The last once for each death: how it recovers comes later
            """
            if not (bench.scenario.always_works and bench.killer.fired):
                return
            only_login = looks or recovery != "again"
            try:
                works = (
                    case.subject.accepts(case.current())
                    if only_login
                    else case.subject.rights(case.current()) == rights
                )
            except Exception as error:  # noqa: BLE001  the server's, in the thread that rotates
                looks.append(f"AWSCURRENT did not work at every instant: {type(error).__name__}")
            else:
                looks.append("" if works else "AWSCURRENT did not work at every instant")

        bench.aws.pause = look
        rotation = case.rotate()
        bench.killer.disarm()
        look()
        if recovery != "again":
            give_up = case.give_up if recovery == "anew" else case.put_by_hand
            give_up()
            look()
            rotation = case.rotate()
        if bench.scenario.gives_up and not rotation.succeeded and not _pending(case.staged()):
            rotation = case.rotate()
        bench.aws.pause = lambda: None
        broken = list(dict.fromkeys(filter(None, looks)))
        if not rotation.succeeded:
            broken.append(f"it does not recover: {rotation.error}")
        broken += case.broken(rights)
        if bench.scenario.left_over:
            broken += [] if case.rotate().succeeded else ["the next rotation fails"]
            broken += [f"after the next rotation, {promise}" for promise in case.broken(rights)]
        what = bench.killer.seen[at - 1] if len(bench.killer.seen) >= at else "?"
        where = f"{which} rotation, {moment} at message {at} ({what}), recovered {recovery}"
        return [f"{bench.scenario.name}, {where}: {promise}" for promise in broken]

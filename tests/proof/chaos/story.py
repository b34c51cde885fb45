"""What happens to one secret, told in plain words: Secrets Manager's side of it, and where a trouble comes in."""

import itertools
import json
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from testkit.faults import Fault, Where
from testkit.simulator import Invocation
from testkit.simulator.rotations import STEPS
from tests.proof.chaos import events
from tests.proof.chaos.bench import Bench
from tests.proof.chaos.events import Happening, Rotate, Trouble
from tests.proof.chaos.operator import Operator
from tests.proof.chaos.promises import NOTE, Watch
from tests.proof.chaos.server_acts import end_connections, restart

_numbers = itertools.count()
_NO_ANSWER = Invocation("the run has failed", "", 0)


def play(on: Bench, what: Sequence[Happening]) -> None:
    """All that happens, then one calm rotation; AssertionError with the whole story where a promise broke, or the run."""
    with begun(on) as story:
        with story.failing("the story"):
            for happening in what:
                story.happen(happening)
            story.end_well()
        if story.broken:
            broken = [f"BROKEN: {promise}" for promise in story.broken]
            raise AssertionError("\n".join([f"{on.scenario.name}: {story.broken[0]}", *story.told, *broken]))


@contextmanager
def begun(on: Bench) -> Iterator["Story"]:
    """A new user and its secret, to which nothing has happened yet."""
    on.aws.calls.clear()
    on.aws.rotations.clear()
    client = on.aws.client()
    subject = on.scenario.make(on.port, client)
    try:
        value = {**subject.value, NOTE: "0"}
        arn = client.create_secret(Name=f"chaos/{next(_numbers)}", SecretString=json.dumps(value))["ARN"]
        for name, tag in on.scenario.tags.items():
            client.tag_resource(SecretId=arn, Tags=[{"Key": name, "Value": tag}])
        story = Story(on, Watch(on.scenario, on.aws, subject, arn, value))
        on.aws.add(story)
        on.faults.look, on.faults.other = story.look, story.in_mid_message  # neither raises: nobody would hear of it
        yield story
    finally:
        on.faults.arm(None)
        subject.drop()


@dataclass
class Story:
    """Secrets Manager calls it in the function's place.

    told: what has happened so far, and what came of it. broken: promises. sent: how many messages each step sent where, at most
    """

    bench: Bench
    watch: Watch
    told: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    sent: Counter[tuple[str, Where]] = field(default_factory=Counter)
    _troubles: tuple[Trouble, ...] = ()
    _times: Counter[str] = field(default_factory=Counter)
    _past: list[Mapping[str, str]] = field(default_factory=list)
    _printed: list[str] = field(default_factory=list)
    _busy: tuple[threading.Lock, threading.Lock] = field(default_factory=lambda: (threading.Lock(), threading.Lock()))

    def __post_init__(self) -> None:
        self._operator = Operator(self.watch)

    @property
    def arn(self) -> str:
        """The function's."""
        return self.bench.functions[0].arn

    def happen(self, happening: Happening) -> None:
        """Let it, with all that follows."""
        self.told.append(events.plain(happening))
        if isinstance(happening, Rotate):
            self._rotate(happening)
        else:
            self._act(happening.what)
            self.look()

    def end_well(self) -> None:
        """What an operator does when all is calm again: one rotation, which must succeed. Then every promise holds."""
        if self.watch.incomplete() and not self._operator.enabled():
            self._operator.take_pending_off()  # as AWS's page on CancelRotateSecret says
        self.happen(Rotate())
        tokens = [event["RotationToken"] for event in self._past]
        self.broken += self.watch.leaked("".join(self._printed), tokens)

    def look(self) -> None:
        """At the promises that hold at every instant."""
        with self.failing("a look at the promises"):
            for promise in self.watch.broken_now():
                self._break(promise)

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """What is raised inside breaks the story, whose threads live on: else hypothesis would not see it, nor shrink it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  each driver has its own
            at = traceback.extract_tb(error.__traceback__)[-1]
            self._break(f"{what} fails: {type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})")

    def _break(self, promise: str) -> None:
        self.told.append(f"    BROKEN: {promise}")
        self.broken.append(promise)

    def _rotate(self, rotate: Rotate) -> None:
        stuck, enabled = self.watch.incomplete() is not None, self._operator.enabled()
        aws, begun_before = self.bench.aws, len(self.bench.aws.rotations)
        aws.tries, aws.stale_reads, self._troubles = rotate.tries, rotate.stale_reads, rotate.troubles
        self._times.clear()
        with suppress(aws.client().exceptions.InvalidRequestException):  # an earlier one is not complete: it goes on
            aws.client().rotate_secret(SecretId=self.watch.secret, RotationLambdaARN=self.arn)
        aws.wait()
        aws.stale_reads, self._troubles = 0, ()
        self.bench.totals["rotations"] += len(aws.rotations) > begun_before
        # What was cancelled the service does not go on with by itself, until AWSPENDING is taken off.
        if rotate.undisturbed and (enabled or not stuck):
            self._must_have_ended_well(begun_before, stuck=stuck)

    def _must_have_ended_well(self, number: int, *, stuck: bool) -> None:
        rotation = self.bench.aws.rotations[number]
        if rotation.succeeded:
            if not stuck and len(rotation.runs) != len(STEPS):
                errors = [run.invocation.error for run in rotation.runs if run.invocation and run.invocation.error]
                self.broken.append(f"a calm rotation needs {len(rotation.runs)} steps: {errors}")
            self.broken += self.watch.broken_after_a_calm_rotation()
        elif stuck and "[pending-differs]" in str(rotation.error):
            # Somebody has put a value between createSecret's reading and its writing: the error says to take AWSPENDING off.
            self._operator.take_pending_off()
            self.happen(Rotate())
        else:
            self.broken.append(f"a calm rotation fails: {rotation.error}")

    def invoke(self, event: Mapping[str, str]) -> Invocation:
        """One delivery, with the trouble that is due; the promises are looked at after it."""
        with self.failing("a delivery"):
            return self._invoked(event)
        return _NO_ANSWER

    def _invoked(self, event: Mapping[str, str]) -> Invocation:
        step = event["Step"]
        self._times[step] += 1
        trouble = next((one for one in self._troubles if (one.step, one.time) == (step, self._times[step])), None)
        self._past.append(event)
        self.told.append(f"  {step}{': ' + events.said(trouble) if trouble else ''}")
        struck, held = self.bench.faults.struck, self.watch.holds[self.watch.base]
        invocation = self._delivered(event, trouble.what if trouble else None)
        for where, messages in self.bench.faults.seen.items():
            self.sent[step, where] = max(self.sent[step, where], messages)
        self.bench.faults.arm(None)
        self.bench.faults.settle()  # a delivery within this one may outlive it
        if trouble and isinstance(trouble.what, Fault) and self.bench.faults.struck == struck:
            self.bench.totals["never_came"] += 1
            self.told.append("    (the message never came)")
        self.told.append(f"    {invocation.error or 'succeeds'}")
        if step == "setSecret" and not invocation.error:
            meanwhile = trouble and isinstance(trouble.what, Fault) and self.watch.holds[self.watch.base] != held
            (self.watch.clone_is_as_found if meanwhile else self.watch.clone_is_ready)()
        self.look()
        return invocation

    def _delivered(self, event: Mapping[str, str], what: Fault | str | None) -> Invocation:
        self.bench.faults.arm(what if isinstance(what, Fault) else None)
        if not isinstance(what, str):
            return self._deliver(event)
        self.bench.totals["faults"] += 1
        if what == events.AT_ONCE:
            other = threading.Thread(target=self._deliver, args=(event, 1))
            other.start()
            invocation = self._deliver(event)
            other.join()
            return invocation
        if what == events.AGAIN:
            self._deliver(event, 1)
        elif what == events.AN_OLD_ONE:
            self._deliver(self._past[len(self._past) // 2])
        else:
            self._act(what)
        return self._deliver(event)

    def _deliver(self, event: Mapping[str, str], function: int = 0) -> Invocation:
        with self._busy[function], self.failing("a function's process"):
            self.bench.totals["deliveries"] += 1
            self.watch.begins(event["Step"], event["ClientRequestToken"])
            invocation = self.bench.functions[function].invoke(event)
            self._printed += [invocation.log, str(invocation.error)]
            return invocation
        return _NO_ANSWER

    def in_mid_message(self, what: str) -> None:
        """While a message of the function's waits."""
        with self.failing(what):
            if what == events.DELIVERED_INSIDE:
                self._deliver(self._past[-1], 1)
            elif what in (events.RESTART, events.SHUT_DOWN):
                self._restart(what)
            else:
                self._act(what)

    def _restart(self, what: str) -> None:
        """As the server can."""
        subject = self.watch.subject
        if what == events.SHUT_DOWN and restart(subject):
            self.bench.totals["restarts"] += 1
        elif not end_connections(subject):
            self.bench.faults.sever("the server")

    def _act(self, what: str) -> None:
        if not self._operator.do(what):
            self.told.append("    (not possible now)")

"""The engine: one event in, one step done.

Each step reads the secret's state anew, so it can be called again at any time, after a death at any point: createSecret
keeps a value that is there, setSecret finds out how far it came, testSecret only looks, finishSecret does one call.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from common import clock
from common.errors import NotRotatable, TargetUnavailable
from common.event import Event
from common.guard import Description, already_done
from common.rotation import Rotation
from common.secret import Secret
from common.settings import Settings
from common.store import Store
from common.strategy import Strategy

T = TypeVar("T")
RETRY_PAUSE = 1.0  # seconds before the one retry of a server that was unavailable
# Reads of Secrets Manager may lag behind its writes: seconds before each further look at what may just not be seen yet.
LAG_PAUSES = (0.2, 0.5, 1.0)
LAGGING = {"version-unknown", "version-not-pending", "version-empty"}  # G2, G4, and a pending value that is missing


@dataclass
class Report:
    """What is known of a step while it runs; the handler logs it whether the step succeeds or fails.

    case: the numbered case that applied (G3, S1, …), None for steps that have only one way
    """

    strategy: str | None = None
    target: str | None = None
    case: str | None = None


def run_step(event: Event, store: Store, strategies: Sequence[Strategy], report: Report) -> None:
    """Do one step; RotationError where it cannot be done."""
    report.target = strategies[0].target.name

    def guard() -> Description | None:
        """G1 to G4: the secret, None where the rotation is over (G3)."""
        secret = store.describe(event.secret_id)
        return None if already_done(secret, event.token) else secret

    secret = _patiently(guard)
    if secret is None:
        report.case = "G3"
        return
    with clock.guarded_by(lambda: _still_wanted(guard)):
        Step(event, store, secret, strategies, report).run()


def _still_wanted(guard: Callable[[], Description | None]) -> None:
    """The guard again, before a change that comes late: nothing may be changed any more where the rotation is over."""
    if guard() is None:
        raise NotRotatable(
            "too-late",
            "Another delivery of this step has finished the rotation while this one hung.",
            "Nothing was changed, nothing is to be done. If it happens often, look for what delays the function.",
        )


@dataclass(frozen=True)
class Step:
    """One step of a rotation that the guard let through."""

    event: Event
    store: Store
    secret: Description
    strategies: Sequence[Strategy]
    report: Report

    def run(self) -> None:
        """Do what the event's step says."""
        steps: dict[str, Callable[[], None]] = {
            "createSecret": self.create,
            "setSecret": self.set,
            "testSecret": self.test,
            "finishSecret": self.finish,
        }
        steps[self.event.step]()

    def create(self) -> None:
        """createSecret: propose a value, stage it. What is staged already stays."""
        strategy, current = self._read("AWSCURRENT")
        pending = strategy.propose(current, self._settings, f"AWSPENDING of {self.secret.arn}")
        self.store.stage(self.event, pending)

    def set(self) -> None:
        """setSecret: make the server accept pending."""
        strategy, current = self._read("AWSCURRENT")
        pending = _patiently(lambda: self.store.read(self.secret, "AWSPENDING"))
        strategy.target.account(pending)
        strategy.judge(current, pending)  # G5
        rotation = Rotation(current, pending, self._settings, self.store, self.event, self.secret, strategy.target)
        self.report.case = _retried(lambda: strategy.accept(rotation))

    def test(self) -> None:
        """testSecret: pending logs in. Works alone too, as RotateImmediately=false calls it."""
        strategy, pending = self._read("AWSPENDING")
        _retried(lambda: strategy.prove(pending))

    def finish(self) -> None:
        """finishSecret: one call moves AWSCURRENT. AWSPENDING stays on that version: the service's own end state."""
        strategy = self._settings.choose(self.strategies, None)
        self.report.strategy = strategy.name if strategy else None
        self.store.promote(self.secret, self.event.token)

    @property
    def _settings(self) -> Settings:
        return Settings(self.secret.tags, os.environ)

    def _read(self, stage: str) -> tuple[Strategy, Secret]:
        """The value that holds a label, its fields checked, and the strategy that serves it."""
        value = _patiently(lambda: self.store.read(self.secret, stage))
        strategy = self._settings.choose(self.strategies, value) or self.strategies[0]
        self.report.strategy = strategy.name
        strategy.target.account(value)
        return strategy, value


def _patiently(read: Callable[[], T]) -> T:
    """Read once more, up to three times within 2 s, where what is missing may only not be seen yet."""
    for pause in LAG_PAUSES:
        try:
            return read()
        except NotRotatable as error:
            if error.code not in LAGGING:
                raise
        time.sleep(pause)
    return read()


def _retried(act: Callable[[], T]) -> T:
    """Once more where the server was unavailable and time is left: acting again is safe, every step finds out anew."""
    try:
        return act()
    except TargetUnavailable as unavailable:
        if clock.left() < 2 * RETRY_PAUSE:
            raise
        first = unavailable
    time.sleep(RETRY_PAUSE)
    try:
        return act()
    except TargetUnavailable as unavailable:
        # "Out of time" on the second try would hide what was wrong on the first.
        raise first if unavailable.code == "out-of-time" else unavailable from None

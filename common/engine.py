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
from common.errors import MalformedSecret, NotRotatable, TargetUnavailable
from common.event import Event
from common.guard import Description, already_done
from common.secret import Secret
from common.settings import Settings
from common.store import Store
from common.strategy import Strategy

T = TypeVar("T")
RETRY_PAUSE = 1.0  # seconds before the one retry of a server that was unavailable


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
    secret = store.describe(event.secret_id)
    if already_done(secret, event.token):
        report.case = "G3"
        return
    Step(event, store, secret, strategies, report).run()


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
        _, pending = self._read("AWSPENDING")
        strategy.judge(current, pending)  # G5
        self.report.case = _retried(lambda: strategy.accept(current, pending, self._previous))

    def test(self) -> None:
        """testSecret: pending logs in. Works alone too, as RotateImmediately=false calls it."""
        strategy, pending = self._read("AWSPENDING")
        _retried(lambda: strategy.target.check(pending))

    def finish(self) -> None:
        """finishSecret: one call moves AWSCURRENT. AWSPENDING stays on that version: the service's own end state."""
        self.report.strategy = self._settings.choose(self.strategies).name
        self.store.promote(self.secret, self.event.token)

    @property
    def _settings(self) -> Settings:
        return Settings(self.secret.tags, os.environ)

    def _read(self, stage: str) -> tuple[Strategy, Secret]:
        """The value that holds a label, its fields checked, and the strategy that serves it."""
        value = self.store.read(self.secret, stage)
        strategy = self._settings.choose(self.strategies)
        self.report.strategy = strategy.name
        strategy.target.account(value)
        return strategy, value

    def _previous(self) -> Secret | None:
        """AWSPREVIOUS, read only where it is needed; None where there is none that can be read."""
        try:
            return self.store.read(self.secret, "AWSPREVIOUS")
        except (NotRotatable, MalformedSecret):
            return None


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

"""The engine: one event in, one step done.

Each step reads the secret's state anew, so it can be called again at any time, after a death at any point: createSecret
keeps a value that is there, setSecret finds out how far it came, testSecret only looks, finishSecret does one call.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from common import clock
from common.errors import BadSetting
from common.event import Event
from common.guard import Description, already_done
from common.patience import patiently
from common.rotation import Work
from common.settings import Settings
from common.store import Store
from common.strategy import SingleUser, Strategy

StrategiesFor: TypeAlias = Callable[[Description], Sequence[Strategy]]
# The label whose value says which strategy serves the secret, where that depends on a value.
_TELLING = {"createSecret": "AWSCURRENT", "setSecret": "AWSCURRENT", "testSecret": "AWSPENDING"}


@dataclass
class Report:
    """What is known of a step while it runs; the handler logs it whether the step succeeds or fails.

    case: the numbered case that applied (G3, S1, …), None for steps that have only one way. notes: what an operator
    should know of a step that succeeds. gap_milliseconds: how long a single user's new password has been stored when
    testSecret ends, which is about as long as AWSCURRENT is refused: both are two waits for Secrets Manager's next call
    """

    target: str
    strategy: str | None = None
    case: str | None = None
    notes: list[str] = field(default_factory=list)
    gap_milliseconds: int | None = None


def run_step(event: Event, store: Store, strategies_for: StrategiesFor, report: Report) -> None:
    """Do one step; RotationError where it cannot be done."""

    def look() -> tuple[Description, bool]:
        """G1 to G4: the secret, and whether the rotation is over (G3)."""
        secret = store.describe(event.secret_id)
        return secret, already_done(secret, event.token)

    secret, done = patiently(look)
    work = Work(event, store, secret, Settings(secret.tags, os.environ), report.notes)
    if done:
        report.case = "G3"
        if event.step == "finishSecret":
            try:
                _chosen(work, strategies_for(secret), report).tidy(work)
            except BadSetting as error:  # the rotation is over, and only keys that were issued leave anything to tidy
                work.note(f"Nothing was tidied: {error.what}")
        return

    def guard() -> None:
        work.still_pending()

    with clock.guarded_by(guard):
        strategy = _chosen(work, strategies_for(secret), report)
        steps = {
            "createSecret": strategy.create,
            "setSecret": strategy.set,
            "testSecret": strategy.test,
            "finishSecret": strategy.finish,
        }
        try:
            report.case = steps[event.step](work)
        finally:
            if event.step == "testSecret" and strategy.name == SingleUser.name:
                age = work.age("AWSPENDING")
                report.gap_milliseconds = None if age is None else round(age * 1000)


def _chosen(work: Work, strategies: Sequence[Strategy], report: Report) -> Strategy:
    """The strategy that serves the secret; its value is read only where that depends on it.

    For finishSecret any one will do then: they all finish alike
    """
    strategy = work.settings.choose(strategies, None)
    if strategy is None and work.event.step in _TELLING:
        strategy = work.settings.choose(strategies, work.read(_TELLING[work.event.step]))
    report.strategy = strategy.name if strategy else None
    return strategy or strategies[0]

"""When Secrets Manager rotates a secret by itself: RotationRules, the windows that they mean, and what is shown of them.

AWS's user guide ("Rotation schedules") and the API reference (RotationRulesType) say what is taken and what refused.
What they leave open is decided here:

- A window is used at its start. Where a rotation fails there, the next window tries it again, with the same token.
- A rate in hours counts from the midnight before it was set, over days: rate(10 hours) is 0, 10, 20, then 6 o'clock. A
  rate in days, like AutomaticallyAfterDays, counts whole days from the last rotation's day.
- "In hours" is a cron expression with several windows in a day.
- NextRotationDate is the last second of the next window: for a schedule in days 23:59:59, as published answers of the
  service have it ("on or before this date"); for one in hours likewise, which is unverified.
- AutomaticallyAfterDays is answered for an expression after a rotation, as the days between the next two windows, at
  least one; how the service rounds is unverified.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from testkit.simulator.cron import Cron, parse_cron

SHORTEST, LONGEST = 4, 999 * 24  # hours between rotations


@dataclass(frozen=True)
class Rate:
    """Every so many hours from a midnight on."""

    hours: int
    since: datetime


@dataclass(frozen=True)
class Days:
    """So many days after the last rotation."""

    days: int


@dataclass(frozen=True)
class Schedule:
    """A secret's schedule. rules: RotationRules as it was given. duration: hours, None to the end of the day."""

    rules: Mapping[str, Any]
    every: Rate | Days | Cron
    duration: int | None

    def next_start(self, after: float) -> float:
        """When the next window opens: seconds since the epoch, as all times here."""
        return _next(self.every, _utc(after)).timestamp()

    def last_second(self, start: float) -> float:
        """The last second of the window that opens then."""
        hours = self.duration or 24 - _utc(start).hour
        return start + hours * 3600 - 1

    def shown(self, rotated: float | None) -> dict[str, Any]:
        """RotationRules as DescribeSecret answers it. rotated: when it was last rotated."""
        if "ScheduleExpression" not in self.rules or rotated is None:
            return dict(self.rules)
        one = self.next_start(rotated)
        return {**self.rules, "AutomaticallyAfterDays": max(1, math.floor((self.next_start(one) - one) / 86400))}

    @property
    def counts_changes(self) -> bool:
        """Whether a value put by hand is as good as a rotation: only where AutomaticallyAfterDays says when."""
        return "ScheduleExpression" not in self.rules


def parse_rules(rules: Mapping[str, Any], now: float) -> Schedule:
    """RotationRules as RotateSecret takes it. ValueError, in words, where the service would refuse it."""
    expression, days = rules.get("ScheduleExpression"), rules.get("AutomaticallyAfterDays")
    if expression is not None and days is not None:
        raise ValueError(
            "You cannot specify both rotation frequency and schedule expression together."
        )  # its own words
    if expression is None and days is None:
        raise ValueError("RotationRules needs AutomaticallyAfterDays or ScheduleExpression.")
    if expression is None:
        if not 1 <= int(str(days)) <= 1000:
            raise ValueError("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
        every: Rate | Days | Cron = Days(int(str(days)))
    else:
        every = _parse_expression(str(expression), now)
    return Schedule(dict(rules), every, _duration(rules.get("Duration"), every))


def _parse_expression(expression: str, now: float) -> Rate | Days | Cron:
    rate = re.fullmatch(r"rate\((\d+) (hour|day)s?\)", expression)
    cron = re.fullmatch(r"cron\((.*)\)", expression)
    if rate is None and cron is None:
        raise ValueError("ScheduleExpression is rate(Value Unit) or cron(…).")
    every = parse_cron(cron[1]) if cron else _rate(rate, now) if rate else None
    assert every is not None
    gap, _ = _limits(every)
    if gap < SHORTEST:
        raise ValueError("A secret can be rotated every four hours at most.")
    return every


def _rate(rate: re.Match[str], now: float) -> Rate | Days:
    value, unit = int(rate[1]), rate[2]
    hours = value * (24 if unit == "day" else 1)
    if not 0 < hours <= LONGEST:
        raise ValueError("The rotation period must be positive, and 999 days at most.")
    return Days(value) if unit == "day" else Rate(value, _midnight(_utc(now)))


def _duration(given: Any, every: Rate | Days | Cron) -> int | None:
    """The window's length in hours; None where it ends with the UTC day."""
    gap, latest = _limits(every)
    if given is None:
        return 1 if isinstance(every, Rate) or (isinstance(every, Cron) and len(every.hours) > 1) else None
    match = re.fullmatch("([0-9]{1,2})h", str(given))
    hours = int(match[1]) if match else 0
    if hours < 1:
        raise ValueError("Duration is a number of hours, such as 3h, and 1h at least.")
    if hours > gap:
        raise ValueError("The rotation window must not extend into the next rotation window.")
    if latest + hours > 24:
        raise ValueError("The rotation window must not extend into the next UTC day.")
    return hours


def _limits(every: Rate | Days | Cron) -> tuple[int, int]:
    """The fewest hours between two windows, and the latest hour of a day at which one opens."""
    match every:
        case Days(days):
            return days * 24, 0
        case Rate(hours, _):
            return hours, 24 - math.gcd(hours, 24)
        case Cron():
            return every.shortest_gap(), every.hours[-1]


def _next(every: Rate | Days | Cron, after: datetime) -> datetime:
    match every:
        case Days(days):
            return _midnight(after) + timedelta(days=days)
        case Rate(hours, since):
            return since + (1 + (after - since) // timedelta(hours=hours)) * timedelta(hours=hours)
        case Cron():
            return next(every.starts(after))


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)

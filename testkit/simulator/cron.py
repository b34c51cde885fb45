"""The cron expressions of Secrets Manager: six fields, in UTC, on the hour.

As AWS's user guide has them ("Rotation schedules"): minutes are 0 and the year is `*`; hours take a number or an
increment; days and months take what the guide's table lists, and nothing else; exactly one of the two fields of days is
`?`. Days of the week count from 1, SUN. `SUNL` stands in the guide's table for the days of the month; it is taken for
those of the week too, where Quartz has it.

Our own few lines, as the libraries (cronsim, croniter) speak Unix's dialect: weekdays from 0, no `?`, no `/8`. To
translate and to refuse what Secrets Manager refuses would take more than this.
"""

import calendar
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1
    )
}
WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
# Every year is like one of these: each weekday for the first of January, with and without a leap day.
_ALL_YEARS = range(2001, 2029)


@dataclass(frozen=True)
class Cron:
    """When windows open: at these hours, on these days of these months."""

    hours: tuple[int, ...]
    months: frozenset[int]
    is_day: Callable[[date], bool]

    def has(self, day: date) -> bool:
        """Whether windows open on this day."""
        return day.month in self.months and self.is_day(day)

    def starts(self, after: datetime) -> Iterator[datetime]:
        """When windows open, later than `after`, in order."""
        for number in itertools.count():
            day = after.date() + timedelta(days=number)
            if self.has(day):
                yield from (start for start in map(_at(day), self.hours) if start > after)

    def is_yearly(self) -> bool:
        """Whether a window opens in every year, whatever its weekdays."""
        return all(any(self.has(day) for day in _days_of(year)) for year in _ALL_YEARS)

    def shortest_gap(self) -> int:
        """The fewest hours between two windows' starts; 24 and more are 24."""
        within = [later - earlier for earlier, later in itertools.pairwise(self.hours)]
        days = [day for year in _ALL_YEARS for day in _days_of(year)]
        on_successive_days = any(self.has(one) and self.has(next_one) for one, next_one in itertools.pairwise(days))
        across = [24 + self.hours[0] - self.hours[-1]] if on_successive_days else []
        return min([*within, *across, 24])


def parse_cron(fields: str) -> Cron:
    """What stands between `cron(` and `)`. ValueError, in words, where Secrets Manager would refuse it."""
    parts = fields.upper().split()
    if len(parts) != 6:
        raise ValueError("A cron expression has six fields.")
    minutes, hours, month_days, months, weekdays, year = parts
    if minutes != "0":
        raise ValueError("A cron expression must have 0 in the minutes field.")
    if year != "*":
        raise ValueError("A cron expression must have * in the year field.")
    if not re.fullmatch(r"\d+|\d*/\d+", hours):
        raise ValueError("The hours field of a cron expression is a number or an increment.")
    if (month_days == "?") == (weekdays == "?"):
        raise ValueError("One of Day-of-month and Day-of-week must be ?, and the other must not.")
    is_day = _weekday(weekdays) if month_days == "?" else _month_day(month_days)
    cron = Cron(tuple(sorted(_numbers(hours, 0, 23))), frozenset(_numbers(months, 1, 12, MONTHS)), is_day)
    if not cron.is_yearly():
        raise ValueError("Rotation schedules that are more than a year apart are not supported.")
    return cron


def _month_day(field: str) -> Callable[[date], bool]:
    """The days that the field Day-of-month means."""
    if field == "L":
        return _is_last
    if field[:-1] in WEEKDAYS and field.endswith("L"):
        return _weekday(field)
    days = _numbers(field, 1, 31)
    return lambda day: day.day in days


def _weekday(field: str) -> Callable[[date], bool]:
    """The days that the field Day-of-week means."""
    if field[:-1] in WEEKDAYS and field.endswith("L"):
        last = WEEKDAYS[field[:-1]]
        return lambda day: _number(day) == last and _is_last(day, days=7)
    if "#" in field:
        name, _, nth = field.partition("#")
        (wanted,), (count,) = _single(name, 1, 7, WEEKDAYS), _single(nth, 1, 5)
        return lambda day: _number(day) == wanted and (day.day + 6) // 7 == count
    days = {7} if field == "L" else _numbers(field, 1, 7, WEEKDAYS)
    return lambda day: _number(day) in days


def _numbers(field: str, low: int, high: int, names: Mapping[str, int] | None = None) -> set[int]:
    """The numbers that `*`, `1,4`, `1-4`, `/8`, `1/3` and `1-15/2` mean, or a ValueError."""
    return set().union(*(_item(item, low, high, names or {}) for item in field.split(",")))


def _item(item: str, low: int, high: int, names: Mapping[str, int]) -> set[int]:
    span, slash, step = item.partition("/")
    first, dash, last = span.partition("-")
    if span == "*" or (slash and not span):
        start, end = low, high
    else:
        (start,) = _single(first, low, high, names)
        (end,) = _single(last, low, high, names) if dash else {high} if slash else {start}
    if start > end:
        raise ValueError(f"{item} is a range that ends before it begins.")
    (every,) = _single(step, 1, high) if slash else {1}
    return set(range(start, end + 1, every))


def _single(word: str, low: int, high: int, names: Mapping[str, int] | None = None) -> set[int]:
    """One number or name within the field's limits."""
    number = (names or {}).get(word) or (int(word) if re.fullmatch("[0-9]+", word) else None)
    if number is None or not low <= number <= high:
        raise ValueError(f"{word or 'nothing'} is not a value from {low} to {high}.")
    return {number}


def _number(day: date) -> int:
    """The weekday as Secrets Manager counts it: SUN is 1."""
    return day.isoweekday() % 7 + 1


def _is_last(day: date, days: int = 1) -> bool:
    """Whether it is among the last days of its month."""
    return day.day > calendar.monthrange(day.year, day.month)[1] - days


def _days_of(year: int) -> Iterator[date]:
    return (date(year, 1, 1) + timedelta(days=number) for number in range(365 + calendar.isleap(year)))


def _at(day: date) -> Callable[[int], datetime]:
    return lambda hour: datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

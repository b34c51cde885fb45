"""Soak: a thousand rotations in one warm process; its memory, its files and its threads stay as they were.

A secret is rotated some dozen times before the next one comes: Secrets Manager keeps about a hundred versions of each, and a
function serves many.
"""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from testkit.crash.matrix import Scenario
from testkit.simulator import Simulator
from testkit.warm.function import WarmFunction
from testkit.warm.usage import Usage
from tests.figures import measured, part_or_whole
from tests.proof.rotating import rotating, warm
from tests.scenarios import SCENARIOS


@dataclass(frozen=True)
class Plan:
    """How many rotations.

    warm: after how many all is there that is loaded once: code, pools, the allocator's arenas
    of_one: of each secret. every: between two samples. rest: seconds that a thread may take to end before one
    """

    rotations: int
    warm: int
    of_one: int
    every: int
    rest: float = 10


PART, WHOLE = Plan(40, 12, 20, 4), Plan(1000, 100, 50, 25)
# KiB that the process may grow once it is warm, and in the second half of that time. Real ones grow by 140 to 330 and by 10 to 110 in a
# thousand rotations, by 80 to 250 and 30 to 90 in the forty of `make test`. A leak grows as much in the second half as in the first:
# 150 bytes a call are found in a thousand rotations, of four calls each, and 5 KiB in forty.
GROWTH, LATE = 1024, 256
# `make test` soaks each server by one strategy, `make proof` by all.
SOAKED = [
    "redshift, alternating-users",
    "mysql, dual-password",
    "postgres, alternating-users",
    "mariadb, alternating-users",
    "documentdb, alternating-users",
    "api_key, issued, ntfy",
    "api_key, chosen, RabbitMQ",
]


@dataclass
class Soak:
    """What was seen: {rotations made: what the process held then}, and the seconds that the rotations took."""

    plan: Plan
    samples: dict[int, Usage] = field(default_factory=dict)
    seconds: float = 0

    @property
    def settled(self) -> list[Usage]:
        """From when it was warm."""
        return [sample for number, sample in self.samples.items() if number >= self.plan.warm]

    @property
    def grown(self) -> int:
        """KiB that its memory has grown since it was warm."""
        return self.settled[-1].memory - self.settled[0].memory

    @property
    def grown_late(self) -> int:
        """KiB of that in the second half, when nothing is new any more."""
        return self.settled[-1].memory - self.settled[len(self.settled) // 2].memory

    def leaks(self) -> Iterator[str]:
        """What did not stay as it was, in words."""
        for what in ("files", "sockets", "threads"):
            seen = sorted({getattr(sample, what) for sample in self.settled})
            if len(seen) > 1:
                yield f"{seen[0]} to {seen[-1]} {what}"
        if self.grown > GROWTH:
            yield f"{self.grown} KiB more memory"
        if self.grown_late > LATE:
            yield f"{self.grown_late} KiB more memory in the second half"

    def figures(self) -> dict[str, object]:
        """As they are published."""
        samples, last = list(self.samples.values()), self.settled[-1]
        return {
            "seconds": round(self.seconds, 1),
            "milliseconds_a_rotation": round(self.seconds / self.plan.rotations * 1000),
            "memory_warm_kib": self.settled[0].memory,
            "memory_end_kib": last.memory,
            "memory_grown_kib": self.grown,
            "memory_grown_late_kib": self.grown_late,
            "files": last.files,
            "sockets": last.sockets,
            "threads": last.threads,
            "sample_rotations": list(self.samples),
            "sample_memory_kib": [sample.memory for sample in samples],
            "sample_files": [sample.files for sample in samples],
            "sample_threads": [sample.threads for sample in samples],
            "broken": list(self.leaks()),
        }


def soak(scenario: Scenario, aws: Simulator, function: WarmFunction, plan: Plan) -> Soak:
    """Rotate one secret after the other, and look at the function's process in between."""
    seen = Soak(plan)
    for first in range(0, plan.rotations, plan.of_one):
        with rotating(scenario, aws, function) as secret:
            for number in range(first + 1, first + plan.of_one + 1):
                rotation = secret.rotate()
                assert rotation.succeeded, rotation.error
                assert len(rotation.runs) == 4
                seen.seconds += sum(run.invocation.seconds for run in rotation.runs if run.invocation)
                if number % plan.every == 0:
                    seen.samples[number] = at_rest(function, plan.rest)
            assert secret.works()
        for record in (aws.calls, aws.rotations, aws.events):
            record.clear()
    return seen


def at_rest(function: WarmFunction, seconds: float) -> Usage:
    """What it holds when threads that were told to end have ended: PyMongo's sleep half a second between two looks."""
    end = time.monotonic() + seconds
    while (held := function.usage).threads > 1 and time.monotonic() < end:
        time.sleep(0.05)
    return held


@pytest.mark.parametrize("scenario", part_or_whole(SOAKED, list(SCENARIOS)), indirect=True)
def test_a_warm_process_stays_as_it_is(scenario: Scenario, aws: Simulator) -> None:
    """However many rotations it has made: the same files, sockets and threads, and no more memory."""
    plan = part_or_whole(PART, WHOLE)
    with measured("soak", scenario.name, rotations=plan.rotations, warm_after_rotations=plan.warm) as figures:
        with warm(scenario, aws) as function:
            seen = soak(scenario, aws, function, plan)
        figures.update(seen.figures())
        assert list(seen.leaks()) == []


@pytest.mark.parametrize("scenario", ["postgres, single-user"], indirect=True)
def test_leaks_are_seen(scenario: Scenario, aws: Simulator) -> None:
    """A function that keeps a file, a thread and 64 KiB of each call is found out by all three."""
    plan = dataclasses.replace(PART, every=PART.warm, rest=0)
    with warm(dataclasses.replace(scenario, handler="tests.proof.leaky:handler"), aws) as function:
        files, threads, memory, late = soak(scenario, aws, function, plan).leaks()
    assert files.endswith("files")
    assert threads.endswith("threads")
    assert memory.endswith("KiB more memory")
    assert late.endswith("KiB more memory in the second half")


@pytest.mark.parametrize("scenario", ["postgres, single-user"], indirect=True)
def test_a_slow_leak_is_seen(scenario: Scenario, aws: Simulator) -> None:
    """Two KiB of each call, in a tenth of the rotations that `make proof` makes: its own would show ten times as much."""
    plan = dataclasses.replace(PART, rotations=WHOLE.rotations // 10, of_one=WHOLE.of_one, every=4)
    with warm(dataclasses.replace(scenario, handler="tests.proof.leaky:slowly"), aws) as function:
        seen = soak(scenario, aws, function, plan)
    assert [leak for leak in seen.leaks() if leak.endswith("KiB more memory in the second half")], seen.grown_late

"""Chaos, by seed: whatever happens to a rotation, in whatever order, every promise holds.

A failure prints what happened, as short as hypothesis can make it, with its seed: CHAOS_SEED=… repeats the run
(CHAOS_EXAMPLES=… makes it longer). The happenings that it prints are Python: a defect's become a test of its own below.
"""

import os
import secrets
import threading
import time
import zlib

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from testkit.crash.matrix import Scenario, Value
from testkit.faults import SLOW, Fault
from tests.figures import part_or_whole, publish
from tests.proof.chaos.bench import Bench, bench
from tests.proof.chaos.events import AGAIN, GRANT, PENDING_OFF, Do, Happening, Rotate, Trouble, happenings
from tests.proof.chaos.story import begun, play
from tests.scenarios import SCENARIOS
from tests.scenarios.api_key import KeyServiceSubject

# What `make test` plays, and how many examples of it; `make proof` plays them all.
PART = {
    "redshift, alternating-users": 3,
    "mysql, alternating-users": 6,
    "postgres, alternating-users": 8,
    "mariadb, alternating-users": 6,
    "documentdb, alternating-users": 6,
    "mysql, dual-password": 8,
    "postgres, single-user": 8,
    "api_key, issued, ntfy": 5,
    "api_key, issued, key service": 8,
}
FEWER = {"redshift, alternating-users": 20}
MANY = 45


@pytest.mark.parametrize("scenario", part_or_whole(list(PART), list(SCENARIOS)), indirect=True)
def test_no_chance_breaks_a_promise(scenario: Scenario) -> None:
    """Rotations, retries, faults, operators, in an order that chance draws; the promises after every step."""
    drawn = part_or_whole(zlib.crc32(scenario.name.encode()), secrets.randbelow(2**32))
    examples = part_or_whole(PART.get(scenario.name, 0), FEWER.get(scenario.name, MANY))
    number = int(os.environ.get("CHAOS_SEED", drawn))
    started = time.monotonic()
    with bench(scenario) as on:
        by_chance(on, number, int(os.environ.get("CHAOS_EXAMPLES", examples)))
        figures = {**on.totals, "faults": on.totals["faults"] + on.faults.struck}
    seconds = round(time.monotonic() - started)
    publish("chaos", scenario.name, **figures, broken=0, seed=str(number), seconds=seconds)


def by_chance(on: Bench, number: int, examples: int) -> None:
    """So many examples, drawn from this seed, over the messages that a calm rotation sends."""
    with begun(on) as calm:
        calm.end_well()
        assert not calm.broken, calm.broken

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @seed(number)
    @given(happenings(calm.sent, rights=calm.watch.right is not None and on.scenario.always_works))
    def run(what: list[Happening]) -> None:
        on.totals["examples"] += 1
        on.totals["events"] += len(what) + sum(len(one.troubles) for one in what if isinstance(one, Rotate))
        play(on, what)

    try:
        run()
    except BaseException as error:
        error.add_note(f"{on.scenario.name}: CHAOS_SEED={number} CHAOS_EXAMPLES={examples}")
        raise


@pytest.mark.parametrize(
    ("scenario", "function", "what", "found"),
    [
        # It does not look at versions without a label, as AWS's do not: abandoned once, it is locked out.
        (
            "postgres, single-user",
            "broken",
            [Rotate((Trouble("testSecret", PENDING_OFF),))],
            r"a calm rotation fails: .* \[no-login-works\]",
        ),
        # It promotes what was never set: no later rotation is needed to see it.
        ("postgres, single-user", "broken_promotion", [], r"AWSCURRENT is refused after finishSecret"),
        # Where finishSecret comes twice it revokes AWSPREVIOUS's key.
        (
            "api_key, issued, key service",
            "broken_tidy",
            [Rotate((Trouble("finishSecret", AGAIN),))],
            r"AWSPREVIOUS is refused before the next rotation may end it",
        ),
        # It changes the password, and says that it failed: the service's next try is the one that ends well.
        ("postgres, single-user", "broken_first_try", [], r"a calm rotation needs 6 steps"),
        # The clone gets what the base has once, when it is made.
        (
            "mysql, alternating-users",
            "broken_clone",
            [Rotate(), Rotate(), Do(GRANT)],
            r"AWSCURRENT lacks what the base was granted",
        ),
    ],
    indirect=["scenario"],
)
def test_chaos_finds_what_is_broken(scenario: Scenario, function: str, what: list[Happening], found: str) -> None:
    """A function that breaks one promise does not get through a story that the true one gets through."""
    broken = pytest.raises(AssertionError, match=f"BROKEN: {found}")
    with bench(scenario, f"tests.proof.chaos.{function}:handler") as on, broken:
        play(on, what)
    with bench(scenario) as on:
        play(on, what)


@pytest.mark.parametrize("scenario", ["api_key, issued, key service"], indirect=True)
@pytest.mark.parametrize("thread", ["_rotate", "<lambda>"])  # Secrets Manager's, where steps are called, and a proxy's
def test_an_error_of_the_run_breaks_the_story(scenario: Scenario, thread: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever thread it is raised, hypothesis hears of it, with what has happened so far."""
    accepts = KeyServiceSubject.accepts

    def sometimes(self: KeyServiceSubject, value: Value) -> bool:
        if thread in threading.current_thread().name:
            raise ConnectionResetError("planted")
        return accepts(self, value)

    monkeypatch.setattr(KeyServiceSubject, "accepts", sometimes)
    told = (
        r"(?s)finishSecret.*BROKEN: a look at the promises fails: ConnectionResetError: planted \(test_chaos.py:\d+\)"
    )
    with bench(scenario) as on, pytest.raises(AssertionError, match=told):
        play(on, [Rotate((Trouble("finishSecret", Fault("Secrets Manager", 1, SLOW)),))])

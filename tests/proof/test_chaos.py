"""Chaos, by seed: whatever happens to a rotation, in whatever order, every promise holds.

A failure prints what happened, as short as hypothesis can make it, and the command that draws the same again, which needs
the seed and the number of examples: CHAOS_SEED=… CHAOS_EXAMPLES=…. The happenings that it prints are Python: a defect's become a test of its own below.
"""

import os
import re
import secrets
import threading
import time
import zlib

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from testkit.crash.matrix import Scenario, Value
from testkit.faults import SLOW, Fault
from tests.figures import measured, part_or_whole
from tests.proof.chaos.bench import Bench, bench
from tests.proof.chaos.events import (
    AGAIN,
    GRANT,
    PENDING_OFF,
    SHUT_DOWN,
    Happening,
    Rotate,
    Trouble,
    happenings,
    messages_of,
)
from tests.proof.chaos.story import begun, play
from tests.scenarios import SCENARIOS
from tests.scenarios.api_key import KeyServiceSubject
from tests.scenarios.mysql import MySqlSubject

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
WAVERS = 2  # messages that a step may send more than events.py has it: how TLS cuts them wavers


@pytest.mark.parametrize("scenario", part_or_whole(list(PART), list(SCENARIOS)), indirect=True)
def test_no_chance_breaks_a_promise(scenario: Scenario) -> None:
    """Rotations, retries, faults, operators, in an order that chance draws; the promises after every step."""
    drawn = part_or_whole(zlib.crc32(scenario.name.encode()), secrets.randbelow(2**32))
    examples = part_or_whole(PART.get(scenario.name, 0), FEWER.get(scenario.name, MANY))
    number = int(os.environ.get("CHAOS_SEED", drawn))
    examples = int(os.environ.get("CHAOS_EXAMPLES", examples))
    with measured("chaos", scenario.name, seed=str(number), examples=examples) as figures, bench(scenario) as on:
        started = time.monotonic()
        try:
            by_chance(on, number, examples)
        finally:
            seconds = round(time.monotonic() - started)
            figures.update(on.totals, faults=on.totals["faults"] + on.faults.struck, seconds=seconds)
        figures["broken"] = 0


def by_chance(on: Bench, number: int, examples: int) -> None:
    """So many examples, drawn from this seed."""
    messages = messages_of(on.scenario.name)
    with begun(on) as calm:
        calm.end_well()
        calm.happen(Rotate())
        assert not calm.broken, calm.broken
        never = {point: sent for point, sent in calm.sent.items() if sent > messages.get(point, -WAVERS) + WAVERS}
        assert not never, f"Faults would not be drawn at all of these messages: {never}"
        rights = calm.watch.right is not None and on.scenario.always_works

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @seed(number)
    @given(happenings(messages, rights=rights))
    def run(what: list[Happening]) -> None:
        on.totals["played"] += 1
        on.totals["events"] += len(what) + sum(len(one.troubles) for one in what if isinstance(one, Rotate))
        play(on, what)

    try:
        run()
    except BaseException as error:
        error.add_note(_again(on.scenario.name, number, examples))
        raise


def _again(scenario: str, number: int, examples: int) -> str:
    """The command that repeats the run: hypothesis draws otherwise where it is to draw another number of examples."""
    drawn = f"CHAOS_SEED={number} CHAOS_EXAMPLES={examples}"
    chosen = f"tests/proof/test_chaos.py -k 'no_chance and {' and '.join(re.findall('[a-z0-9]+', scenario.lower()))}'"
    return f'{drawn} make proof ARGS="{chosen}"'


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
            [Rotate(), Rotate((Trouble("testSecret", GRANT),))],
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


@pytest.mark.parametrize(
    ("scenario", "message"), [("mysql, dual-password", 12), ("mariadb, alternating-users", 20)], indirect=["scenario"]
)
def test_the_server_restarts_while_the_function_waits(scenario: Scenario, message: int) -> None:
    """It is shut down and started again, which no cut line is: what it knew of logins in memory is gone."""
    with bench(scenario) as on:
        begun_at = time.time()
        play(on, [Rotate((Trouble("setSecret", Fault("the server", message, SHUT_DOWN)),)), Rotate()])
        assert on.totals["restarts"] == 1
        with begun(on) as story:
            assert isinstance(story.watch.subject, MySqlSubject)
            ((_, up),) = story.watch.subject.server.run("SHOW STATUS LIKE 'Uptime'")
            assert int(up) <= time.time() - begun_at

"""Under load: clients log in without pause while the secret rotates; who is refused, and for how long."""

import statistics
import time
from collections.abc import Sequence

import pytest

from testkit.crash.matrix import Scenario
from testkit.load.clients import application, probe
from testkit.load.gaps import gap, refused_outside
from testkit.simulator import Rotation, Simulator
from testkit.simulator.calls import REGION
from tests.figures import measured, part_or_whole
from tests.proof.crowd import BREATH, crowd, wait
from tests.proof.rotating import Rotating, rotating, warm
from tests.scenarios import WITH_A_GAP, WITHOUT_A_GAP

ROTATIONS = part_or_whole(5, 200)
WITH_APPLICATION = part_or_whole(2, 40)  # rotations that wait for its cache: up to a second each
RECOVERIES = part_or_whole(1, 8)  # of an application with a single user: AWS's library sleeps up to 5 s before each
ABANDONED = part_or_whole(1, 20)
HOUR = 3600  # the age of a cache, in AWS's library

# `make test` takes some, `make proof` all.
GAPLESS = part_or_whole(
    ["postgres, alternating-users", "mysql, dual-password", "documentdb, alternating-users", "api_key, issued, ntfy"],
    WITHOUT_A_GAP,
)
SINGLE = part_or_whole(
    ["postgres, single-user", "api_key, chosen, RabbitMQ"],
    WITH_A_GAP,
)


def rotate(secret: Rotating) -> Rotation:
    """One rotation, which succeeds at its first try; then AWSCURRENT logs in."""
    rotation = secret.rotate()
    assert rotation.succeeded, rotation.error
    assert len(rotation.runs) == 4
    assert secret.works()
    return rotation


def in_ms(seconds: Sequence[float]) -> list[int]:
    """Rounded."""
    return [round(one * 1000) for one in seconds]


def function_ms(rotations: Sequence[Rotation]) -> int:
    """What the four steps of a rotation take the function, in the median."""
    times = [sum(run.invocation.seconds for run in rotation.runs if run.invocation) for rotation in rotations]
    return round(statistics.median(times) * 1000)


@pytest.mark.parametrize("scenario", GAPLESS, indirect=True)
def test_nobody_is_refused(scenario: Scenario, aws: Simulator) -> None:
    """AWSCURRENT works at every instant, and what was AWSCURRENT until the next rotation's setSecret begins."""
    with measured("load", scenario.name) as figures:
        assert scenario.always_works
        started, left = time.monotonic(), {}
        with warm(scenario, aws) as function, rotating(scenario, aws, function) as secret, crowd(secret) as clients:
            for number in range(ROTATIONS):
                before = secret.text()
                rotate(secret)
                left[before] = time.time()
                if number + 1 == WITH_APPLICATION:
                    clients.send_home()
            clients.let_go()
        with_previous = [one for one in clients.laggard.logins if one.text in left and one.read > left[one.text]]
        refused = {name: client.failed for name, client in clients.clients.items()}
        broken = [f"the {name} was refused {number} times" for name, number in refused.items() if number]
        figures.update(
            rotations=ROTATIONS,
            rotations_with_application=WITH_APPLICATION,
            seconds=round(time.monotonic() - started, 1),
            function_ms_median=function_ms(aws.rotations),
            logins=sum(len(client.logins) for client in clients.clients.values()),
            refused=sum(refused.values()),
            refused_stale=refused["laggard"],
            **{f"{name}_logins": len(client.logins) for name, client in clients.clients.items()},
            **{f"{name}_refused": number for name, number in refused.items()},
            laggard_logins_with_previous=len(with_previous),
            laggard_at_the_last_moment=clients.late,
            broken=broken,
        )
        assert clients.errors() == []
        assert broken == []
        # All were put to the test: in each rotation, the laggard at the last moment.
        assert clients.late == ROTATIONS
        assert len(with_previous) >= ROTATIONS
        values = clients.values()
        assert values["probe"] == values["laggard"] == ROTATIONS + 1
        assert values["application"] >= WITH_APPLICATION


@pytest.mark.parametrize("scenario", ["postgres, alternating-users", "mysql, dual-password"], indirect=True)
def test_who_is_staler_than_promised_is_refused(scenario: Scenario, aws: Simulator) -> None:
    """The limit is one: whoever lets go only when setSecret is over is refused, each time, and is seen."""
    with warm(scenario, aws) as function, rotating(scenario, aws, function) as secret, crowd(secret) as clients:
        clients.send_home()
        clients.until = "testSecret"
        for _ in range(3):
            rotate(secret)
    assert clients.errors() == []
    assert clients.late == 2
    assert clients.laggard.failed >= clients.late
    assert clients.probe.failed == 0


@pytest.mark.parametrize("scenario", SINGLE, indirect=True)
def test_the_gap(scenario: Scenario, aws: Simulator) -> None:
    """With a single user AWSCURRENT is refused between setSecret and finishSecret, and at no other time."""
    with measured("load", scenario.name) as figures:
        started = time.monotonic()
        with warm(scenario, aws) as function, rotating(scenario, aws, function) as secret:
            clients = [aws.client(region_name=REGION) for _ in range(2)]
            fresh = probe(clients[0], secret.arn, secret.log_in)
            cached = application(clients[1], secret.arn, secret.log_in, cache_seconds=HOUR, breath=BREATH)
            try:
                wait(lambda: fresh.works and cached.works, "Not both log in.", fresh, cached)
                for number in range(ROTATIONS):
                    if number == RECOVERIES:
                        cached.stop()
                    rotate(secret)
                    wait(fresh.once_more(), "The probe logs in no more.", fresh)
                    if number < RECOVERIES:
                        current = secret.text()
                        wait(
                            lambda text=current: cached.works and cached.logins[-1].text == text,  # type: ignore[misc]
                            "The application does not recover.",
                            cached,
                        )
            finally:
                fresh.stop()
                cached.stop()
        gaps = [gap(fresh, rotation) for rotation in aws.rotations]
        outside = refused_outside(fresh, aws.rotations)
        broken = [f"AWSCURRENT was refused {outside} times outside of the gap"] if outside else []
        seen = sorted(one for one in gaps if one)
        assert seen, "the probe has not met the gap of any rotation"
        figures.update(
            rotations=ROTATIONS,
            rotations_with_application=RECOVERIES,
            seconds=round(time.monotonic() - started, 1),
            function_ms_median=function_ms(aws.rotations),
            logins=len(fresh.logins) + len(cached.logins),
            refused=fresh.failed + cached.failed,
            probe_logins=len(fresh.logins),
            probe_refused=fresh.failed,
            probe_refused_outside_the_gap=outside,
            application_logins=len(cached.logins),
            application_refused=cached.failed,
            application_recovery_ms=in_ms([gap(cached, rotation) for rotation in aws.rotations[:RECOVERIES]]),
            gaps_seen=len(seen),
            gap_median_ms=round(statistics.median(seen) * 1000),
            gap_p95_ms=round(seen[int(0.95 * (len(seen) - 1))] * 1000),
            gap_worst_ms=round(seen[-1] * 1000),
            gaps_ms=in_ms(gaps),
            broken=broken,
        )
        assert (fresh.error, cached.error) == (None, None)
        assert broken == []
        assert cached.failed >= RECOVERIES


@pytest.mark.parametrize("scenario", SINGLE, indirect=True)
def test_an_abandoned_rotation_is_healed_by_the_next(scenario: Scenario, aws: Simulator) -> None:
    """Given up between setSecret and testSecret, AWSCURRENT is refused; the next rotation finds what was left (S4)."""
    with measured("recovery", scenario.name) as figures:
        recoveries, abandon = [], False

        def before_step() -> None:
            if abandon and [run.step for run in aws.rotations[-1].runs][-1:] == ["setSecret"]:
                aws.client().cancel_rotate_secret(SecretId=secret.arn)

        with warm(scenario, aws) as function, rotating(scenario, aws, function) as secret:
            rotate(secret)
            aws.pause = before_step
            for _ in range(ABANDONED):
                abandon = True
                given_up = secret.rotate()
                assert (given_up.succeeded, len(given_up.runs)) == (False, 2)
                assert not secret.works()
                aws.client().update_secret_version_stage(
                    SecretId=secret.arn, VersionStage="AWSPENDING", RemoveFromVersionId=given_up.token
                )
                abandon = False
                started = time.monotonic()
                healed = rotate(secret)
                recoveries.append(time.monotonic() - started)
                assert healed.case("setSecret") in ("S4", "S4b")  # b: by the admin
            aws.pause = lambda: None
        figures.update(
            abandoned=ABANDONED,
            healed=len(recoveries),
            recovery_median_ms=round(statistics.median(recoveries) * 1000),
            recovery_worst_ms=round(max(recoveries) * 1000),
            recovery_ms=in_ms(recoveries),
        )

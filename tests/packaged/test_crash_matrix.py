"""The crash matrix of the artifacts: killed under Lambda's own emulator, which starts their runtime anew."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from testkit.crash.matrix import RECOVERIES, Recovery, Scenario, Starter, Which
from testkit.emulator import EmulatedFunction, emulated_function, find_emulator
from tests.figures import part_or_whole
from tests.needed import no_server
from tests.packaged.conftest import FUNCTIONS
from tests.proof.covered import covered

# A cell takes a runtime's cold start, or two: `make test` runs a few of each scenario, others with each recovery.
EVERY = part_or_whole(25, 1)
ROTATIONS: tuple[Which, ...] = part_or_whole(("first",), ("first", "second"))


@pytest.fixture
def started(built_local: Path, runtime: Path, tmp_path: Path) -> Starter:
    """A scenario's artifact under the emulator; with the scenario's provider files, where it has some."""
    if find_emulator() is None:
        no_server("Lambda's runtime interface emulator runs on Linux only")

    @contextmanager
    def start(scenario: Scenario, environment: Mapping[str, str]) -> Iterator[EmulatedFunction]:
        rotator = scenario.handler.split(".")[-2]
        artifact, handler = built_local / FUNCTIONS[rotator], f"rotators.{rotator}.app.handler"
        if providers := environment.get("PROVIDERS"):
            artifact = shutil.copytree(artifact, tmp_path / "artifact")
            shutil.copytree(providers, artifact / "rotators" / rotator / "providers", dirs_exist_ok=True)
        with emulated_function(artifact, handler, runtime, timeout=30, **environment) as function:
            yield function

    return start


@pytest.mark.parametrize("recovery", RECOVERIES)
@pytest.mark.parametrize("which", ROTATIONS)
def test_no_death_loses_anything(scenario: Scenario, which: Which, recovery: Recovery, started: Starter) -> None:
    """As the same matrix by the source: nothing is lost, nothing is left over."""
    covered(scenario, which, recovery, EVERY, start=started)

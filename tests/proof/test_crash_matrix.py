"""The crash matrix: every target by every strategy, every message, every moment, every recovery."""

from collections.abc import Callable

import pytest

from testkit.crash.matrix import RECOVERIES, Recovery, Scenario, Which
from tests.figures import part_or_whole
from tests.proof.covered import covered
from tests.scenarios import LIMITED

# `make test` runs every cell of the first rotation, and each 25th of the second, others with each recovery.
ROTATIONS: dict[Which, int] = {"first": 1, "second": part_or_whole(25, 1)}
Note = Callable[[str, object], None]


@pytest.mark.parametrize("recovery", RECOVERIES)
@pytest.mark.parametrize("which", ROTATIONS)
def test_no_death_loses_anything(scenario: Scenario, which: Which, recovery: Recovery, record_property: Note) -> None:
    """AWSCURRENT logs in, its rights are no fewer, one version is current, no credential is orphaned."""
    run(scenario, which, recovery, ROTATIONS[which], record_property)


@pytest.mark.parametrize("recovery", ["again", "anew"])
@pytest.mark.parametrize("scenario", LIMITED, indirect=True)
def test_no_death_at_the_limit_of_keys_loses_anything(
    scenario: Scenario, recovery: Recovery, record_property: Note
) -> None:
    """K4: the second rotation has to make room first. A value put by hand there may need an operator, as its error says."""
    run(scenario, "second", recovery, 1, record_property)


def run(scenario: Scenario, which: Which, recovery: Recovery, every: int, record_property: Note) -> None:
    """A part of the matrix, which the summary counts."""
    found = covered(scenario, which, recovery, every, note=lambda one: record_property("covered", vars(one)))
    assert found.messages > 20

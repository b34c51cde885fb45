"""The crash matrix: every target by every strategy, every message, every moment, every recovery."""

from collections.abc import Callable

import pytest

from testkit.crash.matrix import RECOVERIES, Recovery, Scenario, Which, run_matrix
from tests.figures import measured, part_or_whole

# `make test` runs every cell of the first rotation, and each 25th of the second, others with each recovery.
ROTATIONS: dict[Which, int] = {"first": 1, "second": part_or_whole(25, 1)}


@pytest.mark.parametrize("recovery", RECOVERIES)
@pytest.mark.parametrize("which", ROTATIONS)
def test_no_death_loses_anything(
    scenario: Scenario, which: Which, recovery: Recovery, record_property: Callable[[str, object], None]
) -> None:
    """AWSCURRENT logs in, its rights are no fewer, one version is current, no credential is orphaned."""
    name = f"forked, {scenario.name}, {which}, {recovery}"
    with measured("matrix", name, name=scenario.name, function="forked") as figures:
        covered = run_matrix(scenario, which, recovery, every=ROTATIONS[which])
        record_property("covered", vars(covered))
        figures.update(vars(covered))
        assert not covered.broken, "\n".join(covered.broken)
        assert covered.cells >= covered.all_cells // ROTATIONS[which] > 0
        assert covered.messages > 20

"""A part of the crash matrix, run and published."""

from collections.abc import Callable

from testkit.crash.matrix import Coverage, Recovery, Scenario, Starter, Which, forked, run_matrix
from tests.figures import measured


def covered(
    scenario: Scenario,
    which: Which,
    recovery: Recovery,
    every: int,
    *,
    start: Starter = forked,
    note: Callable[[Coverage], None] = lambda _: None,
) -> Coverage:
    """Nothing is broken, and as many cells were run as were asked for. note: is told before that is looked at."""
    function = "forked" if start is forked else "packaged"
    name = f"{function}, {scenario.name}, {which}, {recovery}"
    with measured("matrix", name, name=scenario.name, function=function) as figures:
        found = run_matrix(scenario, which, recovery, start=start, every=every)
        note(found)
        figures.update(vars(found))
        assert not found.broken, "\n".join(found.broken)
        assert found.cells >= found.all_cells // every > 0
    return found

"""Every state that rotations with faults can reach, for each strategy; and what the documented limits cost."""

import time

import pytest

from testkit.explorer import KINDS, Search, explore
from testkit.explorer.world import Kind
from tests.figures import measured, part_or_whole


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_state_breaks_a_promise(kind: Kind) -> None:
    """Three rotations: deaths, hung deliveries, lost answers, reads that lag, policies, people; all schedules of one or two."""
    search = Search(kind, rotations=3, faults=part_or_whole(1, 2))
    searched("all schedules", search)


@pytest.mark.parametrize("name", ["single-user", "dual-password"])
def test_no_state_of_one_rotation_breaks_a_promise(name: str) -> None:
    """Three faults in one rotation, where they fit: the strategies whose steps are short."""
    searched("one rotation", Search(KINDS[name], rotations=1, faults=part_or_whole(1, 3)))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_beyond_the_limits_the_next_rotation_recovers(kind: Kind) -> None:
    """A delivery that stalls between its guard and its change, a label moved in that moment: it passes, by the docs' remedies.

    With two faults in three rotations at the limit of keys it need not: an operator goes back to the key that a stalled K4 is
    about to revoke, and the next K4 revokes the other one. The only key that works is then in the hands of that createSecret
    """
    faults = part_or_whole(1, 2)
    rotations = 2 if (kind.name, faults) == ("issued-key, two keys at most", 2) else 3
    search = Search(kind, rotations, faults, beyond=True)
    searched("beyond the limits", search)


def searched(name: str, search: Search) -> None:
    """Search, publish how much that was, and complain."""
    began = time.process_time()
    limits = {"strategy": search.kind.name, "schedules": name, "rotations": search.rotations, "faults": search.faults}
    with measured("explorer", f"{search.kind.name}, {name}", **limits) as figures:
        found = explore(search)
        seconds = round(time.process_time() - began, 1)
        figures.update(states=found.states, inner=found.inner, calls=found.calls, seconds=seconds)
        figures["broken"] = [found.complaint.splitlines()[-1]] if found.complaint else []
        assert found.complaint is None, found.complaint
        assert found.states > 100

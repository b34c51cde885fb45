"""Every state that a rotation can reach, by the real engine and strategies on a world in memory.

    found = explore(SINGLE_USER, rotations=2, faults=2)
    found.states, found.steps, found.complaint

The world is small: one secret, one server with one user (or a pair), and Secrets Manager's rules for versions and labels
(testkit.simulator's own). One step of a rotation is one call of the engine; each call that it makes to Secrets Manager or
the server may be where the function dies (before or after it), where an answer is lost, where the same step is delivered a
second time meanwhile, where the server's policy refuses; between steps an operator may act. States are remembered, so each
is gone on from once, and the search is by breadth: the trace that it prints is a shortest one.
"""

from testkit.explorer.explore import Found, explore
from testkit.explorer.world import ALTERNATING_USERS, DUAL_PASSWORD, ISSUED_KEY, SINGLE_USER, Kind

__all__ = ["ALTERNATING_USERS", "DUAL_PASSWORD", "ISSUED_KEY", "SINGLE_USER", "Found", "Kind", "explore"]

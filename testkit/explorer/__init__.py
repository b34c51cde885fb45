"""Every state that a rotation can reach, by the real engine and strategies on a world in memory."""

from testkit.explorer.explore import Found, explore
from testkit.explorer.kinds import KINDS
from testkit.explorer.moment import Search
from testkit.explorer.world import Kind

__all__ = ["KINDS", "Found", "Kind", "Search", "explore"]

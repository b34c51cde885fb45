"""Each target with each of its strategies."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.crash.matrix import Scenario
from tests.scenarios import SCENARIOS


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scenario]:
    """What is rotated."""
    with SCENARIOS[request.param](request.getfixturevalue, tmp_path) as found:
        yield found

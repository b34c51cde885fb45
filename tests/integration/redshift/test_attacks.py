"""Who may write a secret's value gains nothing by it, on Redshift."""

from typing import Any

import pytest

from tests.integration.attacks import AttackKit
from tests.integration.redshift.world import World


class TestAttacks(AttackKit):
    """What every target withstands."""

    @pytest.fixture
    def pair(self, pair: World) -> World:
        """On the stand-in."""
        return pair

    def other_admin(self, pair: Any) -> dict[str, object]:
        value: dict[str, object] = pair.server.secret("awsuser", pair.server.password)
        return value

    def superuser(self) -> str:
        return "awsuser"

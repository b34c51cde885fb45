"""K1 to K4: keys issued without orphans, and never one revoked that a staged version holds."""

from tests.integration.api_key.world import KeyWorld


def test_rotations(keys: KeyWorld) -> None:
    """Overlap, then revocation: AWSPREVIOUS works until the next finishSecret, the hand-made key is gone after the second."""
    first = keys.value()["key"]
    for number in range(4):
        keys.rotated()
        assert keys.works()
        assert keys.works("AWSPREVIOUS")
        assert keys.live() == keys.held()
        assert len(keys.live()) == 2
        assert (first in keys.live()) == (number == 0)
        assert keys.value()["note"] == "kept"


def test_budget(keys: KeyWorld) -> None:
    """13 calls of Secrets Manager at most, and one issue, check, list, revoke."""
    keys.rotated()
    keys.rotated()
    keys.rotated()
    assert len(keys.aws.calls_by("keyturn")) == 13
    assert sorted(keys.asked()) == ["check", "issue", "list", "revoke"]


def test_budget_with_an_admin(admins: KeyWorld) -> None:
    """15, and a check wherever the admin's key acts (W7)."""
    for _ in range(3):
        admins.rotated()
        assert admins.works()
        assert admins.works("AWSPREVIOUS")
    assert len(admins.aws.calls_by("keyturn")) == 15
    assert sorted(admins.asked()) == ["check", "check", "check", "issue", "list", "revoke"]

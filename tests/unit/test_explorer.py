"""Every state of three rotations with two faults, for each strategy; and that a broken engine is found."""

import pytest

from common.event import Event
from common.rotation import Rotation
from common.secret import Secret
from testkit.explorer import ALTERNATING_USERS, DUAL_PASSWORD, ISSUED_KEY, SINGLE_USER, Kind, explore
from testkit.explorer import world as worlds

KINDS = {kind.name: kind for kind in (SINGLE_USER, ALTERNATING_USERS, DUAL_PASSWORD, ISSUED_KEY)}


def test_an_orphan_of_a_version_whose_key_was_put_by_hand_too() -> None:
    """It took three faults: a key that was never stored outlived the next rotation, as its version's own key was held."""
    found = explore(ISSUED_KEY, rotations=3, faults=3)
    assert found.complaint is None, found.complaint


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_state_breaks_a_promise(kind: Kind) -> None:
    """Deaths before and after each call, lost answers, a second delivery, policies, operators; all schedules."""
    found = explore(kind, rotations=3, faults=2)
    assert found.complaint is None, found.complaint
    assert found.states > 500
    assert found.steps > 2500


def test_without_old_versions_an_abandoned_rotation_locks_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS's templates do: without S4 it is found, by the shortest way there is."""
    monkeypatch.setattr(Rotation, "_unlabelled", lambda _: [])
    complaint = str(explore(SINGLE_USER, rotations=3, faults=2).complaint)
    *way, last = complaint.splitlines()
    assert way == [
        "RotateSecret", "createSecret", "setSecret", "an operator takes AWSPENDING off", "RotateSecret", "createSecret",
    ]  # fmt: skip
    assert last.startswith("setSecret, without any fault, fails: ")
    assert last.endswith("[no-login-works]")


def test_a_naive_retain_drops_awscurrent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that retains its primary password, whoever comes: two deliveries are enough."""

    def retain(self: worlds.Server, login: Secret, pending: Secret) -> None:
        self._change(login, pending, lambda user, new: worlds.User(new, user.primary))

    monkeypatch.setattr(worlds.Server, "retain_password", retain)
    complaint = str(explore(DUAL_PASSWORD, rotations=2, faults=1).complaint)
    assert complaint.splitlines()[-1] == "setSecret (twice at call 1): AWSCURRENT is refused"


def test_a_create_secret_that_overwrites_loses_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """PutSecretValue refuses another value under the same token: a service that did not would lock a user out."""
    real = worlds.Store.stage

    def stage(self: worlds.Store, event: Event, pending: Secret) -> bool:
        kept = [one for one in self.world.state.versions if one.id != event.token]
        self.world.put(versions=(*kept, worlds.Version(event.token, None, frozenset({"AWSPENDING"}))))
        return real(self, event, pending)

    monkeypatch.setattr(worlds.Store, "stage", stage)
    assert "no version of the secret logs in" in str(explore(SINGLE_USER, rotations=1, faults=1).complaint)


def test_a_set_secret_that_does_nothing_is_found_by_test_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any fault."""
    monkeypatch.setattr("common.chosen_password.ChoosesPassword.set", lambda *_: None)
    found = explore(SINGLE_USER, rotations=1, faults=0)
    assert "testSecret, without any fault, fails: " in str(found.complaint)

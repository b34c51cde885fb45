"""The explorer finds what is broken, each by the shortest way, and nothing in what is not."""

from dataclasses import replace

import pytest

from common import clock
from common.errors import NotRotatable
from common.event import STEPS, Event
from common.issued_key import IssuedKey
from common.rotation import Rotation, Work
from common.secret import Secret
from testkit.explorer import KINDS, Search, explore
from testkit.explorer.acts import TAKE_OFF
from testkit.explorer.delivery import Delivery, go_on
from testkit.explorer.faults import HANGS, Fault
from testkit.explorer.memory import in_memory
from testkit.explorer.moment import Moment, rotated
from testkit.explorer.server import Server
from testkit.explorer.store import Store, version_id
from testkit.explorer.world import State, User, Version, World


def complaint(name: str, rotations: int, faults: int) -> list[str]:
    """The broken promise that is found, and the way there."""
    return str(explore(Search(KINDS[name], rotations, faults)).complaint).splitlines()


def test_two_faults_in_one_rotation_break_no_promise() -> None:
    """Such as S6: a policy that refuses after an answer was lost. tests/proof has every strategy, and more rotations."""
    found = explore(Search(KINDS["single-user"], rotations=1, faults=2))
    assert found.complaint is None, found.complaint
    assert found.states > 1000


def test_each_instant_before_a_call_is_a_state_once() -> None:
    """One calm rotation: as many as it makes calls; whole second deliveries before each of them lead to no state twice."""
    kind = KINDS["single-user"]
    with in_memory():
        began = rotated(Moment(kind.first, None, "", 0, 0))[1]
        world, calls = World(kind, began.state), 0
        for step in STEPS:
            delivery = Delivery(world, step, began.token)
            assert delivery.run() is None
            calls += len(delivery.calls)
    assert len(world.instants) == explore(Search(kind, rotations=1, faults=0)).inner == calls
    assert calls < explore(Search(kind, rotations=1, faults=1)).inner < 100 * calls


def test_without_old_versions_an_abandoned_rotation_locks_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS's templates do: without S4 it is found, by the shortest way there is."""
    monkeypatch.setattr(Rotation, "_unlabelled", lambda _: [])
    *way, last = complaint("single-user", 3, 1)
    meanwhile = (
        "setSecret: an operator puts AWSCURRENT's value again before call 5, the server: app's password is changed"
    )
    assert way == ["RotateSecret", "createSecret", meanwhile, "RotateSecret", "createSecret"]
    assert last.startswith("setSecret, without any fault, fails: ")
    assert last.endswith("[no-login-works]")


def test_an_admin_without_old_versions_locks_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where no user may change itself; without the tag that lets the admin reset what nobody knows (S5)."""
    monkeypatch.setattr(Rotation, "_unlabelled", lambda _: [])
    assert "[no-login-works]" in complaint("single-user, by an admin, without the tag", 3, 1)[-1]


def test_a_password_that_nobody_holds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """For an instant, by the admin; or for good, as a second one."""
    reset, change = Server.reset_password, Server.change_password

    def by_way_of_another(self: Server, admin: Secret, pending: Secret, proven: str | None = None) -> None:
        reset(self, admin, pending.with_fields("another", password="*nobodys"), proven)
        reset(self, admin, pending, proven)

    def with_another(self: Server, login: Secret, pending: Secret) -> None:
        change(self, login, pending)
        world = self.delivery.world
        user = dict(world.state.users)[login.text("username")]
        world.state = world.state.with_user(login.text("username"), replace(user, second="*nobodys"))

    monkeypatch.setattr(Server, "reset_password", by_way_of_another)
    assert "no version of the secret logs in" in complaint("single-user, by an admin", 1, 0)[-1]
    monkeypatch.setattr(Server, "change_password", with_another)
    assert "leaves 1 passwords that nobody holds" in complaint("single-user", 1, 0)[-1]


def test_a_clone_with_fewer_rights_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its login is not enough."""

    def ready(self: Server, name: str) -> None:
        self.delivery.world.state = self.delivery.world.state.with_user(name, User("*locked", rights="less"))

    monkeypatch.setattr(Server, "_ready", ready)
    assert complaint("alternating-users", 1, 0)[-1].endswith(": AWSCURRENT is refused")


def test_a_sweep_before_the_promotion_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody takes AWSPENDING off in that moment: its key is revoked, and AWSCURRENT moves to it."""
    finish = IssuedKey.finish

    def sweeps_first(self: IssuedKey, work: Work) -> str:
        self._sweep(work, work.read("AWSCURRENT"), None)
        return finish(self, work)

    monkeypatch.setattr(IssuedKey, "finish", sweeps_first)
    monkeypatch.setattr("common.issued_key._still_current", lambda work: work.store.describe(work.secret.arn))
    assert "AWSCURRENT is refused" in complaint("issued-key", 2, 1)[-1]


def test_a_version_that_was_set_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A4: a history refuses the password that an earlier try has set."""

    def gives_up(_: Server, rotation: Rotation) -> bool:
        rotation.give_up_pending()
        return False

    monkeypatch.setattr("common.strategy.accepted_already", gives_up)
    assert "[password-refused]" in complaint("alternating-users, under a password history", 1, 1)[-1]


def test_a_read_that_lags_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once is no reason to fail."""
    monkeypatch.setattr("common.patience.LAG_PAUSES", ())
    last = complaint("single-user", 1, 1)[-1]
    assert last.startswith("createSecret: reads as of before the last write, once, call 1, ")
    assert last.endswith("[version-unknown]")


def test_a_naive_retain_drops_awscurrent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that retains its primary password, whoever comes: two deliveries are enough."""

    def retain(self: Server, login: Secret, pending: Secret) -> None:
        self._log_in(login)
        self._change(login, lambda user: User(pending.text("password"), user.primary))

    monkeypatch.setattr(Server, "retain_password", retain)
    last = complaint("dual-password", 2, 1)[-1]
    assert last.startswith("setSecret: ")
    assert last.endswith(": AWSCURRENT is refused")


def test_a_create_secret_that_overwrites_loses_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """PutSecretValue refuses another value under the same token: a service that did not would lock a user out."""
    real = Store.stage

    def stage(self: Store, event: Event, pending: Secret) -> bool:
        world = self.delivery.world
        world.write(world.state.now.with_version(Version(event.token, None, frozenset({"AWSPENDING"}))))
        return real(self, event, pending)

    monkeypatch.setattr(Store, "stage", stage)
    assert "no version of the secret logs in" in complaint("single-user", 1, 1)[-1]


def test_a_set_secret_that_does_nothing_is_found_by_test_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any fault."""
    monkeypatch.setattr("common.chosen_password.ChoosesPassword.set", lambda *_: None)
    assert "testSecret, without any fault, fails: " in complaint("single-user", 1, 0)[-1]


def test_a_late_delivery_that_does_not_guard_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setSecret that hung changes the password that the next rotation has made AWSCURRENT's."""
    monkeypatch.setattr(clock, "GUARD_AGAIN", 1_000_000.0)
    found = complaint("alternating-users", 3, 2)
    assert any("hangs before" in line for line in found)
    assert any("that hung goes on" in line for line in found)


def test_a_create_secret_that_hung_takes_nothing_from_the_next_rotation() -> None:
    """The explorer found it: a value that was stored late took AWSPENDING from the version that was being rotated."""
    state = late("createSecret", call=3, before=())
    assert state.now.pending(version_id(2))


def test_a_finish_secret_that_hung_does_not_promote_in_the_next_rotation() -> None:
    """The explorer found it: AWSCURRENT went to a version whose user the next rotation was about to change."""
    state = late("finishSecret", call=2, before=("createSecret", "setSecret", "testSecret"))
    current = state.holder("AWSCURRENT")
    assert current is not None
    assert current.id == version_id(0)


def late(step: str, *, call: int, before: tuple[str, ...]) -> State:
    """A step hangs before this call, the rotation is given up, another one begins, and the step goes on."""
    kind = KINDS["alternating-users"]
    with in_memory():
        began = rotated(Moment(kind.first, None, "", 0, 0))[1]
        world = World(kind, began.state)
        for earlier in before:
            assert Delivery(world, earlier, began.token).run() is None
        assert Delivery(world, step, began.token, (Fault(call, HANGS),)).run() == "gone"
        world.state = TAKE_OFF.do(world.state) or world.state
        world.state = rotated(replace(began, state=world.state, step=None))[1].state
        assert isinstance(go_on(world, world.state.hung[0]).run(), NotRotatable)
    return world.state


def test_a_set_secret_that_guesses_where_a_read_lags_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes a pending value that does not show yet for one that is missing, and makes another password."""

    def read(self: Work, stage: str) -> Secret:
        try:
            return self.store.read_version(self.secret.arn, self.secret.require_version(stage), stage)
        except NotRotatable:
            return self.read("AWSCURRENT").with_fields("guessed", password="*guessed")

    monkeypatch.setattr(Work, "read", read)
    last = complaint("single-user", 2, 1)[-1]
    assert last.startswith("setSecret: reads as of before the last write")
    assert last.endswith("no version of the secret logs in")

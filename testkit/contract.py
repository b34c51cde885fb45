"""The contract kit: what every target must do, as test classes that a target's test inherits, one for each ability.

    class TestPostgres(ChangesPasswordContract, ClonesUsersContract):
        @pytest.fixture
        def bench(self, …) -> Bench: …

The nasty inputs are inside, so that no author forgets them. The kit is run on a fake target too
(tests/unit/test_contract.py), so that it is known to hold for more than one.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest

from common import clock
from common.errors import ChangeRefused, LoginRejected, MalformedSecret, PolicyRefused, TargetError
from common.secret import Secret
from common.target import Authority, ChangesPassword, ClonesUsers, IssuesKeys, Pair, Proven, Target

NASTY_NAMES = ["plain", "UPPER", "with blank", 'double"quote', "single'quote", "per%cent %s", "back\\slash", "ünïcødé"]
NASTY_PASSWORDS = ["'", '"', "\\", "%s", " leading and trailing ", "é", "e\u0301", "🔑", "a=b host=x", "x" * 99]


class Bench(Protocol):
    """A server for a target's contract, and how a user gets onto it."""

    @property
    def target(self) -> Target:
        """The target whose contract it is."""
        ...

    def user(self, name: str, password: str) -> Secret:
        """A new user; the secret that logs in as it. It is gone when the test is over."""
        ...


class AdminBench(Bench, Protocol):
    """A bench whose server has an admin."""

    @property
    def admin(self) -> Secret:
        """The admin's secret; it may make users, and has made those of `user`."""
        ...

    def rights(self, login: Secret) -> object:
        """What this login may do, in any form that can be compared; more than nothing for a user of `user`."""
        ...

    def give_more(self, login: Secret) -> None:
        """Give this user a right that those of `user` have not."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such a user."""
        ...


class IssuingBench(Protocol):
    """A service for the contract of a target that issues keys."""

    @property
    def target(self) -> IssuesKeys:
        """The target whose contract it is."""
        ...

    def account(self) -> tuple[Secret, Authority]:
        """A new account: the value that logs in by its first key, and who may issue keys for it. It is gone after the test."""
        ...


class TargetContract:
    """What every target does."""

    def test_check_takes_the_right_password(self, bench: Bench) -> None:
        """And only that."""
        login = bench.user("plain", "right-password")
        bench.target.check(login)
        with pytest.raises(LoginRejected):
            bench.target.check(login.with_fields("x", password="wrong-password"))

    def test_an_unknown_user_is_rejected(self, bench: Bench) -> None:
        """Rejected, not unavailable: the next credential may do."""
        login = bench.user("plain", "right-password")
        with pytest.raises(LoginRejected):
            bench.target.check(login.with_fields("x", username="nobody-of-this-name"))

    @pytest.mark.parametrize("name", NASTY_NAMES)
    def test_names_of_every_kind(self, bench: Bench, name: str) -> None:
        """Quotes, blanks, per cent signs, Unicode."""
        bench.target.check(bench.user(name, "right-password"))

    @pytest.mark.parametrize("field", ["engine", "host", "username", "password"])
    @pytest.mark.parametrize("value", [None, "", 7, ["x"], "a\0b"])
    def test_a_malformed_field_is_named(self, bench: Bench, field: str, value: object) -> None:
        """Before any connection; its value is not shown."""
        login = bench.user("plain", "right-password").with_fields("the version", **{field: value})
        with pytest.raises(MalformedSecret, match=f"'{field}' of the version"):
            bench.target.account(login)

    def test_a_server_that_is_not_there_is_no_rejection(self, bench: Bench) -> None:
        """Stop, do not try the next credential; host and port are named."""
        login = bench.user("plain", "right-password").with_fields("x", port=1)
        with pytest.raises(TargetError, match=":1") as error:
            bench.target.check(login)
        assert not isinstance(error.value, LoginRejected)

    def test_errors_carry_no_password(self, bench: Bench) -> None:
        """Whatever went wrong."""
        login = bench.user("plain", "right-password").with_fields("x", password="canary-PASSWORD")
        with pytest.raises(TargetError) as error:
            bench.target.check(login)
        assert "canary" not in f"{error.value} {error.value!r}"
        assert error.value.__cause__ is None


class ChangesPasswordContract(TargetContract):
    """What a target does whose users change their passwords."""

    @pytest.fixture
    def changes(self, bench: Bench) -> ChangesPassword:
        """The bench's target, by this ability."""
        target: ChangesPassword = bench.target  # type: ignore[assignment]  # whoever inherits this has it
        return target

    @pytest.mark.parametrize("password", NASTY_PASSWORDS)
    def test_passwords_of_every_kind(self, bench: Bench, changes: ChangesPassword, password: str) -> None:
        """The new one logs in, the old one does not; or, where the server has rules, it is refused before any change."""
        old = bench.user("plain", "Old-password-1")
        new = old.with_fields("new", password=password)
        try:
            changes.change_password(old, new)
        except PolicyRefused:
            assert not changes.password_policy.allows(password)
            changes.check(old)
            return
        changes.check(new)
        with pytest.raises(LoginRejected):
            changes.check(old)

    def test_the_second_time_is_rejected(self, bench: Bench, changes: ChangesPassword) -> None:
        """The login's password is gone: that is how a strategy learns that it was done."""
        old = bench.user("plain", "Old-password-1")
        new = old.with_fields("new", password="New-password-1")
        changes.change_password(old, new)
        with pytest.raises(LoginRejected):
            changes.change_password(old, new)
        changes.check(new)

    def test_the_same_password_again(self, bench: Bench, changes: ChangesPassword) -> None:
        """Is no error."""
        old = bench.user("plain", "Old-password-1")
        changes.change_password(old, old)
        changes.check(old)

    def test_nobody_else_is_changed(self, bench: Bench, changes: ChangesPassword) -> None:
        """Whatever the name."""
        other = bench.user("other", "others-password")
        old = bench.user("plain", "Old-password-1")
        changes.change_password(old, old.with_fields("new", password="New-password-1"))
        changes.check(other)

    def test_the_guard_stands_between_login_and_change(self, bench: Bench, changes: ChangesPassword) -> None:
        """Where the guard says no, nothing is changed; and it is asked after the login, not before."""
        old = bench.user("plain", "Old-password-1")
        _assert_guarded(lambda: changes.change_password(old, old.with_fields("new", password="New-password-1")))
        changes.check(old)
        asked = _guard_calls(lambda: changes.change_password(old.with_fields("x", password="wrong"), old))
        assert asked == 0, "a login that is rejected comes before the guard"

    def test_made_passwords_are_taken(self, bench: Bench, changes: ChangesPassword) -> None:
        """The policy that the target names is one that its server takes."""
        policy = changes.password_policy
        old = bench.user("plain", "Old-password-1")
        for length in (policy.shortest, policy.longest):
            new = old.with_fields("new", password=("aB3-" * length)[:length])
            changes.change_password(old, new)
            old = new


class ResetsPasswordContract:
    """What a target does whose admin sets passwords."""

    def test_reset(self, bench: AdminBench, changes: ChangesPassword) -> None:
        """Without the old one, as often as wanted."""
        pending = bench.user("plain", "Old-password-1").with_fields("new", password="New-password-1")
        for _ in range(2):
            changes.reset_password(bench.admin, pending)
            changes.check(pending)

    def test_never_the_admin_itself(self, bench: AdminBench, changes: ChangesPassword) -> None:
        """W5."""
        with pytest.raises(ChangeRefused):
            changes.reset_password(bench.admin, bench.admin.with_fields("x", password="New-password-1"))
        changes.check(bench.admin)

    def test_a_missing_user_is_not_made(self, bench: AdminBench, changes: ChangesPassword) -> None:
        """W5: it is refused."""
        pending = bench.admin.with_fields("x", username="nobody_there", password="New-password-1")
        with pytest.raises(ChangeRefused):
            changes.reset_password(bench.admin, pending)
        assert not bench.exists("nobody_there")

    def test_reset_is_guarded(self, bench: AdminBench, changes: ChangesPassword) -> None:
        """As every change."""
        old = bench.user("plain", "Old-password-1")
        _assert_guarded(lambda: changes.reset_password(bench.admin, old.with_fields("new", password="New-password-1")))
        changes.check(old)


class ClonesUsersContract(ResetsPasswordContract):
    """What a target does whose users alternate."""

    @pytest.fixture
    def clones(self, bench: Bench) -> ClonesUsers:
        """The bench's target, by this ability."""
        target: ClonesUsers = bench.target  # type: ignore[assignment]  # whoever inherits this has it
        return target

    @pytest.mark.parametrize("name", NASTY_NAMES)
    def test_turn_by_turn(self, bench: AdminBench, clones: ClonesUsers, name: str) -> None:
        """Each turn twice (a retry): pending logs in with the same rights, current goes on to log in."""
        current = bench.user(name, "Password-0")
        pair, rights = Pair.of(name), bench.rights(current)
        for number in range(1, 5):
            user = pair.other(current.text("username"))
            pending = current.with_fields("pending", username=user, password=f"Password-{number}")
            proven = Proven(clones.check(current))
            for _ in range(2):
                clones.alternate(bench.admin, current, pending, pair, proven)
                clones.check_alternate(pending, pair)
                assert bench.rights(pending) == rights
                clones.check(current)
            current = pending

    def test_a_clone_cannot_log_in_before_it_is_ready(self, bench: AdminBench, clones: ClonesUsers) -> None:
        """Where the guard stops the turn, there is no clone that logs in."""
        current = bench.user("plain", "Password-0")
        pair = Pair.of("plain")
        pending = current.with_fields("pending", username=pair.clone, password="Password-1")
        proven = Proven(clones.check(current))
        _assert_guarded(lambda: clones.alternate(bench.admin, current, pending, pair, proven))
        with pytest.raises(LoginRejected):
            clones.check(pending)

    def test_an_unrelated_user_is_not_taken_over(self, bench: AdminBench, clones: ClonesUsers) -> None:
        """W5, where something would be gained by it: its password, and its being there, are as they were."""
        unrelated = bench.user("plain_clone", "its-own-password")
        bench.give_more(unrelated)
        current = bench.user("plain", "Password-0")
        pending = current.with_fields("pending", username="plain_clone", password="Password-1")
        with pytest.raises(ChangeRefused):  # TakeoverRefused, or for what it holds
            clones.alternate(bench.admin, current, pending, Pair.of("plain"), Proven(clones.check(current)))
        clones.check(unrelated)

    def test_the_admin_is_never_the_other_user(self, bench: AdminBench, clones: ClonesUsers) -> None:
        """W5."""
        name = bench.admin.text("username")
        current = bench.admin.with_fields("x", username=f"{name}_clone", password="x")
        own = clones.check(bench.admin)
        with pytest.raises(ChangeRefused):
            clones.alternate(bench.admin, current, bench.admin, Pair.of(name), Proven(own, own))
        clones.check(bench.admin)

    def test_two_turns_at_once(self, bench: AdminBench, clones: ClonesUsers) -> None:
        """Two deliveries of one step: whichever comes last, pending logs in; none is a refusal."""
        current = bench.user("plain", "Password-0")
        pair = Pair.of("plain")
        pending = current.with_fields("pending", username=pair.clone, password="Password-1")
        proven = Proven(clones.check(current))
        errors: list[TargetError] = []

        def turn() -> None:
            try:
                clones.alternate(bench.admin, current, pending, pair, proven)
            except TargetError as error:
                errors.append(error)

        threads = [threading.Thread(target=turn) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not [error for error in errors if isinstance(error, ChangeRefused | LoginRejected)]
        clones.check_alternate(pending, pair)


class IssuesKeysContract:
    """What a target does whose service issues keys."""

    @pytest.fixture
    def issued(self, bench: IssuingBench) -> tuple[Secret, Authority, Secret]:
        """The first value, who may issue, and the value of a key that was issued."""
        first, by = bench.account()
        return first, by, first.with_fields("issued", **bench.target.issue_key(by, "keyturn-contract"))

    def test_both_keys_work(self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]) -> None:
        """And no other; whose they are is the same."""
        first, _, new = issued
        assert bench.target.check(first) == bench.target.check(new)
        (field, *_) = bench.target.credential
        with pytest.raises(LoginRejected):
            bench.target.check(new.with_fields("x", **{field: f"{new.text(field)[:-3]}xyz"}))

    def test_each_call_issues_another(self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]) -> None:
        """With the same label too: a retry cannot know."""
        first, by, new = issued
        again = first.with_fields("again", **bench.target.issue_key(by, "keyturn-contract"))
        ids = [bench.target.key_id(value) for value in (new, again)]
        assert len(set(ids)) == 2
        listed = {key.id: key.label for key in bench.target.keys(by)}
        assert [listed[str(key_id)] for key_id in ids] == ["keyturn-contract"] * 2

    def test_a_value_without_a_key(self, bench: IssuingBench) -> None:
        """Records none."""
        assert bench.target.key_id(Secret({"host": "x"}, "x")) is None

    def test_an_id_is_proven_or_not_known(self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]) -> None:
        """Never another one's."""
        for value in (issued[0], issued[2]):
            assert bench.target.proven_key_id(value) in (None, bench.target.key_id(value))

    def test_revoked(self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]) -> None:
        """That key, and no other; twice is no error."""
        first, by, new = issued
        key_id = bench.target.key_id(new)
        assert key_id
        for _ in range(2):
            bench.target.revoke_key(by, key_id)
            with pytest.raises(LoginRejected):
                bench.target.check(new)
        bench.target.check(first)
        assert key_id not in {key.id for key in bench.target.keys(by)}

    def test_another_account_is_not_touched(
        self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]
    ) -> None:
        """Nor seen."""
        first, by = bench.account()
        assert bench.target.key_id(issued[2]) not in {key.id for key in bench.target.keys(by)}
        bench.target.issue_key(issued[1], "keyturn-contract")
        bench.target.check(first)

    def test_issue_and_revoke_are_guarded(self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]) -> None:
        """Where the guard says no, nothing is issued and nothing revoked."""
        _, by, new = issued
        before = {key.id for key in bench.target.keys(by)}
        _assert_guarded(lambda: bench.target.issue_key(by, "keyturn-contract"))
        _assert_guarded(lambda: bench.target.revoke_key(by, str(bench.target.key_id(new))))
        assert {key.id for key in bench.target.keys(by)} == before

    def test_a_key_hides_itself(self, bench: IssuingBench, issued: tuple[Secret, Authority, Secret]) -> None:
        """In what is listed, as its id may be the key; and in an error."""
        _, by, new = issued
        values = [new.text(field) for field in bench.target.credential]
        assert not [value for value in values for key in bench.target.keys(by) if value in repr(key)]
        bench.target.revoke_key(by, str(bench.target.key_id(new)))
        with pytest.raises(LoginRejected) as error:
            bench.target.check(new)
        assert not [value for value in values if value in f"{error.value} {error.value!r}"]
        assert error.value.__cause__ is None


class _SaysNo(Exception):
    pass


def _assert_guarded(change: Callable[[], object]) -> None:
    """The change asks the guard, and does not happen where that raises."""

    def no() -> None:
        raise _SaysNo

    with _long_under_way(), clock.guarded_by(no), pytest.raises(_SaysNo):
        change()


def _guard_calls(change: Callable[[], object]) -> int:
    """How often the change asks the guard."""
    asked: list[float] = []
    with _long_under_way(), clock.guarded_by(lambda: asked.append(time.monotonic())), pytest.raises(LoginRejected):
        change()
    return len(asked)


@contextmanager
def _long_under_way() -> Iterator[None]:
    """A step that is under way for so long that it guards again."""
    kept, clock.GUARD_AGAIN = clock.GUARD_AGAIN, -1.0
    try:
        with clock.until_timeout(60):
            yield
    finally:
        clock.GUARD_AGAIN = kept

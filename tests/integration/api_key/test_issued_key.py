"""K1 to K4: keys issued without orphans, and never one revoked that a staged version holds."""

import json
import threading
from dataclasses import replace

import pytest

from common.holdings import label_of
from testkit.keyservice import LOST, Fault, Reply, Rules, refused, slow, too_many
from tests.integration.api_key.world import KeyWorld
from tests.integration.test_recovery import denied


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
    """13 calls of Secrets Manager at most, and one issue, check, list, revoke; K3's rotation costs no more, but one check."""
    for calls, asked in ((12, 0), (13, 2), (13, 1)):
        rotation = keys.rotated()
        assert len(keys.aws.calls_by("keyturn")) == calls
        assert [rotation.case(step) for step in ("createSecret", "finishSecret")] == ["K1", "K2"]
        checks = ["check"] * (asked or 1)
        assert sorted(keys.asked()) == [*checks, "issue", "list", *(["revoke"] if asked else [])]


def test_budget_with_an_admin(admins: KeyWorld) -> None:
    """15, and a check wherever the admin's key acts (W7)."""
    for _ in range(3):
        admins.rotated()
        assert admins.works()
        assert admins.works("AWSPREVIOUS")
    assert len(admins.aws.calls_by("keyturn")) == 15
    assert sorted(admins.asked()) == ["check", "check", "check", "issue", "list", "revoke"]


def test_test_secret_alone(keys: KeyWorld) -> None:
    """RotateImmediately=false: current's copy is checked, nothing is issued."""
    keys.aws.calls.clear()
    rotation = keys.aws.rotate(keys.arn, RotationLambdaARN=keys.function.arn, RotateImmediately=False)
    assert rotation.succeeded
    assert [request.operation for request in keys.service.requests] == ["check"]


class TestK1:
    """createSecret issues once, and stores."""

    @pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_k1_a_death_around_each_step(self, keys: KeyWorld, step: str, when: str) -> None:
        """The retry issues no second key; no orphan is left."""
        keys.rotated()
        keys.dies(step, when)
        keys.rotated()
        assert keys.asked().count("issue") == 1
        assert keys.live() == keys.held()

    def test_k1_the_answer_to_issue_is_lost(self, keys: KeyWorld) -> None:
        """A key that nobody knows: the retry issues another one, K2 finds the first by its label."""
        keys.service.next("issue", LOST)
        keys.rotated()
        assert keys.asked().count("issue") == 2
        assert keys.live() == keys.held()

    def test_k1_storing_fails(self, keys: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        """The key that could not be stored is swept in the end, also if that rotation is given up."""
        monkeypatch.setattr(keys.aws, "tries", 1)
        keys.service.next("check", *[refused(500)] * 2)
        assert not keys.rotate().succeeded
        keys.take_pending_off()
        assert len(keys.labelled()) == 1
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k1_two_deliveries_at_once(self, keys: KeyWorld) -> None:
        """One stores its key, the other one revokes its own; the rotation goes on."""
        keys.rotated()
        keys.service.always("issue", slow(after=0.3))
        handler = keys.handler

        def twice(event: dict[str, str], context: object) -> None:
            if event["Step"] == "createSecret":
                other = threading.Thread(target=handler, args=(event, context))
                other.start()
                handler(event, context)
                other.join()
            else:
                handler(event, context)

        keys.function = keys.aws.add_function("twice", twice)
        keys.rotated()
        assert keys.asked().count("issue") == 2
        assert keys.works()
        assert keys.live() == keys.held()

    def test_k1_a_value_that_is_there_stays(self, keys: KeyWorld) -> None:
        """Somebody has staged one: it is judged before AWSCURRENT moves (G5), and no key is issued for it."""
        keys.rotated()
        value = json.dumps({**keys.value(), "host": "127.0.0.1"})
        keys.client.put_secret_value(
            SecretId=keys.arn, SecretString=value, VersionStages=["AWSPENDING"], ClientRequestToken="f" * 32
        )
        with pytest.raises(keys.client.exceptions.InvalidRequestException):
            keys.rotate()
        keys.aws.wait()
        assert not keys.aws.rotations[-1].succeeded
        assert "issue" not in keys.asked()
        assert keys.works()

    def test_k1_unavailable(self, keys: KeyWorld) -> None:
        """429, then it works: one key."""
        keys.service.next("issue", too_many(1))
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k1_a_key_that_works_late(self, keys: KeyWorld) -> None:
        """A service that knows its own new key only after a moment."""
        keys.service.rules = Rules(unready_requests=2)
        keys.rotated()
        assert keys.works()

    def test_k1_a_service_that_answers_with_the_old_key(self, keys: KeyWorld) -> None:
        """Is told, and not promoted."""
        old = keys.value()
        answer = Reply(201, {"id": old["key_id"], "key": old["key"]})
        keys.service.always("issue", Fault(acts=False, reply=answer))
        keys.refused("key-not-new")
        assert keys.works()


@pytest.mark.parametrize("stale", [1, 2, 3])
def test_reads_that_lag_behind(keys: KeyWorld, stale: int) -> None:
    """Labels and values one step old: looked at again, also after AWSCURRENT has moved."""
    keys.rotated()
    keys.aws.stale_reads, keys.aws.tries = stale, 1
    keys.rotated()
    keys.rotated()
    keys.aws.stale_reads = 0
    assert keys.works()
    assert keys.live() == keys.held()


class TestK2:
    """finishSecret sweeps what no staged version holds."""

    @pytest.mark.parametrize("operation", ["list", "revoke"])
    def test_k2_the_sweep_fails_after_the_label_moved(self, keys: KeyWorld, operation: str) -> None:
        """AWSCURRENT has moved and works; the service's next try sweeps (G3)."""
        keys.rotated()
        keys.service.next(operation, refused(400))  # type: ignore[arg-type]
        rotation = keys.rotated()
        assert rotation.case("finishSecret") == "G3"
        assert keys.live() == keys.held()

    def test_k2_the_sweep_never_comes(self, keys: KeyWorld) -> None:
        """The next rotation does it, for the key that was made by hand too (K3)."""
        keys.rotated()
        keys.aws.tries = 1
        keys.service.next("list", refused(400))
        assert not keys.rotate().succeeded
        assert keys.works()
        assert len(keys.live()) == 3
        keys.aws.tries = 3
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k2_a_list_that_lags_behind(self, keys: KeyWorld) -> None:
        """It shows neither what was just issued nor what was just revoked: nothing that is held goes, no orphan stays long."""
        keys.service.rules = Rules(lag_requests=1)
        for _ in range(5):
            keys.rotated()
            assert keys.works()
            assert keys.works("AWSPREVIOUS")
            assert keys.live() >= keys.held()
            assert len(keys.live()) <= 3
        keys.service.rules = Rules()
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k2_a_revoked_key_is_no_error(self, keys: KeyWorld) -> None:
        """The service lists it still; its revocation answers as the file says."""
        keys.rotated()
        keys.rotated()
        keys.service.rules = Rules(lag_seconds=60)
        keys.service.revoke(keys.value("AWSPREVIOUS")["key_id"])
        keys.rotated()
        assert keys.works()

    def test_k2_an_orphan_whose_version_lost_its_label_to_a_copy(self, keys: KeyWorld) -> None:
        """Its version's own key is held on, by a version put by hand with the same value: that does not spare the orphan."""
        keys.rotated()
        orphan = keys.service.issue("app", label_of(keys.arn, keys.version("AWSCURRENT")))
        keys.put()
        assert orphan.key in keys.live()
        keys.rotated()
        assert orphan.key not in keys.live()
        assert keys.works()
        assert keys.works("AWSPREVIOUS")

    def test_k2_another_secrets_keys_on_one_account(self, keys: KeyWorld) -> None:
        """Never touched, by label or by value."""
        made = keys.service.issue("app", None)
        other = keys.create_secret(keys.service.secret(made.key, key_id=made.id))
        for _ in range(3):
            keys.rotated()
            keys.rotated(other)
            held = keys.held() | {keys.value(stage, other)["key"] for stage in ("AWSCURRENT", "AWSPREVIOUS")}
            assert held <= keys.live()
        assert keys.live() == held

    def test_k2_somebody_elses_key(self, keys: KeyWorld) -> None:
        """With a label of its own, or none: stays."""
        labels = (
            None,
            "backup job",
            "keyturn-",
            "keyturn-x-y",
            label_of(keys.arn, "short"),
            label_of(keys.arn, "x" * 65),
        )
        theirs = {keys.service.issue("app", label).key for label in labels}
        for _ in range(3):
            keys.rotated()
        assert keys.live() == keys.held() | theirs

    def test_k2_a_sweep_while_the_next_rotation_issues(self, keys: KeyWorld) -> None:
        """A late finishSecret of the rotation before: the key that is about to be stored stays."""
        keys.rotated()
        done = keys.event("finishSecret", keys.version("AWSCURRENT"))
        keys.service.next("issue", slow(after=1))
        handler, sweeps = keys.handler, list[threading.Thread]()

        def sweeping(event: dict[str, str], context: object) -> None:
            if event["Step"] == "createSecret":
                sweeps.append(threading.Timer(0.4, handler, (done, context)))
                sweeps[-1].start()
            handler(event, context)

        keys.function = keys.aws.add_function("sweeping", sweeping)
        rotation = keys.rotated()
        sweeps[-1].join()
        assert keys.asked()[:2] == ["issue", "list"], "the sweep comes before the key is stored"
        assert [run.attempt for run in rotation.runs] == [1, 1, 1, 1]
        assert keys.live() == keys.held()

    def test_k2_an_edit_by_hand(self, keys: KeyWorld) -> None:
        """The same key in a new version, with another field: it is held, whatever its label says."""
        for _ in range(3):
            keys.rotated()
            keys.put(note="edited")
            assert keys.works()
        held = keys.value()["key"]
        keys.rotated()
        assert held in keys.live()
        assert keys.value("AWSPREVIOUS")["key"] == held
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k2_an_edit_that_spoils_the_id(self, keys: KeyWorld) -> None:
        """The same key under another id: it is not revoked while a staged version holds it."""
        keys.rotated()
        keys.put(key_id="k999")
        held = keys.value()["key"]
        keys.rotated()
        assert held in keys.live()
        keys.rotated()
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k2_an_edit_that_removes_the_id(self, keys: KeyWorld) -> None:
        """Nobody knows what that version holds: nothing is revoked while it is staged, and the log says so."""
        keys.rotated()
        value = {name: what for name, what in keys.value().items() if name != "key_id"}
        keys.client.put_secret_value(SecretId=keys.arn, SecretString=json.dumps(value))
        rotation = keys.rotated()
        assert "does not say which key it holds" in rotation.log
        assert value["key"] in keys.live()
        keys.rotated()
        keys.rotated()
        assert keys.live() == keys.held()

    def test_k2_rolled_back_to_the_previous_version(self, keys: KeyWorld) -> None:
        """Its key is current's, and stays; the one that was rolled back from goes."""
        keys.rotated()
        keys.rotated()
        new, old = keys.version("AWSCURRENT"), keys.version("AWSPREVIOUS")
        back = keys.value("AWSPREVIOUS")["key"]
        move = keys.client.update_secret_version_stage
        move(SecretId=keys.arn, VersionStage="AWSPENDING", RemoveFromVersionId=new)
        move(SecretId=keys.arn, VersionStage="AWSCURRENT", RemoveFromVersionId=new, MoveToVersionId=old)
        for _ in range(2):
            assert keys.value()["key"] in keys.live()
            keys.rotated()
            assert keys.live() == keys.held()
        assert back not in keys.live()

    def test_k2_a_label_of_the_operators_own(self, keys: KeyWorld) -> None:
        """Any staged version's key is held."""
        keys.rotated()
        version = keys.version("AWSCURRENT")
        keys.client.update_secret_version_stage(SecretId=keys.arn, VersionStage="BLUE", MoveToVersionId=version)
        blue = keys.value()["key"]
        for _ in range(3):
            keys.rotated()
        assert blue in keys.live()
        assert keys.live() == keys.held()


class TestK3:
    """The first, hand-made key."""

    def test_k3_a_value_that_names_somebody_elses_key(self, keys: KeyWorld) -> None:
        """Nothing is revoked on its word: the service does not say that it is that key."""
        theirs = keys.service.issue("app", None)
        keys.put(key_id=theirs.id)
        notes = [keys.rotated().log for _ in range(3)]
        assert theirs.key in keys.live()
        assert any("revoke it by hand" in log for log in notes)

    def test_k3_a_key_of_another_account(self, keys: KeyWorld) -> None:
        """The same."""
        keys.service.create_account("victim")
        victim = keys.service.live("victim")[0]
        keys.put(key_id=victim.id)
        for _ in range(3):
            keys.rotated()
        assert keys.service.accepts("victim", victim.key)

    def test_k3_its_value_does_not_log_in(self, keys: KeyWorld) -> None:
        """Reported, not revoked."""
        theirs = keys.service.issue("app", None)
        keys.rotated()
        keys.put(key="wrong", key_id=theirs.id)
        keys.put(**keys.value("AWSPREVIOUS"))
        for _ in range(3):
            keys.rotated()
        assert theirs.key in keys.live()

    def test_k3_an_id_that_nothing_proves(self, keys: KeyWorld) -> None:
        """A service that never says which key it is: reported."""
        keys.deploy(key={"id_proven_by": "nothing"})
        first = keys.value()["key"]
        keys.rotated()
        assert "revoke it by hand" in keys.rotated().log
        assert first in keys.live()

    def test_k3_that_may_not_list_versions(self, keys: KeyWorld) -> None:
        """Without secretsmanager:ListSecretVersionIds the rotation succeeds, and the log names the permission."""
        keys.service.issue("app", None)
        keys.client_of_function = keys.aws.client()
        keys.client_of_function.meta.events.register("before-send.secrets-manager.ListSecretVersionIds", denied)
        keys.redeploy()
        assert "AccessDeniedException to ListSecretVersionIds" in keys.rotated().log
        keys.rotated()
        assert keys.works()

    def test_k3_with_an_admin_it_is_reported(self, admins: KeyWorld) -> None:
        """An admin's key revokes what a label names, and nothing on the word of a value."""
        first = admins.value()["key"]
        admins.rotated()
        assert "revoke it by hand" in admins.rotated().log
        assert first in admins.live()


class TestK4:
    """A service that allows two keys."""

    @pytest.fixture(params=["told", "counted"])
    def two(self, keys: KeyWorld, request: pytest.FixtureRequest) -> KeyWorld:
        """It says so by a status, or the file counts."""
        keys.service.rules = Rules(limit=2 if request.param == "told" else None)
        keys.deploy(limit={"statuses": [409]} if request.param == "told" else {"keys": 2})
        return keys

    def test_k4_rotations(self, two: KeyWorld) -> None:
        """AWSPREVIOUS's goes first, the hand-made one too; never AWSCURRENT's."""
        looks: list[bool] = []
        two.aws.pause = lambda: looks.append(two.works())
        for number in range(4):
            rotation = two.rotated()
            assert rotation.case("createSecret") == ("K4" if number else "K1")
            assert two.works()
            assert len(two.live()) == 2
        assert looks
        assert all(looks)

    def test_k4_a_death_between_issue_and_store(self, two: KeyWorld) -> None:
        """The key that was never stored is in the way: this rotation is given up (as S6), the next one heals."""
        two.rotated()
        two.service.next("issue", *([refused(409)] if two.service.rules.limit else []), LOST)
        two.aws.tries = 2
        rotation = two.rotate()
        assert not rotation.succeeded
        assert two.works()
        assert not any("AWSPENDING" in labels for labels in two.stages().values() if "AWSCURRENT" not in labels)
        two.aws.tries = 3
        two.rotated()
        two.rotated()
        assert two.works()
        assert two.live() == two.held()

    def test_k4_full_of_somebody_elses(self, two: KeyWorld) -> None:
        """Refused, saying what to do; none of theirs is touched, nor AWSCURRENT's."""
        theirs = two.service.issue("app", "theirs").key
        assert "Revoke one" in two.refused("key-limit")
        assert theirs in two.live()
        assert two.works()

    def test_k4_a_rotation_that_is_cancelled_meanwhile(self, two: KeyWorld) -> None:
        """It guards again before it revokes."""
        two.rotated()
        two.service.next("issue", replace(refused(409), after=0.6))
        two.service.next("list", slow(after=0.6))
        before = two.live()
        cancel = threading.Timer(0.3, two.client.cancel_rotate_secret, kwargs={"SecretId": two.arn})
        cancel.start()
        rotation = two.rotate()
        cancel.join()
        assert not rotation.succeeded
        assert two.live() == before

"""What a review of issued keys has found: each test failed once."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from common.errors import NotRotatable
from common.holdings import label_of
from testkit.keyservice import Fault, Reply, Rules, refused, slow
from tests.integration.api_key.world import KeyWorld


class Context:
    """Lambda's."""

    aws_request_id = "by hand"
    function_name = "by-hand"

    def get_remaining_time_in_millis(self) -> int:
        """Half a minute."""
        return 30_000


@pytest.fixture
def two(keys: KeyWorld) -> KeyWorld:
    """A service that allows two keys."""
    keys.service.rules = Rules(limit=2)
    keys.deploy(limit={"statuses": [409]})
    return keys


def start_next(keys: KeyWorld) -> str:
    """An operator gives the rotation up and starts another one, whose steps the test calls; its token."""
    keys.take_pending_off()
    return str(keys.client.rotate_secret(SecretId=keys.arn, RotationLambdaARN=keys.function.arn)["VersionId"])


def wrapped(keys: KeyWorld, step: str, act: Callable[[Callable[[Any, Any], object], Any, Any], None]) -> None:
    """Let `act` call the handler at this step."""
    handler = keys.handler

    def function(event: dict[str, str], context: object) -> None:
        if event["Step"] == step:
            act(handler, event, context)
        else:
            handler(event, context)

    keys.function = keys.aws.add_function("wrapped", function)


def test_k4_a_previous_version_with_a_label_of_the_operators_own(two: KeyWorld) -> None:
    """Somebody uses it by that label: it stays."""
    two.rotated()
    two.rotated()
    version = two.version("AWSPREVIOUS")
    two.client.update_secret_version_stage(SecretId=two.arn, VersionStage="BLUE", MoveToVersionId=version)
    two.refused("key-limit")
    assert two.value("BLUE")["key"] in two.live()


def test_k4_lists_before_it_describes(two: KeyWorld) -> None:
    """A list that comes late shows the next rotation's key, which the description from before does not know."""
    two.rotated()
    two.aws.tries = 1
    handler, tokens = two.handler, list[str]()
    two.service.next("list", slow(before=1.2))

    def other() -> None:
        two.service.next("issue", Fault(), slow(after=1.8))
        tokens.append(start_next(two))
        handler(two.event("createSecret", tokens[0]), Context())

    timer = threading.Timer(0.6, other)
    timer.start()
    assert not two.rotate().succeeded
    timer.join()
    stored = two.client.get_secret_value(SecretId=two.arn, VersionId=tokens[0])["SecretString"]
    assert json.loads(stored)["key"] in two.live()


def test_k1_a_value_that_is_stored_too_late(keys: KeyWorld) -> None:
    """The rotation was cancelled while the service issued: AWSPENDING does not come back."""
    keys.rotated()
    keys.aws.tries = 1
    keys.service.next("issue", slow(after=6))

    def cancel() -> None:
        keys.client.cancel_rotate_secret(SecretId=keys.arn)
        keys.take_pending_off()

    threading.Timer(1, cancel).start()
    assert not keys.rotate().succeeded
    assert not [labels for labels in keys.stages().values() if labels == ["AWSPENDING"]]


def test_k1_a_pending_key_that_is_dead(keys: KeyWorld) -> None:
    """Revoked by hand before it was promoted: that rotation is given up by itself, the next one issues another."""
    keys.rotated()
    keys.aws.tries = 1
    keys.service.next("check", *[refused(500)] * 2)
    assert not keys.rotate().succeeded
    keys.service.revoke(keys.value("AWSPENDING")["key_id"])
    with pytest.raises(keys.client.exceptions.InvalidRequestException):
        keys.rotate()
    keys.aws.wait()
    keys.rotated()
    assert keys.works()
    assert keys.live() == keys.held()


def test_k1_the_loser_s_key_is_the_winner_s(keys: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that issues one key a label, its text anew each time: what the winner has stored is not revoked."""
    keys.rotated()
    issue, made = keys.service._issue, dict[str, Reply]()  # noqa: SLF001  a service of another kind

    def once_a_label(account: str, request: Any) -> Reply:
        label = json.loads(request.body)["label"]
        if label not in made:
            made[label] = issue(account, request)
            return made[label]
        known: Any = made[label].body
        return Reply(201, {"id": known["id"], "key": known["key"] + "x"})

    monkeypatch.setattr(keys.service, "_issue", once_a_label)
    keys.service.always("issue", slow(after=0.4))

    def twice(handler: Callable[[Any, Any], object], event: Any, context: Any) -> None:
        other = threading.Thread(target=handler, args=(event, context))
        other.start()
        time.sleep(0.2)
        handler(event, context)
        other.join()

    wrapped(keys, "createSecret", twice)
    keys.rotate()
    assert keys.value()["key_id"] in {key.id for key in keys.service.live("app")}


def test_k1_a_field_that_never_changes_leaves_no_pile(keys: KeyWorld) -> None:
    """Of several that issue fills: refused, and what was issued is revoked."""
    keys.put(kind="bearer")
    keys.deploy(issue={"fields": {"key": "key", "key_id": "id", "kind": "'bearer'"}})
    for _ in range(2):
        keys.refused("key-not-new")
    assert keys.live() == keys.held()


def test_k2_one_key_that_cannot_be_revoked(keys: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does not keep the others; the error is told."""
    stuck, other = (keys.service.issue("app", label_of(keys.arn, 32 * sign)) for sign in "ab")
    act = keys.service.act

    def stubborn(request: Any) -> Reply:
        return Reply(403, {}) if request.path == f"/keys/{stuck.id}" else act(request)

    monkeypatch.setattr(keys.service, "act", stubborn)
    for _ in range(3):
        assert "[service-forbids]" in str(keys.rotate().error)
        assert keys.works()
    assert keys.live() == keys.held() | {stuck.key}
    assert other.key not in keys.live()


def test_k2_ids_that_are_listed_in_another_form(keys: KeyWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong provider file costs no key that is held: where the list does not show it, none of that version's goes."""
    listed, revoke = keys.service._list, keys.service._revoke  # noqa: SLF001  a service of another kind

    def in_capitals(account: str, request: Any) -> Reply:
        body: Any = listed(account, request).body
        return Reply(200, [{**key, "id": key["id"].upper()} for key in body])

    monkeypatch.setattr(keys.service, "_list", in_capitals)
    monkeypatch.setattr(
        keys.service, "_revoke", lambda account, asked: revoke(account, replace(asked, path=asked.path.lower()))
    )
    for _ in range(3):
        keys.rotate()
        assert keys.works()


def test_k2_an_aws_secret_that_is_read_late(two: KeyWorld) -> None:
    """A finishSecret that hung before the label moves guards again: its key may be revoked by now."""
    two.client_of_function = two.aws.client()
    two.redeploy()
    two.rotated()
    armed: list[int] = []
    inner = two.handler

    def hang(**_: object) -> None:
        if armed:
            armed.clear()
            time.sleep(5.3)
            inner(two.event("createSecret", start_next(two)), Context())

    two.client_of_function.meta.events.register("before-send.secrets-manager.GetSecretValue", hang)

    def late(handler: Callable[[Any, Any], object], event: Any, context: Any) -> None:
        armed.append(1)
        handler(event, context)

    wrapped(two, "finishSecret", late)
    two.aws.tries = 1
    assert not two.rotate().succeeded
    assert two.works()


def test_k2_a_description_that_lags(keys: KeyWorld) -> None:
    """A late sweep that does not see yet that the next rotation has begun: it looks twice before a key without a value goes."""
    keys.client_of_function = keys.aws.client()
    keys.redeploy()
    keys.rotated()
    done, inner = keys.event("finishSecret", keys.version("AWSCURRENT")), keys.handler
    keys.service.next("issue", slow(after=1))
    lagging: list[int] = []

    def without_the_new_one(parsed: dict[str, Any], **_: object) -> None:
        if lagging:
            lagging.pop()
            stages = parsed["VersionIdsToStages"]
            parsed["VersionIdsToStages"] = {name: to for name, to in stages.items() if to != ["AWSPENDING"]}

    keys.client_of_function.meta.events.register("after-call.secrets-manager.DescribeSecret", without_the_new_one)

    def sweep() -> None:
        lagging.extend([1, 1])
        with suppress(NotRotatable):  # the next rotation may be through, by the second look
            inner(done, Context())

    sweeps: list[threading.Timer] = []

    def sweeping(handler: Callable[[Any, Any], object], event: Any, context: Any) -> None:
        sweeps.append(threading.Timer(0.4, sweep))
        sweeps[-1].start()
        handler(event, context)

    wrapped(keys, "createSecret", sweeping)
    rotation = keys.rotated()
    sweeps[-1].join()
    assert [run.attempt for run in rotation.runs] == [1, 1, 1, 1]


def test_k3_a_key_that_was_issued_for_another_secret(keys: KeyWorld) -> None:
    """The secret was deleted and made anew: reported."""
    keys.rotated()
    value = keys.value()
    keys.rotated()
    keys.client.delete_secret(SecretId=keys.arn, ForceDeleteWithoutRecovery=True)
    keys.arn = keys.create_secret(value)
    keys.rotated()
    assert "issued for another secret: revoke it by hand" in keys.rotated().log
    assert value["key"] in keys.live()


def test_g3_with_a_tag_that_makes_no_sense(keys: KeyWorld) -> None:
    """The rotation is over, whatever the tag says now."""
    keys.rotated()
    event = keys.event("finishSecret", keys.version("AWSCURRENT"))
    keys.client.tag_resource(SecretId=keys.arn, Tags=[{"Key": "rotation:strategy", "Value": "typo"}])
    keys.handler(event, Context())

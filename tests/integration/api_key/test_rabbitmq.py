"""Chosen keys on real RabbitMQ, where an admin sets passwords: single-user by the admin (S1b), and its recoveries."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from common.handler import handler_by_secret
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers
from testkit.providers import write_provider
from testkit.servers.rabbitmq import RabbitMqServer
from testkit.simulator import PythonFunction, Simulator
from tests.integration.attacks import trap
from tests.integration.test_recovery import lose_pending_after_set
from tests.integration.world import FIRST, Rotating, dies_once

ADMIN = "canary-admin-PASSWORD"
_numbers = itertools.count()
NAMES = [
    "app",
    "a b",
    "100%",
    "%2e%2e",
    'quo"te',
    "it's",
    "ünïcode-Ж",
    "app@vhost",
    "a?b#c",
    "a&b=c",
    "{account}",
    "...",
]


@dataclass
class RabbitWorld(Rotating[RabbitMqServer]):
    """A user of RabbitMQ with tags and permissions, and the admin."""

    folder: Path = Path()

    def rights(self) -> tuple[object, object]:
        """The user's tags and permissions."""
        asked = self.server.ask("GET", f"/api/users/{quote(self.user, safe='')}/permissions")
        return self.server.tags(self.user), asked.body

    def redeploy(self, **changes: Any) -> None:
        """The function again, with a provider file that is changed like this."""
        write_provider(self.folder, "rabbitmq", self.server.port, **changes)
        handler = handler_by_secret("api_key", by_provider(load_providers(self.folder)))
        self.function = self.aws.add_function(f"keyturn-rabbit-{next(_numbers)}", handler)


def made(
    server: RabbitMqServer, aws: Simulator, folder: Path, user: str, tags: tuple[str, ...], **fields: object
) -> RabbitWorld:
    """A user with these tags, its secret, the admin's secret."""
    admin = f"keyturn-admin-{next(_numbers)}"
    server.create_user(user, FIRST, tags)
    server.create_user(admin, ADMIN, ("administrator",))
    permissions = {"configure": "^a", "write": ".*", "read": "b$"}
    answer = server.ask("PUT", f"/api/permissions/%2F/{quote(user, safe='')}", permissions)
    assert answer.status in (201, 204), answer.text
    client = aws.client()
    value = json.dumps(server.secret(admin, ADMIN))
    admin_arn = client.create_secret(Name=f"admin/rabbitmq-{next(_numbers)}", SecretString=value)["ARN"]
    value = json.dumps(server.secret(user, FIRST, masterarn=admin_arn, note="kept", **fields))
    arn = client.create_secret(Name=f"rabbit-{next(_numbers)}", SecretString=value)["ARN"]
    client.tag_resource(SecretId=arn, Tags=[{"Key": "rotation:provider", "Value": "rabbitmq"}])
    write_provider(folder, "rabbitmq", server.port)
    handler = handler_by_secret("api_key", by_provider(load_providers(folder)))
    function: PythonFunction = aws.add_function("keyturn-api-key", handler)
    world = RabbitWorld(server, aws, client, function, arn, user, admin, admin_arn)
    world.folder = folder
    return world


@pytest.fixture(params=["app"])
def world(
    request: pytest.FixtureRequest,
    rabbitmq: RabbitMqServer,
    aws: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RabbitWorld]:
    """A user with the tag management, and its secret; another name of it by parametrizing."""
    monkeypatch.setenv("TLS_CA_FILE", str(rabbitmq.ca_file))
    monkeypatch.setenv("SECRETS_MANAGER_ENDPOINT", aws.endpoint)
    monkeypatch.setenv("ADMIN_SECRETS", "*:secret:admin/*")
    before = rabbitmq.users()
    yield made(rabbitmq, aws, tmp_path / "providers", request.param, ("management",))
    rabbitmq.drop_users(before)


@pytest.mark.parametrize("world", NAMES, indirect=True)
def test_rotations(world: RabbitWorld) -> None:
    """Whatever the user is called: the new password works, the old one does not, tags and permissions are as they were."""
    rights = world.rights()
    for _ in range(2):
        old = world.value()["password"]
        assert world.rotated().case("setSecret") == "S1b"
        assert world.logs_in()
        assert not world.server.accepts(world.user, old)
        assert world.value()["note"] == "kept"
        assert world.rights() == rights
    assert world.server.accepts(str(world.admin), ADMIN)


@pytest.mark.parametrize("tags", [("management", "policymaker"), ("monitoring",), ("management", "of-our-own", "x y")])
def test_tags_are_kept(world: RabbitWorld, tags: tuple[str, ...]) -> None:
    """All of them: setting a password sets the tags as well."""
    world.server.create_user(world.user, FIRST, tags)
    rights = world.rights()
    assert set(world.server.tags(world.user)) == set(tags)
    world.rotated()
    assert world.rights() == rights
    assert world.logs_in()


def test_budget(world: RabbitWorld) -> None:
    """11 calls with an admin."""
    world.rotated()
    assert len(world.aws.calls_by("keyturn")) == 11


def test_s2_a_death_after_set(world: RabbitWorld) -> None:
    """Pending logs in already when setSecret is called again."""
    dies_once(world, "setSecret", "after")
    assert world.rotated().case("setSecret") == "S2"
    assert world.logs_in()


@pytest.mark.parametrize("how", ["label removed", "hand edit", "cancelled"])
def test_s4_pending_lost_after_set(world: RabbitWorld, how: str) -> None:
    """The password that works is in a version without a label; it proves whose the account is."""
    lose_pending_after_set(world, how)  # type: ignore[arg-type]
    assert not world.logs_in()
    assert world.rotated().case("setSecret") == "S4b"
    assert world.logs_in()
    assert world.rotated().case("setSecret") == "S1b"


def test_s3_the_previous_password(world: RabbitWorld) -> None:
    """Somebody set the old password again, by hand."""
    world.rotated()
    world.server.set_password(world.user, world.value("AWSPREVIOUS")["password"])
    assert world.rotated().case("setSecret") == "S3b"
    assert world.logs_in()


def test_s5_only_where_a_tag_says_so(world: RabbitWorld) -> None:
    """Nobody knows the password: the admin resets it where the tag rotation:reconcile names the user (W6)."""
    world.server.set_password(world.user, "changed-by-hand-1")
    world.refused("no-login-works")
    world.tag(reconcile="somebody-else")
    world.refused("no-login-works")
    rights = world.rights()
    world.tag(reconcile=world.user)
    assert world.rotated().case("setSecret") == "S5"
    assert world.logs_in()
    assert world.rights() == rights


def test_w6_never_a_user_with_power_over_others(world: RabbitWorld) -> None:
    """Though a tag names it: a user who is tagged administrator is reset by hand."""
    world.server.create_user(world.user, "changed-by-hand-1", ("management", "administrator"))
    world.tag(reconcile=world.user)
    world.refused("user-is-superuser")
    assert world.server.accepts(world.user, "changed-by-hand-1")


def test_an_administrator_who_proves_it(world: RabbitWorld) -> None:
    """With its own password it may be rotated as any other."""
    world.server.create_user(world.user, FIRST, ("administrator",))
    assert world.rotated().case("setSecret") == "S1b"
    assert world.server.tags(world.user) == ("administrator",)
    assert world.logs_in()


def test_w5_the_admins_own_user(world: RabbitWorld) -> None:
    """Neither by its password nor by a tag."""
    world.put(username=world.admin, password=ADMIN)
    world.refused("admin-is-the-user")
    world.tag(reconcile=str(world.admin))
    world.put(username=world.admin, password="wrong")
    world.refused("admin-is-the-user")
    assert world.server.accepts(str(world.admin), ADMIN)


def test_w6_a_users_name_in_the_value(world: RabbitWorld) -> None:
    """The attacker names a victim, without the victim's password; the tag still names his own user."""
    world.server.create_user("victim", "victims-password")
    world.tag(reconcile=world.user)
    world.put(username="victim", password="wrong")
    world.refused("no-login-works")
    assert world.server.accepts("victim", "victims-password")


def test_the_admins_password_is_wrong(world: RabbitWorld) -> None:
    """Named as the admin's; AWSCURRENT works on."""
    value = json.dumps(world.server.secret(str(world.admin), "wrong"))
    world.client.put_secret_value(SecretId=str(world.admin_arn), SecretString=value)
    assert str(world.admin_arn) in world.refused("admin-rejected")
    assert world.logs_in()


def test_an_admin_who_may_not(world: RabbitWorld) -> None:
    """A user of the management who is no administrator: refused, and nothing is changed."""
    world.server.create_user(str(world.admin), ADMIN, ("management",))
    error = str(world.refused("admin-rejected"))
    assert ADMIN not in error
    assert world.logs_in()


def test_a_user_without_the_management(world: RabbitWorld) -> None:
    """RabbitMQ lets it in by AMQP only, and refuses it here as it refuses a wrong password: nothing is changed."""
    world.server.create_user(world.user, FIRST, ())
    rights = world.rights()
    world.refused("no-login-works")
    assert world.rights() == rights


def test_a_user_that_is_gone(world: RabbitWorld) -> None:
    """Setting would make it anew: it is not, as nobody has logged in; nor where a tag names it."""
    world.server.drop_users(world.server.users() - {world.user})
    world.refused("no-login-works")
    world.tag(reconcile=world.user)
    world.refused("service-refuses")
    assert world.user not in world.server.users()


def test_w2_another_host(world: RabbitWorld) -> None:
    """An attacker's server that the file would allow hears nothing of the admin's."""
    with trap() as (port, received):
        world.redeploy(server={"hosts": ["localhost"], "ports": [world.server.port, port]})
        world.aws.tries = 1
        world.put(port=port)
        assert not world.rotate().succeeded
        assert all(ADMIN.encode() not in data for data in received)
    assert world.server.accepts(world.user, FIRST)


def test_s6_a_policy_that_refuses(world: RabbitWorld) -> None:
    """A status that the file calls a policy's: AWSPENDING is given up, and a fresh rotation may choose another."""
    # RabbitMQ's own validators are compiled in; a request that it answers 400 stands for one of them.
    world.redeploy(set={"request": {**_set(world), "json": {"password": "{new}", "tags": 5}}, "policy": [400, 500]})
    world.aws.tries = 1
    assert "[password-refused]" in str(world.rotate().error)
    assert {"AWSPENDING"} not in world.labels()
    assert world.logs_in()
    world.redeploy()
    world.rotated()
    assert world.logs_in()


def _set(world: RabbitWorld) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((world.folder / "rabbitmq.json").read_text())["set"]["request"]
    return request


@pytest.mark.parametrize(
    "name", ["../api/overview", "a/b", "a\\b", "..", ".", "a:b", "a\r\nb", "a\0b", "", None, 5, ["app"]]
)
def test_a_name_that_cannot_stand_in_a_request(world: RabbitWorld, name: object) -> None:
    """Refused by its field, before the admin is asked for anything."""
    world.put(username=name)
    world.aws.tries = 1
    error = str(world.rotate().error)
    world.take_pending_off()
    assert "[secret-field-" in error or "[no-login-works]" in error
    assert "[unexpected]" not in error
    assert world.server.accepts(world.user, FIRST)

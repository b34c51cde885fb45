"""The crash matrices of issued and of chosen keys, whole: every death, every recovery, and no key that nobody holds."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testkit.crash.matrix import Scenario, Subject, Value
from testkit.keyservice import KeyService
from testkit.providers import write_provider
from testkit.servers.ntfy import NtfyServer
from testkit.servers.rabbitmq import RabbitMqServer
from tests.integration.matrix import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS, Record, admin_arn, every_death

_numbers = itertools.count()
HANDLER = "tests.integration.api_key.app:handler"


@dataclass(frozen=True)
class KeyServiceSubject:
    """An account of the key service, with one key that was made by hand."""

    service: KeyService
    port: int
    account: str = field(default_factory=lambda: f"matrix-{next(_numbers)}")

    def __post_init__(self) -> None:
        self.service.create_account(self.account)

    @property
    def value(self) -> Value:
        """The secret's first value."""
        first = self.service.keys(self.account)[0]
        return {**self.service.secret(first.key, key_id=first.id), "port": self.port}

    def accepts(self, value: Value) -> bool:
        """By the service itself."""
        return self.service.accepts(self.account, value["key"])

    def rights(self, value: Value) -> object:
        """Whose key it is."""
        return [key.account for key in self.service.live(self.account) if key.key == value["key"]]

    def left_over(self, held: list[Value]) -> list[str]:
        """Live keys that no staged version holds."""
        keys = [value["key"] for value in held]
        return [
            f"key {key.id} ({key.label}) is an orphan" for key in self.service.live(self.account) if key.key not in keys
        ]

    def drop(self) -> None:
        """All its keys."""
        for key in self.service.live(self.account):
            self.service.revoke(key.id)


@dataclass(frozen=True)
class NtfySubject:
    """A user of ntfy's, with one token that was made by hand."""

    server: NtfyServer
    port: int
    user: str = field(default_factory=lambda: f"matrix_{next(_numbers)}")
    first: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.create_user(self.user, "users-password")
        self.first.append(self.server.issue(self.user, "users-password", "by hand"))

    @property
    def value(self) -> Value:
        """The secret's first value."""
        return {"host": self.server.host, "port": self.port, "token": self.first[0]}

    def accepts(self, value: Value) -> bool:
        """By ntfy itself."""
        return self.server.accepts("", value["token"])

    def rights(self, value: Value) -> object:
        """Whose token it is, by doing."""
        return self.server.ask("GET", "/v1/account", login=("", value["token"])).body["username"]

    def left_over(self, held: list[Value]) -> list[str]:
        """Live tokens that no staged version holds."""
        held_tokens = [value["token"] for value in held]
        found = self.server.tokens(self.user, "users-password")
        return [f"a token with the label {one.get('label')}" for one in found if one["token"] not in held_tokens]

    def drop(self) -> None:
        """The user, with its tokens."""
        self.server.drop_users(keep=self.server.users() - {self.user})


@dataclass(frozen=True)
class RabbitMqSubject:
    """A user of RabbitMQ's with two tags."""

    server: RabbitMqServer
    port: int
    admin_arn: str
    user: str = field(default_factory=lambda: f"matrix {next(_numbers)}")

    def __post_init__(self) -> None:
        self.server.create_user(self.user, "first-password", ("management", "policymaker"))

    @property
    def value(self) -> Value:
        """The secret's first value."""
        secret = self.server.secret(self.user, "first-password", masterarn=self.admin_arn)
        return {**secret, "port": self.port}

    def accepts(self, value: Value) -> bool:
        """By RabbitMQ itself."""
        return self.server.accepts(value["username"], value["password"])

    def rights(self, value: Value) -> object:
        """Its tags."""
        return self.server.tags(value["username"])

    def drop(self) -> None:
        """The user."""
        self.server.drop_users(keep=self.server.users() - {self.user})


class Providers:
    """The folder of provider files of a scenario, whose server is behind a port that is known when the proxy is up."""

    def __init__(self, folder: Path, name: str, **changes: Any) -> None:
        self.folder, self.name, self.changes = folder, name, changes
        write_provider(folder, name, 443, **changes)

    def environment(self, ca_file: Path) -> dict[str, str]:
        """The function's."""
        return {"PROVIDERS": str(self.folder), "TLS_CA_FILE": str(ca_file), "ADMIN_SECRETS": ADMIN_SECRETS}


def scenario(
    name: str,
    server: tuple[str, int],
    files: Providers,
    ca_file: Path,
    make: Callable[[int, Any], Subject],
    *,
    issued: bool,
) -> Scenario:
    """A matrix of one provider; every port is allowed, as the proxy's is not known before."""
    return Scenario(
        name=f"api_key, {name}",
        handler=HANDLER,
        environment=files.environment(ca_file),
        server=server,
        make=make,
        always_works=issued,
        tags={"rotation:provider": files.name},
        left_over=(lambda subject, held: subject.left_over(held)) if issued else None,
    )


ANY_PORT = {"hosts": ["localhost"], "ports": list(range(1024, 65536))}


def test_no_death_leaves_an_orphan(tmp_path: Path, keyservice: KeyService, record_property: Record) -> None:
    """K1 to K3 at the key service."""
    assert keyservice.ca_file
    files = Providers(tmp_path / "providers", "keyservice", server=ANY_PORT)
    server = "localhost", keyservice.port
    every_death(
        scenario(
            "issued, key service",
            server,
            files,
            keyservice.ca_file,
            lambda port, _: KeyServiceSubject(keyservice, port),
            issued=True,
        ),
        record_property,
    )


def test_no_death_leaves_an_orphan_at_ntfy(tmp_path: Path, ntfy: NtfyServer, record_property: Record) -> None:
    """K1 to K3 at a service that knows nothing of us."""
    files = Providers(tmp_path / "providers", "ntfy", server=ANY_PORT)
    server = "127.0.0.1", ntfy.port
    every_death(
        scenario("issued, ntfy", server, files, ntfy.ca_file, lambda port, _: NtfySubject(ntfy, port), issued=True),
        record_property,
    )


def test_no_death_loses_a_chosen_password(tmp_path: Path, rabbitmq: RabbitMqServer, record_property: Record) -> None:
    """S1b to S4 at RabbitMQ."""
    files = Providers(tmp_path / "providers", "rabbitmq", server=ANY_PORT, admin={"secrets": [ADMIN_SECRETS]})
    users = rabbitmq.users()
    rabbitmq.create_user(ADMIN, ADMIN_PASSWORD, ("administrator",))

    def make(port: int, client: Any) -> RabbitMqSubject:
        arn = admin_arn(client, {**rabbitmq.secret(ADMIN, ADMIN_PASSWORD), "port": port})
        return RabbitMqSubject(rabbitmq, port, arn)

    server = "127.0.0.1", rabbitmq.port
    try:
        every_death(scenario("chosen, RabbitMQ", server, files, rabbitmq.ca_file, make, issued=False), record_property)
    finally:
        rabbitmq.drop_users(keep=users)

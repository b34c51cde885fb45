"""API keys to be rotated: issued by the key service and by ntfy, chosen at RabbitMQ."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from testkit.crash.matrix import Scenario, Subject, Value
from testkit.keyservice import KeyService, Rules
from testkit.providers import write_provider
from testkit.servers.ntfy import NtfyServer
from testkit.servers.rabbitmq import RabbitMqServer
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS, admin_arn

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


def _scenario(
    name: str,
    server: tuple[str, int],
    files: Providers,
    ca_file: Path,
    make: Callable[[int, Any], Subject],
    *,
    issued: bool,
) -> Scenario:
    """Every port is allowed, as the proxy's is not known before."""
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


@contextmanager
def at_the_key_service(fixture: Callable[[str], Any], folder: Path, *, limit: int | None = None) -> Iterator[Scenario]:
    """K1 to K3 at the key service. limit: of an account's keys (K4)."""
    service: KeyService = fixture("keyservice")
    assert service.ca_file
    service.rules = Rules(limit=limit)
    changes = {"limit": {"statuses": [service.rules.limit_status]}} if limit else {}
    files = Providers(folder / "providers", "keyservice", server=ANY_PORT, **changes)

    def make(port: int, _: object) -> KeyServiceSubject:
        return KeyServiceSubject(service, port)

    name = f"issued, key service{f', {limit} keys at most' if limit else ''}"
    at = ("localhost", service.port)
    made = _scenario(name, at, files, service.ca_file, make, issued=True)
    yield replace(made, gives_up=limit is not None)


@contextmanager
def at_ntfy(fixture: Callable[[str], Any], folder: Path) -> Iterator[Scenario]:
    """K1 to K3 at a service that knows nothing of us."""
    ntfy: NtfyServer = fixture("ntfy")
    files = Providers(folder / "providers", "ntfy", server=ANY_PORT)

    def make(port: int, _: object) -> NtfySubject:
        return NtfySubject(ntfy, port)

    yield _scenario("issued, ntfy", ("127.0.0.1", ntfy.port), files, ntfy.ca_file, make, issued=True)


@contextmanager
def at_rabbitmq(fixture: Callable[[str], Any], folder: Path) -> Iterator[Scenario]:
    """S1b to S4 at RabbitMQ."""
    rabbitmq: RabbitMqServer = fixture("rabbitmq")
    files = Providers(folder / "providers", "rabbitmq", server=ANY_PORT, admin={"secrets": [ADMIN_SECRETS]})
    users = rabbitmq.users()
    rabbitmq.create_user(ADMIN, ADMIN_PASSWORD, ("administrator",))

    def make(port: int, client: Any) -> RabbitMqSubject:
        arn = admin_arn(client, {**rabbitmq.secret(ADMIN, ADMIN_PASSWORD), "port": port})
        return RabbitMqSubject(rabbitmq, port, arn)

    try:
        yield _scenario("chosen, RabbitMQ", ("127.0.0.1", rabbitmq.port), files, rabbitmq.ca_file, make, issued=False)
    finally:
        rabbitmq.drop_users(keep=users)

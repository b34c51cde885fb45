"""The contract kit: keys that a service issues, by their own authority and by an admin's, and passwords that an admin sets."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.errors import MalformedSecret
from common.secret import Secret
from common.target import Authority, ChangesPassword
from rotators.api_key.provider import Provider, load_providers
from rotators.api_key.target import ChoosingService, IssuingService
from testkit.contract import Bench, IssuesKeysContract, ResetsPasswordContract, TargetContract
from testkit.keyservice import KeyService
from testkit.providers import write_provider
from testkit.servers.ntfy import NtfyServer
from testkit.servers.rabbitmq import RabbitMqServer

_numbers = itertools.count()
ADMIN_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:admin/contract-abcdef"


def provider(folder: Path, name: str, port: int) -> Provider:
    """A provider file of ours for a server on this machine; an admin's secret is the one of these tests."""
    if name in ("rabbitmq", "keyservice_admin"):
        write_provider(folder, name, port, admin={"secrets": [ADMIN_ARN]})
    else:
        write_provider(folder, name, port)
    return load_providers(folder)[name]


@dataclass
class KeyServiceBench:
    """Accounts at the key service."""

    service: KeyService
    target: IssuingService

    def account(self) -> tuple[Secret, Authority]:
        """With its hand-made first key."""
        name = f"contract-{next(_numbers)}"
        self.service.create_account(name)
        (made,) = self.service.live(name)
        value = Secret(self.service.secret(made.key, key_id=made.id), "AWSCURRENT of app")
        if not self.target.by_admin:
            return value, Authority(value)
        admin = Secret(self.service.secret(self.service.admin_key), "AWSCURRENT of admin", ADMIN_ARN)
        return value, Authority(admin, self.target.check(value))


class TestKeyService(IssuesKeysContract):
    """The keys issue each other; or an admin's key does."""

    @pytest.fixture(params=["keyservice", "keyservice_admin"])
    def bench(
        self,
        keyservice: KeyService,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
    ) -> KeyServiceBench:
        """The key service."""
        monkeypatch.setenv("TLS_CA_FILE", str(keyservice.ca_file))
        return KeyServiceBench(
            keyservice, IssuingService(provider(tmp_path / "providers", request.param, keyservice.port))
        )


@dataclass
class NtfyBench:
    """Users of ntfy's."""

    server: NtfyServer
    target: IssuingService

    def account(self) -> tuple[Secret, Authority]:
        """With a token that was made by hand."""
        user = f"contract_{next(_numbers)}"
        self.server.create_user(user, "users-password")
        token = self.server.issue(user, "users-password", "by hand")
        value = Secret({"host": "localhost", "port": self.server.port, "token": token}, "AWSCURRENT of app")
        return value, Authority(value)


class TestNtfy(IssuesKeysContract):
    """On the service itself."""

    @pytest.fixture
    def bench(self, ntfy: NtfyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NtfyBench]:
        """ntfy."""
        monkeypatch.setenv("TLS_CA_FILE", str(ntfy.ca_file))
        before = ntfy.users()
        yield NtfyBench(ntfy, IssuingService(provider(tmp_path / "providers", "ntfy", ntfy.port)))
        ntfy.drop_users(keep=before)


@dataclass
class RabbitMqBench:
    """Users of RabbitMQ's, and an admin."""

    server: RabbitMqServer
    target: ChoosingService

    def user(self, name: str, password: str) -> Secret:
        """A user who may look at the management."""
        self.server.create_user(name, password)
        return Secret(self.server.secret(name, password), "AWSCURRENT of app")

    @property
    def admin(self) -> Secret:
        """The admin."""
        value = self.server.secret("contract-admin", "admins-password")
        return Secret(value, "AWSCURRENT of admin", ADMIN_ARN)

    def rights(self, login: Secret) -> object:
        """Its tags."""
        return self.server.tags(login.text("username"))

    def give_more(self, login: Secret) -> None:
        """A tag more."""
        self.server.create_user(login.text("username"), login.text("password"), ("management", "monitoring"))

    def exists(self, name: str) -> bool:
        """By the list of users."""
        return name in self.server.users()


class TestRabbitMq(TargetContract, ResetsPasswordContract):
    """An admin sets the passwords, so no user changes his own."""

    @pytest.fixture
    def bench(
        self, rabbitmq: RabbitMqServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[RabbitMqBench]:
        """RabbitMQ, with an admin."""
        monkeypatch.setenv("TLS_CA_FILE", str(rabbitmq.ca_file))
        before = rabbitmq.users()
        rabbitmq.create_user("contract-admin", "admins-password", ("administrator",))
        target = ChoosingService(provider(tmp_path / "providers", "rabbitmq", rabbitmq.port))
        yield RabbitMqBench(rabbitmq, target)
        rabbitmq.drop_users(keep=before)

    @pytest.fixture
    def changes(self, bench: RabbitMqBench) -> ChangesPassword:
        """By this ability."""
        return bench.target

    @pytest.mark.parametrize("field", ["host", "username", "password"])
    @pytest.mark.parametrize("value", ["", ["x"], "a\0b"])
    def test_a_malformed_field_is_named(self, bench: Bench, field: str, value: object) -> None:
        """The fields that the provider's file asks for."""
        login = bench.user("plain", "right-password").with_fields("the version", **{field: value})
        with pytest.raises(MalformedSecret, match=f"'{field}' of the version"):
            bench.target.account(login)

    def test_a_server_that_is_not_there_is_no_rejection(self, bench: Bench) -> None:
        """A port that the file does not allow is not tried at all."""
        with pytest.raises(MalformedSecret, match="'port'"):
            bench.target.check(bench.user("plain", "right-password").with_fields("x", port=1))


def test_the_admins_secret_must_be_the_files_own(tmp_path: Path) -> None:
    """W7 by the ARN that Secrets Manager has answered, which the value carries."""
    found = provider(tmp_path / "providers", "keyservice_admin", 443)
    value = json.loads('{"host": "localhost", "port": 443, "key": "x"}')
    assert IssuingService(found).admin_account(Secret(value, "admin", ADMIN_ARN)).port == 443
    for arn in ("", ADMIN_ARN + "x", ADMIN_ARN.upper()):
        with pytest.raises(Exception, match="admin-not-allowed"):
            IssuingService(found).admin_account(Secret(value, "admin", arn))

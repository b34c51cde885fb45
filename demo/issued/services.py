"""The service that issues keys: ntfy where there is one, else the testkit's own key service."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testkit.keyservice import KeyService
from testkit.servers.ntfy import Program, Running, find_ntfy, ntfy_server
from testkit.servers.process import keeper
from testkit.servers.web import Web

ACCOUNT = "shop"


@dataclass(frozen=True)
class Issued:
    """A key that works. id: by which the service lists it."""

    id: str = field(repr=False)
    label: str | None
    key: str = field(repr=False)


@dataclass(frozen=True)
class Service:
    """A running service, with an account whose first key was made by hand.

    title: in words. provider: the name of its provider file. credential: the field of the secret that holds the key
    value: the secret's, with the first key. log: what it logged. listed: the account's keys, oldest first
    accepts: whether it takes a key, as any client asks it
    """

    title: str
    provider: str
    port: int
    credential: str
    value: Mapping[str, Any] = field(repr=False)
    ca_file: Path
    log: Callable[[], str]
    listed: Callable[[], list[Issued]]
    accepts: Callable[[str], bool]


def find_service() -> AbstractContextManager[Service]:
    """The first that there is."""
    found = find_ntfy()
    return _ntfy(found) if found else _keyservice()


@contextmanager
def _ntfy(found: Program | Running) -> Iterator[Service]:
    with ntfy_server(found) as server:
        user, password = f"{ACCOUNT}{secrets.token_hex(3)}", secrets.token_hex(16)
        server.create_user(user, password)
        first = server.issue(user, password, "by hand")

        def listed() -> list[Issued]:
            tokens = server.tokens(user, password)
            return [Issued(one["token"], one.get("label"), one["token"]) for one in tokens]

        try:
            yield Service(
                title=f"ntfy at localhost:{server.port} (TLS)",
                provider="ntfy",
                port=server.port,
                credential="token",
                value={"host": server.host, "port": server.port, "token": first},
                ca_file=server.ca_file,
                log=lambda: server.log.read_text(errors="replace"),
                listed=listed,
                accepts=lambda key: server.accepts("", key),
            )
        finally:
            server.drop_users(keep=server.users() - {user})


@contextmanager
def _keyservice() -> Iterator[Service]:
    with keeper("keyservice", user="") as kept, KeyService(kept.folder) as service:
        service.create_account(ACCOUNT)
        (first,) = service.live(ACCOUNT)
        assert service.ca_file is not None
        web = Web(service.host, service.port, service.ca_file)

        def accepts(key: str) -> bool:
            answer = web.ask("GET", "/me", Authorization=f"Bearer {key}")
            if answer.status not in (200, 401):
                raise RuntimeError(f"The key service answers {answer.status}.")
            return answer.status == 200

        yield Service(
            title=f"The testkit's key service at localhost:{service.port} (TLS)",
            provider="keyservice",
            port=service.port,
            credential="key",
            value=service.secret(first.key, key_id=first.id),
            ca_file=service.ca_file,
            log=str,
            listed=lambda: [Issued(key.id, key.label, key.key) for key in service.live(ACCOUNT)],
            accepts=accepts,
        )

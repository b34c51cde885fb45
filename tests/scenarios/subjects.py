"""What users of databases have alike, whichever their server."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from testkit.crash.matrix import Subject, Value
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, admin_arn

_numbers = itertools.count()


class Server(Protocol):
    """What a server of testkit/servers is asked for here."""

    def secret(self, user: str, password: str, **fields: Any) -> Value:
        """The value of a secret for this user."""
        ...

    def accepts(self, user: str, password: str) -> bool:
        """Whether it lets this user in."""
        ...


S = TypeVar("S", bound=Server)
T = TypeVar("T", bound=Subject)


@dataclass(frozen=True)
class DatabaseSubject(Generic[S]):
    """A user of the server, whose secret names the port of a proxy, and its admin's secret where it has one."""

    first_password: ClassVar[str] = "first-password"
    server: S
    port: int
    admin_arn: str | None
    user: str = field(default_factory=lambda: f"matrix_{next(_numbers)}")

    @property
    def value(self) -> Value:
        """The secret's first value."""
        admin = {"masterarn": self.admin_arn} if self.admin_arn else {}
        return self.server.secret(self.user, self.first_password, port=self.port, **admin)

    def accepts(self, value: Value) -> bool:
        """By the server itself, not the proxy."""
        return self.server.accepts(value["username"], value["password"])


def maker(subject: Callable[[S, int, str | None], T], server: S, *, alternating: bool) -> Callable[[int, Any], T]:
    """Makes subjects, given the proxy's port and a client of Secrets Manager; with alternating users they have an admin."""

    def make(port: int, client: Any) -> T:
        admin = admin_arn(client, server.secret(ADMIN, ADMIN_PASSWORD, port=port)) if alternating else None
        return subject(server, port, admin)

    return make

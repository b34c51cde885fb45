"""A cluster that is not ours: by host and port, with an admin; whatever is made there has a prefix, and is dropped again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

from common import tls
from common.secret import Account, Secret
from common.target import Pair
from rotators.redshift.rights import read_rights
from rotators.redshift.session import Session, stored
from rotators.redshift.target import Redshift


@dataclass(frozen=True)
class RealCluster:
    """A cluster, or a workgroup of Serverless. user, password: a superuser's. prefix: what our own names begin with."""

    host: str
    port: int
    dbname: str
    user: str
    password: str = field(repr=False)
    prefix: str
    _kept: list[connection] = field(default_factory=list, repr=False)

    def connect(self, user: str, password: str) -> connection:
        """A client's connection, by verified TLS; each statement commits by itself, names keep their case."""
        opened = psycopg2.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=password,
            dbname=self.dbname,
            sslmode="verify-full",
            sslrootcert=tls.ca_file(),
            connect_timeout=10,
        )
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute("SET enable_case_sensitive_identifier TO true")
        return opened

    def run(self, statement: str | sql.Composable, as_user: tuple[str, str] | None = None) -> list[tuple[object, ...]]:
        """Run a statement as the admin, or as this user with that password; its rows. Errors are the server's own."""
        if as_user:
            opened = self.connect(*as_user)
            try:
                return _rows(opened, statement)
            finally:
                opened.close()
        if not self._kept or self._kept[0].closed:
            self._kept[:] = [self.connect(self.user, self.password)]
        return _rows(self._kept[0], statement)

    def create_user(self, user: str, password: str) -> None:
        """A user who may log in; it must have our prefix."""
        assert user.startswith(self.prefix)
        statement = sql.SQL("CREATE USER {} PASSWORD {}").format(sql.Identifier(user), stored(password, user))
        self.run(statement)

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user."""
        where = {"engine": "redshift", "host": self.host, "port": self.port, "dbname": self.dbname}
        return {**where, "username": user, "password": password, **fields}

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session such as the function has, as the admin."""
        login = Secret(self.secret(self.user, self.password), "the admin")
        with Session(login, Account("redshift", self.host, self.port, self.user)) as session:
            yield session

    def users(self) -> list[str]:
        """Those with our prefix."""
        known = sql.SQL("SELECT usename FROM pg_user WHERE substring(usename, 1, {}) = {}")
        found = self.run(known.format(sql.Literal(len(self.prefix)), sql.Literal(self.prefix)))
        return sorted(str(name) for (name,) in found)

    def drop_users(self) -> None:
        """Users with our prefix; what they hold is taken from them first, or they could not be dropped."""
        users = self.users()
        with self.session() as session:
            held = read_rights(session, *users) if users else {}
            for user, rights in held.items():
                for right in sorted(rights, reverse=True):
                    self.run(right.revoke(user))
        for user in users:
            self.run(sql.SQL("DROP USER {}").format(sql.Identifier(user)))

    def close(self) -> None:
        """The admin's connection."""
        for one in self._kept:
            one.close()


def _rows(opened: connection, statement: str | sql.Composable) -> list[tuple[object, ...]]:
    with opened.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


class Prefixed(Redshift):
    """The target, for the contract kit: every user that the kit names has a prefix on the cluster, the admin's too."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def account(self, *args: Any) -> Account:
        return super().account(*map(self._named, args))

    def check(self, *args: Any) -> str:
        return Redshift().check(*map(self._named, args))

    def change_password(self, *args: Any) -> None:
        Redshift().change_password(*map(self._named, args))

    def reset_password(self, *args: Any, **more: Any) -> None:
        Redshift().reset_password(*map(self._named, args), **more)

    def alternate(self, *args: Any, **more: Any) -> None:
        Redshift().alternate(*map(self._named, args), **{name: self._named(value) for name, value in more.items()})

    def check_alternate(self, *args: Any, **more: Any) -> None:
        Redshift().check_alternate(*map(self._named, args), **more)

    def _named(self, value: Any) -> Any:
        """A secret or a pair, its users with the prefix; anything else as it is."""
        if isinstance(value, Pair):
            return replace(value, base=self._prefix + value.base, clone=self._prefix + value.clone)
        if isinstance(value, Secret) and isinstance(user := value.get("username"), str) and user:
            return value.with_fields(value.name, username=self._prefix + user)
        return value

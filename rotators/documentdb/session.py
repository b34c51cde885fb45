"""One connection to DocumentDB or MongoDB: bounded in time, verified by TLS, its errors in our words, always closed.

A client of PyMongo's has threads and connections of its own, which stay until it is closed. It speaks to the very host that the
secret names, and asks nobody else (directConnection): the hosts that a server names for its replicas are no part of the secret.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from common import clock, network, tls
from common.errors import LoginRejected
from common.secret import Account, Secret
from rotators.documentdb.errors import command_error, login_error

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
Document = dict[str, Any]


class Session:
    """A login that lasts as long as the `with` block. name, database: the user, and where it is one (authSource)."""

    client: "MongoClient[Document]"

    def __init__(self, login: Secret, account: Account) -> None:
        self._login, self._account = login, account
        self.name = login.text("username")
        self.database = login.text_or("dbname", "admin")

    def __enter__(self) -> Self:
        """Log in. LoginRejected, TargetUnavailable or TargetError where that fails."""
        network.resolve(self._login.host(), self._account.port)  # bounded; the driver's own look-up is not
        connect = round(clock.at_most(CONNECT_SECONDS) * 1000)
        verified = {"tls": True, "tlsCAFile": tls.ca_file()} if self._login.tls else {"tls": False}
        self.client = MongoClient(
            host=self._account.host,
            port=self._account.port,
            username=self.name,
            password=self._login.text("password"),
            authSource=self.database,
            directConnection=True,
            retryWrites=False,  # DocumentDB has none
            retryReads=False,
            serverSelectionTimeoutMS=connect,
            connectTimeoutMS=connect,
            socketTimeoutMS=round(clock.at_most(COMMAND_SECONDS) * 1000),
            maxPoolSize=1,
            appname="keyturn",
            **verified,
        )
        try:
            self._require_user()
        except BaseException:
            self.client.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; no thread and no connection is left."""
        self.client.close()

    def _require_user(self) -> None:
        """W4: the server says who we are."""
        try:
            status = self.client[self.database].command("connectionStatus")
        except PyMongoError as error:
            raise login_error(error, self._account) from None
        users = status.get("authInfo", {}).get("authenticatedUsers", [])
        if (self.name, self.database) not in [(one.get("user"), one.get("db", self.database)) for one in users]:
            raise LoginRejected(
                "login-is-another-user",
                f"The server takes {self._account} for another user.",
                "Look for a proxy in between that logs in as somebody else; correct 'dbname', the authentication database.",
            )

    @property
    def account(self) -> Account:
        """Who has logged in where."""
        return self._account

    def run(self, database: str, command: Mapping[str, Any]) -> Document:
        """Run a command on a database; its answer."""
        clock.at_most(COMMAND_SECONDS)
        try:
            return self.client[database].command(dict(command))
        except PyMongoError as error:
            raise command_error(error, self._account) from None

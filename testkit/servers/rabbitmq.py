"""RabbitMQ with its management plugin, where passwords are set over HTTP: by TLS, and in clear.

Where it comes from, the first that there is:

- one that runs already, whose users may come and go, named by RABBITMQ_TEST_URL (its management port):
  https://root:password@localhost:15671/?ca=/path/to/root.pem&log=/path/to/rabbit.log
- Debian's /usr/lib/rabbitmq, or `rabbitmq-server` on the PATH (Debian's own there wants to be the system's)
- a container, where a Docker engine answers and has, or may pull, the image
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from testkit.certificates import Authority
from testkit.servers.containers import has_image, in_container
from testkit.servers.process import Keeper, free_port, keeper
from testkit.servers.web import Answer, Web, basic

ROOT = "root"
IMAGE = "rabbitmq:4-management"
START_SECONDS = 90
_DEBIAN = "/usr/lib/rabbitmq/bin"


@dataclass(frozen=True)
class Program:
    """How the server is called; in a container of this image, where one is named. epmd: Erlang's list of nodes."""

    server: str
    epmd: str = ""
    image: str = ""


@dataclass(frozen=True)
class Running:
    """A server that runs already."""

    url: str = field(repr=False)


def find_rabbitmq() -> Program | Running | None:
    """The first that there is, as above."""
    if url := os.environ.get("RABBITMQ_TEST_URL"):
        return Running(url)
    path = os.environ.get("PATH", "")
    server, epmd = shutil.which("rabbitmq-server", path=f"{_DEBIAN}:{path}"), shutil.which("epmd")
    if server and epmd:
        return Program(server, epmd)
    return Program("rabbitmq-server", image=IMAGE) if has_image(IMAGE) else None


@dataclass(frozen=True)
class RabbitMqServer:
    """A running server. port: of HTTPS, plain_port: of HTTP. ca_file: the PEM to trust. log: what it logged."""

    port: int
    plain_port: int
    password: str = field(repr=False)
    ca_file: Path
    log: Path
    host: str = "localhost"

    @property
    def url(self) -> str:
        """Where it answers, by TLS."""
        return f"https://{self.host}:{self.port}"

    def ask(self, method: str, path: str, body: object = None, login: tuple[str, str] | None = None) -> Answer:
        """A request by TLS, as root, or as `login`, who has that password."""
        given = basic(*(login or (ROOT, self.password)))
        return Web(self.host, self.port, self.ca_file).ask(method, path, body, Authorization=given)

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this user in with this password; the user has the tag `management`, or is never let in."""
        answer = self.ask("GET", "/api/whoami", login=(user, password))
        if answer.status not in (200, 401):
            raise RuntimeError(f"The server answered {answer.status}: {answer.text[:500]}")
        return answer.status == 200

    def create_user(self, user: str, password: str, tags: tuple[str, ...] = ("management",)) -> None:
        """A user with these tags, of whom `administrator` may set passwords."""
        self._done("PUT", _user(user), {"password": password, "tags": ",".join(tags)})

    add_user = create_user

    def set_password(self, user: str, password: str) -> None:
        """Set a user's password, as an admin would by hand; the tags stay."""
        self.create_user(user, password, self.tags(user))

    def tags(self, user: str) -> tuple[str, ...]:
        """A user's tags."""
        return tuple(self._done("GET", _user(user))["tags"])

    def users(self) -> set[str]:
        """Every user."""
        return {str(user["name"]) for user in self._done("GET", "/api/users")}

    def drop_users(self, keep: set[str]) -> None:
        """Every user but these."""
        for user in sorted(self.users() - keep):
            self._done("DELETE", _user(user))

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return {"host": self.host, "port": self.port, "username": user, "password": password, **fields}

    def _done(self, method: str, path: str, body: object = None) -> Any:
        answer = self.ask(method, path, body)
        if answer.status not in (200, 201, 204):
            raise RuntimeError(f"The server answered {answer.status}: {answer.text[:500]}")
        return answer.body


def _user(user: str) -> str:
    return f"/api/users/{quote(user, safe='')}"


@contextmanager
def rabbitmq_server(found: Program | Running) -> Iterator[RabbitMqServer]:
    """A new server, up and accepting logins; stopped and removed at the end, also when we are killed.

    One that runs already is left as it is.
    """
    if isinstance(found, Running):
        yield _reached(found)
        return
    with keeper("rabbitmq", "" if found.image else None) as kept:
        folder = kept.folder
        files = folder / "root.crt", folder / "server.log"
        server = RabbitMqServer(free_port(), free_port(), secrets.token_hex(16), *files)
        _configure(kept, server)
        epmd = free_port()
        words = ("env", *_environment(folder, epmd), found.server)
        if found.epmd:  # else the server would start one that outlives it
            kept.serve(found.epmd, "-port", str(epmd), "-address", "127.0.0.1", port=epmd)
        served = in_container(found.image, words, folder) if found.image else words
        kept.serve(*served, port=server.port, seconds=START_SECONDS)
        _wait_until_ready(server)
        yield server


def _configure(kept: Keeper, server: RabbitMqServer) -> None:
    """Certificates, settings, the management plugin."""
    folder, authority = kept.folder, Authority()
    server.ca_file.write_bytes(authority.pem)
    settings, plugins = folder / "rabbitmq.conf", folder / "enabled_plugins"
    settings.write_text(_settings(server, folder))
    plugins.write_text("[rabbitmq_management].\n")
    kept.give(settings, plugins, *authority.issue(folder, server.host))


def _settings(server: RabbitMqServer, folder: Path) -> str:
    return f"""
listeners.tcp = none
management.tcp.ip = 127.0.0.1
management.tcp.port = {server.plain_port}
management.ssl.ip = 127.0.0.1
management.ssl.port = {server.port}
management.ssl.cacertfile = {server.ca_file}
management.ssl.certfile = {folder}/server.crt
management.ssl.keyfile = {folder}/server.key
management.http_log_dir = {folder}/access
default_user = {ROOT}
default_pass = {server.password}
log.console = true
log.file = false
log.console.level = info
"""


def _environment(folder: Path, epmd: int) -> tuple[str, ...]:
    """Everything in the folder, nothing from the system's settings, no port but on the loopback interface."""
    return (
        f"HOME={folder}",
        "RABBITMQ_CONF_ENV_FILE=/dev/null",
        f"RABBITMQ_CONFIG_FILE={folder}/rabbitmq.conf",
        f"RABBITMQ_ENABLED_PLUGINS_FILE={folder}/enabled_plugins",
        f"RABBITMQ_MNESIA_BASE={folder}/data",
        f"RABBITMQ_LOG_BASE={folder}/log",
        f"RABBITMQ_PID_FILE={folder}/pid",
        f"RABBITMQ_NODENAME=keyturn{epmd}@localhost",
        f"RABBITMQ_DIST_PORT={free_port()}",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
        f"ERL_EPMD_PORT={epmd}",
        "ERL_EPMD_ADDRESS=127.0.0.1",
    )


def _reached(running: Running) -> RabbitMqServer:
    """The server that a URL names."""
    url = urlsplit(running.url)
    given = dict(parse_qsl(url.query))
    if not (url.username == ROOT and url.hostname and {"ca", "log"} <= set(given)):
        raise ValueError(f"not of the form https://{ROOT}:password@host:port/?ca=/root.pem&log=/rabbit.log")
    files = Path(given["ca"]), Path(given["log"])
    return RabbitMqServer(url.port or 15671, 0, unquote(url.password or ""), *files, url.hostname)


def _wait_until_ready(server: RabbitMqServer) -> None:
    """The port opens a moment before logins are taken."""
    for _ in range(200):
        if server.accepts(ROOT, server.password):
            return
        time.sleep(0.05)
    raise RuntimeError("The server does not finish starting up.")

"""ntfy, a service that issues access tokens to its users: HTTP and HTTPS, users and tokens in a SQLite file.

Where it comes from, the first that there is:

- one that runs already, whose users may come and go, named by NTFY_TEST_URL:
  https://root:password@localhost:443/?ca=/path/to/root.pem&log=/path/to/ntfy.log
- in a tree of another Debian release, whose root SERVERS_TREE names
- `ntfy` on the PATH
- a container, where a Docker engine answers and has, or may pull, the image
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from testkit.certificates import Authority
from testkit.servers.containers import HOST, has_image, in_container
from testkit.servers.process import free_port, keeper
from testkit.servers.tree import tree_with
from testkit.servers.web import Answer, Web, basic

ROOT = "root"
IMAGE = "binwiederhier/ntfy"
_PROGRAM = "usr/bin/ntfy"


@dataclass(frozen=True)
class Program:
    """How the program is called; in a container of this image, where one is named."""

    words: tuple[str, ...]
    image: str = ""

    def command(self, folder: Path, *words: str, **environment: str) -> tuple[str, ...]:
        """The program with these words, as it is run in the folder."""
        called = ("env", *(f"{name}={value}" for name, value in environment.items()), *self.words, *words)
        return in_container(self.image, called, folder) if self.image else called


@dataclass(frozen=True)
class Running:
    """A server that runs already."""

    url: str = field(repr=False)


def find_ntfy() -> Program | Running | None:
    """The first that there is, as above."""
    if url := os.environ.get("NTFY_TEST_URL"):
        return Running(url)
    if tree := tree_with(_PROGRAM):
        return Program(tree.program(_PROGRAM))
    if found := shutil.which("ntfy"):
        return Program((found,))
    return Program(("ntfy",), IMAGE) if has_image(IMAGE) else None


@dataclass(frozen=True)
class NtfyServer:
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

    def ask(
        self, method: str, path: str, body: object = None, login: tuple[str, str] | None = None, **headers: str
    ) -> Answer:
        """A request by TLS, as root, or as `login`, who has that password (or as "" with a token for it).

        Each comes as if from an address of its own: after 30 rejected logins from one address ntfy answers it 429 for a
        minute and more, whatever it asks, and the function under test is not to suffer for what a test has tried
        """
        user, password = login or (ROOT, self.password)
        headers["Authorization"] = basic(user, password) if user else f"Bearer {password}"
        headers["X_Forwarded_For"] = str(ip_address(secrets.randbits(24) | 10 << 24))
        return Web(self.host, self.port, self.ca_file).ask(method, path, body, **headers)

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this user in with this password; with user "", with this token."""
        return _accepted(self.ask("GET", "/v1/account", login=(user, password)))

    def tokens(self, user: str, password: str) -> list[dict[str, Any]]:
        """The user's tokens as the service lists them: token, last_access, label and expires where it has them (Unix seconds)."""
        answer = self.ask("GET", "/v1/account", login=(user, password))
        assert answer.status == 200, answer.text
        return list(answer.body.get("tokens", []))

    def issue(self, user: str, password: str, label: str) -> str:
        """A token that does not expire, made by hand."""
        return str(
            _done(self.ask("POST", "/v1/account/token", {"label": label, "expires": 0}, (user, password)))["token"]
        )

    def create_user(self, user: str, password: str) -> None:
        """A user who may have tokens and do little else."""
        _done(self.ask("PUT", "/v1/users", {"username": user, "password": password}))

    add_user = create_user

    def set_password(self, user: str, password: str) -> None:
        """Set a user's password, as an admin would by hand. His tokens live on."""
        _done(self.ask("PUT", "/v1/users", {"username": user, "password": password}))

    def users(self) -> set[str]:
        """Every user that may log in."""
        return {str(user["username"]) for user in _done(self.ask("GET", "/v1/users"))} - {"*"}

    def drop_users(self, keep: set[str]) -> None:
        """Every user but these, with their tokens."""
        for user in sorted(self.users() - keep):
            _done(self.ask("DELETE", "/v1/users", {"username": user}))

    def secret(self, user: str, password: str, **fields: object) -> dict[str, object]:
        """The value of a secret for a user of this server."""
        return {"host": self.host, "port": self.port, "username": user, "password": password, **fields}


def _accepted(answer: Answer) -> bool:
    if answer.status not in (200, 401):
        raise RuntimeError(f"The server answered {answer.status}: {answer.text[:500]}")
    return answer.status == 200


def _done(answer: Answer) -> Any:
    if answer.status != 200:
        raise RuntimeError(f"The server answered {answer.status}: {answer.text[:500]}")
    return answer.body


@contextmanager
def ntfy_server(found: Program | Running) -> Iterator[NtfyServer]:
    """A new server, up and accepting logins; stopped and removed at the end, also when we are killed.

    One that runs already is left as it is.
    """
    if isinstance(found, Running):
        yield _reached(found)
        return
    with keeper("ntfy", "" if found.image else None) as kept:
        folder = kept.folder
        server = NtfyServer(free_port(), free_port(), secrets.token_hex(16), folder / "root.crt", folder / "server.log")
        authority, settings = Authority(), folder / "server.yml"
        server.ca_file.write_bytes(authority.pem)
        settings.write_text(_settings(server, folder))
        kept.give(settings, *authority.issue(folder, server.host, HOST))
        kept.serve(*found.command(folder, "serve", "--config", str(settings)), port=server.port)
        # Into the file that the server has made by now.
        first = ("user", "--config", str(settings), "add", "--role=admin", ROOT)
        kept.run(*found.command(folder, *first, NTFY_PASSWORD=server.password))
        yield server


def _settings(server: NtfyServer, folder: Path) -> str:
    return f"""
base-url: "{server.url}"
listen-http: "127.0.0.1:{server.plain_port}"
listen-https: "127.0.0.1:{server.port}"
key-file: "{folder}/server.key"
cert-file: "{folder}/server.crt"
auth-file: "{folder}/users.db"
auth-default-access: "deny-all"
enable-login: true
behind-proxy: true
visitor-request-limit-exempt-hosts: "127.0.0.1,localhost"
log-level: "debug"
"""


def _reached(running: Running) -> NtfyServer:
    """The server that a URL names."""
    url = urlsplit(running.url)
    given = dict(parse_qsl(url.query))
    if not (url.username == ROOT and url.hostname and {"ca", "log"} <= set(given)):
        raise ValueError(f"not of the form https://{ROOT}:password@host:port/?ca=/root.pem&log=/ntfy.log")
    files = Path(given["ca"]), Path(given["log"])
    return NtfyServer(url.port or 443, 0, unquote(url.password or ""), *files, url.hostname)

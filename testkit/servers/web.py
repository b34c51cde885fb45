"""An ordinary client of a service that speaks JSON over HTTP."""

import base64
import json
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

SECONDS = 10


@dataclass(frozen=True)
class Answer:
    """What came back. body: of JSON, what it says (None where it is not); else in `text`."""

    status: int
    headers: dict[str, str]
    text: str = field(repr=False)

    @property
    def body(self) -> Any:
        """What the JSON says; None where the answer is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None


@dataclass(frozen=True)
class Web:
    """A service, by TLS that trusts ca_file alone; in clear where there is none."""

    host: str
    port: int
    ca_file: Path | None = None

    @cached_property
    def _trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request, on a connection of its own. headers: their names with _ for the hyphen."""
        if self.ca_file is None:
            opened = HTTPConnection(self.host, self.port, timeout=SECONDS)
        else:
            opened = HTTPSConnection(self.host, self.port, timeout=SECONDS, context=self._trusting)
        try:
            sent = None if body is None else json.dumps(body)
            opened.request(method, path, sent, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = opened.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            opened.close()


def basic(user: str, password: str) -> str:
    """The value of Authorization that names a user and his password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

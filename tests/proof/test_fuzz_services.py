"""Fuzz: whatever a service answers, an API key's step ends in our words, and what it issued is told to nobody.

The hostile answers that somebody has thought of are in tests/integration/api_key/test_hostile.py; these are chance's.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.event import STEPS
from common.handler import handler_by_secret
from rotators.api_key.choice import by_provider
from rotators.api_key.provider import load_providers
from testkit.providers import write_provider
from tests.proof.hostile import CANARY, JSON, TEXTS, no_network, sized
from tests.proof.memory import CURRENT, PREVIOUS, TOKEN, UNLABELLED
from tests.proof.test_fuzz_handler import Tally, event
from tests.proof.watched import call, functions, impatient

KEY = f"{CANARY}-key"
IDS = st.one_of(st.sampled_from([f"{CANARY}-id", "../me", "a/b", ""]), TEXTS, JSON)
ACCOUNTS = st.one_of(st.just("account"), TEXTS)
LABELS = st.one_of(st.none(), st.just("by hand"), st.just(f"keyturn-0-{TOKEN}"), JSON)
# By method and path: what the service answers where it is right, with some of it odd; or anything.
CHECKED = st.one_of(st.fixed_dictionaries({"account": ACCOUNTS, "key_id": IDS}), JSON)
ISSUED = st.one_of(st.fixed_dictionaries({"key": st.one_of(st.just(KEY), TEXTS, JSON), "id": IDS}), JSON)
LISTED = st.one_of(st.lists(st.one_of(st.fixed_dictionaries({"id": IDS, "label": LABELS}), JSON), max_size=3), JSON)
STATUS = st.sampled_from([200, 200, 200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 409, 422, 429, 500, 503])


@dataclass
class Service:
    """Its port, and what it answers: {method and path: (status, body)}."""

    port: int = 0
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)


@contextmanager
def service() -> Iterator[Service]:
    """In clear, on this machine."""
    said = Service()

    class Answers(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = "/keys/…" if self.path.startswith("/keys/") else self.path
            status, body = said.answers.get(f"{self.command} {path}", (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(0 if status == 204 else len(body)))
            self.end_headers()
            self.wfile.write(b"" if status == 204 else body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815  http.server's names

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        said.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield said
        server.shutdown()


@st.composite
def bodies(draw: st.DrawFn, what: st.SearchStrategy[object]) -> bytes:
    """JSON of this, or broken."""
    text = json.dumps(draw(what)).encode()
    return draw(
        st.sampled_from([text] * 6 + [text[:-1], b"", b"\xff\xfe" + text, b"<html>" + text, b"[" * 5000 + text])
    )


def test_services_that_say_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON of any shape for JMESPath to look into, ids that are paths, labels like ours, any status, at any step."""
    impatient(monkeypatch)
    with service() as said, no_network(said.port), functions("api_key") as (memory, _):
        server = {"hosts": ["localhost"], "ports": [said.port], "plaintext": True}
        name = write_provider(tmp_path / "providers", "keyservice", said.port, server=server)
        handler = handler_by_secret("api_key", by_provider(load_providers(tmp_path / "providers")))
        tally = Tally()
        value = json.dumps({"host": "localhost", "port": said.port, "key": f"{CANARY}-first", "key_id": f"{CANARY}-1"})

        @sized(250, 5000)
        @given(st.data())
        def run(data: st.DataObject) -> None:
            for asked, what in (
                ("GET /me", CHECKED),
                ("POST /keys", ISSUED),
                ("GET /keys", LISTED),
                ("DELETE /keys/…", JSON),
            ):
                said.answers[asked] = data.draw(STATUS), data.draw(bodies(what))
            arn, step = memory.keep("service", value, provider=name), data.draw(st.sampled_from(STEPS))
            held = memory.secrets[arn]
            held.values[PREVIOUS] = held.values[UNLABELLED] = value
            held.stages[PREVIOUS] = {"AWSPREVIOUS"}
            if step != "createSecret":
                held.values[TOKEN] = held.values[CURRENT]
            tally.judge(call(handler, event(arn, step)))

        with tally.measured("services that say anything"):
            run()
            assert {"None", "login-rejected"} < set(tally.codes)

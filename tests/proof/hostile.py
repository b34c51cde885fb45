"""What chance draws: values that nobody expects in a secret, an event, a tag or an environment; and no network to reach.

Every text in a value holds the canary, so that a single search tells whether anything of it has come out.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.figures import part_or_whole

CANARY = "c4n4ry"
NUMBER = 7700077000  # the same, where a number is wanted
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

_SPECIAL = (
    "", " ", "\0", "\n", "'", '"', "\\", "`", ";--", "%s", "%(a)s", "{0}", "{password}", "$1", "${x}", "\u202e", "\ufeff",
    "e\u0301", "\u0130", "\ud800", "\udc80", "🔑", "null", "true", "-1", "postgresql://a:b@c/d?e=f", "host=x", "a,b", "../..",
    "�", "\x1b[31m", "</script>",
)  # fmt: skip
_LONG = st.builds(lambda one, times: one * times, st.sampled_from("xü🔑'"), st.sampled_from([33, 64, 128, 256, 65_000]))
ANY_TEXT = st.one_of(st.sampled_from(_SPECIAL), st.text(st.characters(), max_size=80), _LONG)
# As they come in: before or after something else, so that a prefix which somebody looks for is not always in the way.
TEXTS = st.builds(lambda before, after: f"{before}{CANARY}{after}", ANY_TEXT, ANY_TEXT)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, NUMBER, 10**400, 2**63, 1.5, 1e308, 5e-324, float("nan"), float("inf"), -0.0]),
    st.integers(),
    st.floats(),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(ANY_TEXT, inner, max_size=3)),
    max_leaves=5,
)
_DEPTHS = st.sampled_from([2, 50, 900, 990, 3000, 30_000])


@st.composite
def raw_texts(draw: st.DrawFn) -> str:
    """A SecretString that is JSON, nearly JSON, or nothing of the kind."""
    inner = draw(st.one_of(TEXTS, JSON.map(json.dumps)))
    depth = draw(_DEPTHS)
    return draw(
        st.sampled_from(
            [
                inner,
                "[" * depth + inner + "]" * depth,
                '{"a":' * depth + json.dumps(inner) + "}" * depth,
                "{" + inner,
                json.dumps({"password": inner})[:-1],
                f'{{"password": {CANARY}}}',
                f'{{"password": "{CANARY}", "n": NaN}}',
                f'{{"password": "{CANARY}", "n": 1e999}}',
                f'{{"password": "{CANARY}", "n": {"9" * 5000}}}',
                f'{{"password": "{CANARY}" "n": 0}}',
                "\ufeff" + json.dumps({"password": inner}),
            ]
        )
    )


@st.composite
def values(draw: st.DrawFn, skeleton: dict[str, Any]) -> str:
    """A SecretString: `skeleton`, as its server wants it, with some of its fields hostile, gone or twice, and unknown ones."""
    if draw(st.integers(0, 9)) == 0:
        return draw(raw_texts())
    fields = dict(skeleton)
    for name in draw(st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True)):
        fields[name] = draw(JSON)
        if draw(st.integers(0, 4)) == 0:
            del fields[name]
    more = draw(st.dictionaries(ANY_TEXT, JSON, max_size=2))
    text = json.dumps({**more, **fields}, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 4)) == 0:  # a field twice: the last one counts
        again = {draw(st.sampled_from(sorted(skeleton))): draw(JSON)}
        text = f"{text[:-1]}, {json.dumps(again)[1:]}"
    return text


def sized(part: int, whole: int) -> settings:
    """So many examples in `make test`, and in `make proof`; always the same ones."""
    return settings(
        max_examples=part_or_whole(part, whole),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def no_network(*ports: int) -> Iterator[int]:
    """Inside, this machine alone can be named, and of its ports one on which nothing listens, which is answered, and these."""
    real_connect, real_lookup = socket.socket.connect, socket.getaddrinfo
    with socket.socket() as closed, pytest.MonkeyPatch.context() as patch:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
        allowed = {port, *ports}

        def lookup(host: Any, asked: Any, *args: Any, **more: Any) -> Any:
            if host not in _LOOPBACK or int(asked or 0) not in allowed:
                raise socket.gaierror(socket.EAI_NONAME, "as the test wants")
            return real_lookup(host, asked, *args, **more)

        def connect(self: socket.socket, address: Any) -> None:
            assert address[0] in _LOOPBACK, address
            assert address[1] in allowed, address
            real_connect(self, address)

        patch.setattr(socket, "getaddrinfo", lookup)
        patch.setattr(socket.socket, "connect", connect)
        yield port

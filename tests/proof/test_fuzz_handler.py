"""Fuzz: whatever a secret, its tags, the event or the environment say, a step ends by itself, in our words, and tells no value."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import RotationError
from common.event import STEPS
from common.handler import Handler
from tests.figures import measured
from tests.proof import strangers
from tests.proof.hostile import ANY_TEXT, CANARY, JSON, no_network, sized, values
from tests.proof.memory import ARN, CURRENT, PREVIOUS, TOKEN, UNLABELLED, Memory
from tests.proof.strangers import Stranger, stranger
from tests.proof.watched import CODES, ROTATORS, Seen, call, functions, impatient

LONGEST = 15.0  # seconds that a step may take here, where nobody answers late
_ENGINES = {"postgres": "postgres", "mysql": "mysql", "redshift": "redshift", "documentdb": "mongo"}


@dataclass
class Tally:
    """What came of all examples."""

    codes: Counter[str] = field(default_factory=Counter)
    started: float = field(default_factory=time.monotonic)

    def judge(self, seen: Seen, *, canary: str = CANARY) -> None:
        """The promise: an error of our tree with a documented code, or none; one log line that says it; no value."""
        error = seen.error
        assert error is None or isinstance(error, RotationError), repr(error)
        assert seen.code is None or seen.code in CODES - {"unexpected"}, error
        assert seen.seconds < LONGEST
        assert seen.stderr == ""
        line = seen.log_line()
        assert line.get("error_code") == seen.code
        assert line["outcome"] == ("succeeded" if error is None else "failed")
        assert not [place for place, text in seen.places().items() if canary in text]
        self.codes[str(seen.code)] += 1

    def counts(self) -> dict[str, object]:
        """As they are published."""
        examples, rotated = self.codes.total(), self.codes["None"]
        return {"examples": examples, "refused": examples - rotated, "rotated": rotated}

    @contextmanager
    def measured(self, name: str, counts: Callable[[], dict[str, object]] | None = None) -> Iterator[None]:
        """Publish what came of the block's examples, also where one of them breaks the promise. counts: instead of ours."""
        with measured("fuzz", name) as figures:
            try:
                yield
            finally:
                figures.update((counts or self.counts)(), seconds=round(time.monotonic() - self.started, 1))


@dataclass
class Fuzzed:
    """The functions, Secrets Manager, a port on which nobody listens, and one on which somebody says anything."""

    memory: Memory
    handlers: dict[str, Handler]
    port: int
    stranger: Stranger

    def skeleton(self, rotator: str, port: int) -> dict[str, Any]:
        """A value as this function's server would have it."""
        if rotator == "api_key":
            keys = ("token", "key", "key_id", "password", "account_sid", "api_key", "api_key_sid", "api_key_secret")
            return {"host": "localhost", "port": port, "username": "app", **dict.fromkeys(keys, CANARY)}
        login = {"host": "localhost", "port": port, "username": "app", "password": CANARY}
        return {"engine": _ENGINES[rotator], **login, "dbname": "db", "ssl": True}


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Fuzzed]:
    """Each rotator's real handler."""
    with (
        stranger() as somebody,
        no_network(somebody.port) as port,
        functions() as (memory, handlers),
        pytest.MonkeyPatch.context() as patch,
    ):
        impatient(patch)
        # PyMongo goes on for as long as it may where a connection is refused.
        patch.setattr("rotators.documentdb.session.CONNECT_SECONDS", 0.02)
        patch.setenv("ADMIN_SECRETS", "*:secret:admin-*")
        yield Fuzzed(memory, handlers, port, somebody)


def event(arn: str, step: str, **more: object) -> dict[str, object]:
    """As the service sends it."""
    return {"Step": step, "SecretId": arn, "ClientRequestToken": TOKEN, **more}


STRATEGIES = {
    "postgres": ("single-user", "alternating-users"),
    "mysql": ("single-user", "alternating-users", "dual-password"),
    "redshift": ("single-user", "alternating-users"),
    "documentdb": ("single-user", "alternating-users"),
    "api_key": (),
}


def whole(rotator: str, examples: int) -> int:
    """How many in `make proof`: PyMongo waits, where the others are told at once."""
    return examples // 5 if rotator == "documentdb" else examples


def with_tags(data: st.DataObject, rotator: str) -> dict[str, str]:
    """Those that make sense."""
    if rotator == "api_key":
        return {"provider": data.draw(st.sampled_from(["ntfy", "rabbitmq", "sendgrid", "twilio"]))}
    return {"strategy": data.draw(st.sampled_from(STRATEGIES[rotator]))}


@pytest.mark.parametrize("rotator", ROTATORS)
def test_secrets(fuzzed: Fuzzed, rotator: str) -> None:
    """Any value in any of a secret's versions, the admin's too, at any step."""
    tally, memory = Tally(), fuzzed.memory
    skeleton = {**fuzzed.skeleton(rotator, fuzzed.port), "masterarn": ARN.format("admin")}
    made = values(skeleton)

    @sized(150, whole(rotator, 1500))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        arn = memory.keep("fuzz", data.draw(made), **with_tags(data, rotator))
        held, admin = memory.secrets[arn], memory.keep("admin", data.draw(made))
        memory.secrets[admin].tags = data.draw(st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=1))
        for version, label in ((PREVIOUS, "AWSPREVIOUS"), (UNLABELLED, None)):
            held.values[version] = data.draw(made)
            held.stages[version] = {label} if label else set()
        step = data.draw(st.sampled_from(STEPS))
        if step != "createSecret":
            held.values[TOKEN] = data.draw(st.one_of(made, st.just(held.values[CURRENT])))
        tally.judge(call(fuzzed.handlers[rotator], event(arn, step)))

    with tally.measured(f"secrets, {rotator}"):
        run()
        assert tally.codes["None"], "some steps succeed"
        # What hypothesis draws depends on which modules are loaded, too, so these are low; an API key's value has no host or TLS.
        assert len(tally.codes) > (2 if rotator == "api_key" else 3), "and others fail, each in its way"


# PyMongo's monitor, a thread of its own, dies of such answers; what the login meets is what counts.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("rotator", [one for one in ROTATORS if one != "api_key"])
def test_servers_that_say_anything(fuzzed: Fuzzed, rotator: str) -> None:
    """Garbage, and near misses of the protocol, before, in and after the login: never a defect, and no echo of it."""
    tally, memory, somebody = Tally(), fuzzed.memory, fuzzed.stranger
    somebody.speaks_first = rotator == "mysql"
    current = {**fuzzed.skeleton(rotator, somebody.port), "ssl": False}

    @sized(120, whole(rotator, 2000))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        somebody.documents, somebody.answers = [], []
        if rotator == "documentdb" and data.draw(st.booleans()):
            somebody.documents = data.draw(strangers.DOCUMENTS)
        else:
            somebody.answers = data.draw(st.one_of(strangers.BYTES, strangers.IN_ORDER))
        arn = memory.keep("fuzz", json.dumps({**current, "ssl": data.draw(st.sampled_from([False, False, True]))}))
        memory.secrets[arn].values[TOKEN] = memory.secrets[arn].values[CURRENT]
        seen = call(fuzzed.handlers[rotator], event(arn, data.draw(st.sampled_from(["setSecret", "testSecret"]))))
        tally.judge(seen)
        assert strangers.SAID not in f"{seen.stdout} {seen.error} {seen.error!r}"

    with tally.measured(f"servers that say anything, {rotator}"):
        run()
        assert len(tally.codes) > 1


KNOWN_TAGS = ("strategy", "password-length", "password-profile", "reconcile", "host", "provider")


@pytest.mark.parametrize("rotator", ROTATORS)
def test_tags(fuzzed: Fuzzed, rotator: str) -> None:
    """Any text in any tag that means something, and others beside them."""
    tally, memory = Tally(), fuzzed.memory
    sensible = st.sampled_from(["single-user", "url-safe", "40", "٤٠", "ntfy", "app", "localhost"])
    tags = st.dictionaries(st.sampled_from(KNOWN_TAGS), st.one_of(sensible, ANY_TEXT), max_size=4)

    @sized(60, whole(rotator, 1500))
    @given(tags, st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=2), st.sampled_from(STEPS))
    def run(ours: dict[str, str], others: dict[str, str], step: str) -> None:
        arn = memory.keep("fuzz", json.dumps(fuzzed.skeleton(rotator, fuzzed.port)), **ours)
        held = memory.secrets[arn]
        held.tags |= others
        if step != "createSecret":
            held.values[TOKEN] = held.values[CURRENT]
        tally.judge(call(fuzzed.handlers[rotator], event(arn, step)))

    with tally.measured(f"tags, {rotator}"):
        run()
        assert {"setting-invalid", "provider-unknown"} & set(tally.codes)


FIELDS = ("Step", "SecretId", "ClientRequestToken", "RotationToken")
ROTATION_TOKEN = f"{CANARY}-rotation-token-of-a-length-that-the-service-takes"


@st.composite
def events(draw: st.DrawFn, arn: str) -> object:
    """Any JSON; or one of the service's, with some fields odd, the step in any spelling."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.one_of(JSON.filter(lambda one: CANARY not in str(one)), _nested(draw)))
    step = draw(
        st.sampled_from([*STEPS, "create_secret", "CREATESECRET", "set_secret ", "__test__secret__", "finishsecret"])
    )
    made: dict[str, object] = event(arn, step, RotationToken=ROTATION_TOKEN)
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=2, unique=True)):
        made[name] = draw(st.one_of(ANY_TEXT, JSON.filter(lambda one: CANARY not in str(one)), _nested(draw)))
    return made


def _nested(draw: st.DrawFn) -> st.SearchStrategy[object]:
    """Deeper than Python's own stack goes."""
    found: object = "x"
    for _ in range(draw(st.sampled_from([1, 50, 5000]))):
        found = [found]
    return st.just(found)


def test_events(fuzzed: Fuzzed) -> None:
    """Whoever may invoke the function may send anything; the token that lets somebody write the secret is never told."""
    tally, memory = Tally(), fuzzed.memory
    arn = memory.keep("fuzz", json.dumps(fuzzed.skeleton("postgres", fuzzed.port)))

    @sized(250, 5000)
    @given(events(arn))
    def run(drawn: object) -> None:
        memory.keep("fuzz", json.dumps(fuzzed.skeleton("postgres", fuzzed.port)))
        tally.judge(call(fuzzed.handlers["postgres"], drawn))

    with tally.measured("events"):
        run()
        assert {"None", "event-malformed", "event-step-unknown"} < set(tally.codes)


VARIABLES = (
    "EXCLUDE_CHARACTERS", "PASSWORD_LENGTH", "EXCLUDE_NUMBERS", "EXCLUDE_PUNCTUATION", "EXCLUDE_UPPERCASE", "EXCLUDE_LOWERCASE",
    "REQUIRE_EACH_INCLUDED_TYPE", "USERNAME_CHARACTER_LIMIT", "ROTATION_STRATEGY", "ADMIN_SECRETS", "TLS_CA_FILE",
    "TRUSTED_ACCOUNTS", "TRUSTED_ROLE",
)  # fmt: skip
# What an environment can hold: no NUL, nothing that is not Unicode, and Lambda's is 4 KB in all.
VARIABLE = ANY_TEXT.map(lambda text: text.encode(errors="ignore").decode().replace("\0", "")[:4000])


@pytest.mark.parametrize("rotator", ROTATORS)
def test_environment(fuzzed: Fuzzed, rotator: str) -> None:
    """Any text in any variable that the function reads: what makes no sense is named at the step that needs it."""
    tally, memory = Tally(), fuzzed.memory
    sensible = st.sampled_from(
        ["true", "no", "64", "single-user", "123456789012", "role", "/", "/etc/passwd", "9" * 4000]
    )
    variables = st.dictionaries(st.sampled_from(VARIABLES), st.one_of(sensible, VARIABLE), max_size=4)

    @sized(100, whole(rotator, 2000))
    @given(st.data(), variables, st.sampled_from(STEPS))
    def run(data: st.DataObject, drawn: dict[str, str], step: str) -> None:
        value = {**fuzzed.skeleton(rotator, fuzzed.port), "masterarn": ARN.format("admin")}
        arn = memory.keep("fuzz", json.dumps(value), **with_tags(data, "api_key") if rotator == "api_key" else {})
        memory.keep("admin", json.dumps(value))
        if step != "createSecret":
            memory.secrets[arn].values[TOKEN] = json.dumps(value)
        with pytest.MonkeyPatch.context() as patch:
            for name, text in drawn.items():
                patch.setenv(name, text)
            tally.judge(call(fuzzed.handlers[rotator], event(arn, step)))

    with tally.measured(f"environment, {rotator}"):
        run()
        assert {"None", "setting-invalid"} < set(tally.codes)

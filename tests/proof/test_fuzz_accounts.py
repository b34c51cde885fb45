"""Fuzz: whatever a user is called and whatever its first password is, as far as its server takes it, it rotates on a real server.

Or it is refused in our words, and nothing has changed: AWSCURRENT logs in, and nobody else is there.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import RotationError
from common.handler import Handler
from tests.figures import part_or_whole
from tests.proof.benches import BENCHES, Bench
from tests.proof.hostile import sized
from tests.proof.leaks import SHORTEST, found, parts, shapes
from tests.proof.memory import STEPS, TOKEN, Memory
from tests.proof.test_fuzz_handler import Tally
from tests.proof.watched import CODES, Seen, call, functions, impatient

SINGLE, ALTERNATING, DUAL = "single-user", "alternating-users", "dual-password"
STRATEGIES = [(bench, strategy) for bench in BENCHES for strategy in (SINGLE, ALTERNATING)] + [("mysql", DUAL)]
# Why a name or a password that the server takes is refused all the same.
REASONS = {
    "secret-field-invalid",  # no room for the clone; a blank at the end of MySQL's
    "user-missing",  # a clone's name, and nobody is called as its base
}
NASTY = (
    "'; DROP ROLE x; --", '"quoted"', "back\\slash\\", "per%cent %s %(a)s", " leading", "a b\tc\nd", "semi;colon", "$1 ${x} {0}",
    "e\u0301 é", "\u202eright to left", "\u05d0\u05d1", "🔑", "👩‍👩‍👧", "\u0130I\u0131i", "ß ẞ ﬁ", "\u200b\ufeff", "a@b", "a@%", "user@host:1/db?x=y", "null", "CURRENT_USER",
    "x_clone", "_clone", "`tick`", "#comment", "/*c*/", "=cmd", "-dash", "\x01\x7f", "\u00a0", "n=,r==2C",
)  # fmt: skip
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=24)
LONG = st.builds(lambda one, times: one * times, st.sampled_from("xü€🔑' "), st.integers(8, 90))
NAMES = st.one_of(st.sampled_from(NASTY), ANY, LONG)
LENGTHS = (64, 99, 100, 128, 255, 256, 257, 1000)  # of passwords: what the servers' limits are, and beyond
VERY_LONG = st.builds(lambda one, times: one * times, st.sampled_from("aü"), st.sampled_from(LENGTHS))
PASSWORDS = st.one_of(
    st.sampled_from(NASTY),
    ANY,
    LONG,
    VERY_LONG,
    st.text(st.characters(max_codepoint=126, min_codepoint=32), min_size=1),
)


def searchable(password: str, name: str) -> set[str]:
    """The password, and the canary in it; none where it may stand somewhere by chance: short, all one sign, a part of the name."""
    names = {name, *shapes(name)}
    by_chance = len(password) < SHORTEST or len(set(password)) < 4 or password in NASTY
    if by_chance or any(shape in one for shape in shapes(password) for one in names):
        return set()
    return {password, *parts(password)}


@dataclass
class World:
    """A server, its function, and what came of the examples: a case each, or an error's code. steps: what came of each step."""

    bench: Bench
    memory: Memory
    handler: Handler
    outcomes: Counter[str] = field(default_factory=Counter)
    steps: Tally = field(default_factory=Tally)
    not_taken: int = 0
    searched: int = 0

    def rotates(self, name: str, password: str, strategy: str) -> None:
        """Two rotations, there and back, or a refusal that changes nothing."""
        with self.bench.user(name, password) as taken:
            if not taken:
                self.not_taken += 1
                return
            fields = (
                {"masterarn": self.memory.keep("admin", json.dumps(self.bench.admin))}
                if strategy == ALTERNATING
                else {}
            )
            value = self.bench.server.secret(name, password, **fields)
            arn = self.memory.keep("app", json.dumps(value), strategy=strategy)
            for token in (TOKEN, "e" * 32):
                if not self._rotates(arn, token, always_works=strategy != SINGLE):
                    return
            self.outcomes["rotated"] += 1

    def _rotates(self, arn: str, token: str, *, always_works: bool) -> bool:
        if token != TOKEN:
            self.memory.next_rotation(arn, token)
        old, users = self.memory.value(arn), self.bench.users()
        for step in STEPS:
            seen = call(self.handler, {"Step": step, "SecretId": arn, "ClientRequestToken": token})
            self._tells_nothing(arn, old, seen)
            if seen.error:
                assert isinstance(seen.error, RotationError), repr(seen.error)
                assert seen.code in CODES & REASONS, (old, seen.error)
                assert self._logs_in(old)
                assert self.bench.users() == users
                self.outcomes[f"refused: {seen.code}"] += 1
                return False
        new = self.memory.value(arn)
        assert new["password"] != old["password"]
        assert self._logs_in(new)
        assert self._logs_in(old) == always_works
        return True

    def _tells_nothing(self, arn: str, old: dict[str, Any], seen: Seen) -> None:
        """Neither password, old or new, and it does not take long."""
        self.steps.judge(seen)
        versions = [old, *(json.loads(text) for text in self.memory.secrets[arn].values.values())]
        hidden = {one for version in versions for one in searchable(version["password"], old["username"])}
        assert not found(hidden, seen.places())
        self.searched += len(hidden)

    def _logs_in(self, value: dict[str, Any]) -> bool:
        return bool(self.bench.server.accepts(value["username"], value["password"]))

    def counts(self) -> dict[str, object]:
        """As they are published, those that the server itself did not take beside them."""
        refused = sum(number for outcome, number in self.outcomes.items() if outcome.startswith("refused"))
        return {
            "examples": self.outcomes.total(),
            "refused": refused,
            "rotated": self.outcomes["rotated"],
            "not_taken": self.not_taken,
            "searches": self.searched,
        }


@pytest.fixture(params=STRATEGIES, ids=", ".join)
def world(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[World, str]]:
    """Each server with each strategy."""
    name, strategy = request.param
    impatient(monkeypatch)
    with BENCHES[name](request.getfixturevalue, tmp_path) as bench, functions(bench.rotator) as (memory, handlers):
        monkeypatch.setenv("TLS_CA_FILE", str(bench.server.ca_file))
        monkeypatch.setenv("ADMIN_SECRETS", "*:secret:admin-*")
        yield World(bench, memory, handlers[bench.rotator]), strategy


def test_names_and_passwords(world: tuple[World, str], request: pytest.FixtureRequest) -> None:
    """Quotes, signs, blanks, any Unicode, up to the longest and beyond."""
    made, strategy = world

    @sized(8, 60)
    @given(NAMES, PASSWORDS)
    def run(name: str, password: str) -> None:
        made.rotates(name, password, strategy)

    with made.steps.measured(f"names and passwords, {request.node.callspec.id}", made.counts):
        for nasty in part_or_whole(NASTY[::3], NASTY):
            made.rotates(nasty, f"{nasty}-Canary-1-{nasty}", strategy)
        for length in part_or_whole(LENGTHS[2::5], LENGTHS):
            made.rotates("long", f"Canary-1-{'aB3' * length}"[:length], strategy)
        run()
        print(request.node.callspec.id, dict(made.outcomes), made.not_taken, made.searched)
        assert made.outcomes["rotated"] > 8
        assert made.searched > 100

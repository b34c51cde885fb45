"""The promises, as they can be looked at from outside: by the labels, by logging in at the server itself, by the logs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from testkit.crash.matrix import CREDENTIALS, Scenario, Subject, Value
from testkit.simulator import Simulator
from testkit.simulator.backend import SimulatedBackend
from testkit.simulator.calls import ACCOUNT, REGION
from tests.proof.chaos.server_acts import Right, right_of
from tests.scenarios.admins import ADMIN_PASSWORD

NOTE = "chaos_note"  # the field that operators edit
OLDER_KEYS = 3  # K3 looks for a key that was made by hand in so many versions without a label


@dataclass(frozen=True)
class Version:
    """A version of the secret. value: None where it is empty."""

    id: str
    labels: frozenset[str]
    value: Value | None


@dataclass
class Watch:
    """One secret and its user. holds: {user: whether it must have the extra right}; rights: what each must have besides.

    settled: AWSCURRENT itself must log in, a single user's too: from finishSecret until the next setSecret begins. keeps:
    so must AWSPREVIOUS, where AWSCURRENT always works: as long, and an issued key until the next finishSecret (no service
    here is at its limit of keys). A hand that puts another version there promises nothing of it
    """

    scenario: Scenario
    aws: Simulator
    subject: Subject
    secret: str
    first: Value
    right: Right | None = field(init=False)
    rights: object = field(init=False)
    holds: dict[str, bool] = field(init=False)
    settled: bool = True
    keeps: bool = False
    _known: str = field(init=False)  # AWSCURRENT's version when it was looked at last

    def __post_init__(self) -> None:
        self.right, self.rights = right_of(self.subject), self.subject.rights(self.first)
        self.holds = {self.base: False, f"{self.base}_clone": False}
        self._known = self._current_id()

    @property
    def base(self) -> str:
        """The base user's name; empty for keys."""
        return str(self.first.get("username", ""))

    def versions(self) -> list[Version]:
        """Those without a label too, oldest first: as they are, and not as a stale read may show them."""
        backend = secretsmanager_backends[ACCOUNT][REGION]
        assert isinstance(backend, SimulatedBackend)
        return [
            Version(one.id, frozenset(one.stages), json.loads(one.value.string or "null") if one.value else None)
            for one in list(backend.versions(backend.primary(self.secret)))
        ]

    def holder(self, label: str) -> Version | None:
        """The version that holds the label."""
        return next((one for one in self.versions() if label in one.labels), None)

    def current(self) -> Value:
        """AWSCURRENT's value."""
        found = self.holder("AWSCURRENT")
        assert found is not None
        assert found.value is not None
        return found.value

    def incomplete(self) -> Version | None:
        """AWSPENDING's, where its rotation has not ended well."""
        pending = self.holder("AWSPENDING")
        return pending if pending and "AWSCURRENT" not in pending.labels else None

    def accepts(self, version: Version | None) -> bool:
        """Whether the server takes its login."""
        return bool(version and version.value and self.subject.accepts(version.value))

    def begins(self, step: str, token: str) -> None:
        """A delivery. setSecret of the rotation that is under way may end what was promised; an issued key's ends nothing."""
        pending = self.incomplete()
        if step == "setSecret" and pending and pending.id == token and not self.scenario.left_over:
            self.settled = self.keeps = False

    def follow(self) -> None:
        """Where AWSCURRENT has moved since, a finishSecret has moved it."""
        current = self._current_id()
        if current != self._known:
            self._known, self.settled, self.keeps = current, True, self.scenario.always_works

    def moved_by_hand(self) -> None:
        """Where AWSCURRENT has moved since, an operator has moved it."""
        current = self._current_id()
        if current != self._known:
            self._known, self.keeps = current, False

    def _current_id(self) -> str:
        found = self.holder("AWSCURRENT")
        return found.id if found else ""

    def broken_now(self) -> Iterator[str]:
        """What must hold at every instant, whatever has just gone wrong."""
        self.follow()
        versions = self.versions()
        current = [one.value for one in versions if "AWSCURRENT" in one.labels]
        if len(current) != 1 or current[0] is None:
            yield f"{len(current)} versions are AWSCURRENT"
        elif self.subject.accepts(current[0]):
            yield from self._rights_missing(current[0])
        elif self.scenario.always_works:
            yield "AWSCURRENT is refused"
        elif self.settled:
            yield "AWSCURRENT is refused after finishSecret, and no setSecret has begun"
        elif not any(self.accepts(one) for one in [*reversed(versions), *versions]):
            yield "no version of the secret logs in"
        if self.keeps and self._previous_is_refused():
            yield "AWSPREVIOUS is refused before the next rotation may end it"

    def _previous_is_refused(self) -> bool:
        """Of one that stays: another delivery, at once with the one that waits, may move the label meanwhile."""
        previous = self.holder("AWSPREVIOUS")
        refused = not self.accepts(previous)
        after = self.holder("AWSPREVIOUS")
        return refused and (previous and previous.id) == (after and after.id)

    def _rights_missing(self, current: Value) -> Iterator[str]:
        try:
            rights = self.subject.rights(current)
            held = self.right.held(current) if self.right else None
        except Exception as error:  # noqa: BLE001  each driver has its own for what is forbidden
            # With a single user the function may just have changed its password, if it did not have to wait for us.
            if self.scenario.always_works or self.subject.accepts(current):
                yield f"AWSCURRENT has lost a right: {error}"
            return
        if self.right:
            rights = self.right.beside(rights)
        if rights != self.rights:
            yield f"AWSCURRENT has other rights: {rights}, not {self.rights}"
        # What a rotation that was given up has brought to the clone is the base's, too.
        allowed = {self.holds.get(current.get("username", ""), False), self.holds[self.base]}
        if held is not None and held not in allowed:
            yield f"AWSCURRENT {'still has' if held else 'lacks'} what the base {'has lost' if held else 'was granted'}"

    def clone_is_ready(self) -> None:
        """setSecret has succeeded: from here on the clone, where it is pending, has what the base has."""
        if self._pending_clone():
            self.holds[f"{self.base}_clone"] = self.holds[self.base]

    def clone_is_as_found(self) -> None:
        """Or what the base had when it was read, where that has changed while setSecret ran."""
        clone = self._pending_clone()
        if clone and self.right and not self.right.shared:
            self.holds[f"{self.base}_clone"] = self.right.held(clone)

    def _pending_clone(self) -> Value | None:
        pending = self.holder("AWSPENDING")
        found = pending.value if pending else None
        return found if found and found.get("username") == f"{self.base}_clone" else None

    def broken_after_a_calm_rotation(self) -> Iterator[str]:
        """What must hold besides, when a rotation has ended in which nothing went wrong."""
        if not self.accepts(self.holder("AWSCURRENT")):
            yield "AWSCURRENT is refused after a calm rotation"
        if self.incomplete():
            yield "a rotation is still pending"
        if self.scenario.always_works and not self.accepts(self.holder("AWSPREVIOUS")):
            yield "AWSPREVIOUS is refused after a calm rotation"
        versions = self.versions()
        held = [one.value for one in versions if one.labels and one.value]
        credentials = [_credential(value) for value in held]
        for value in [*(one.value for one in versions if one.value), *self._ever_put()]:
            known = _credential(value) in credentials or self._k3_is_past(value, versions)
            if not known and self.subject.accepts(value):
                yield "a credential that no staged version holds logs in"
        if self.scenario.left_over:
            late = [self.first] if self._k3_is_past(self.first, versions) else []
            yield from self.scenario.left_over(self.subject, [*held, *late])

    def _k3_is_past(self, value: Value, versions: list[Version]) -> bool:
        """A key made by hand that more versions have been abandoned after than K3 looks at: left, as the docs say."""
        if not self.scenario.left_over or _credential(value) != _credential(self.first):
            return False
        unlabelled = [one for one in versions if not one.labels][-OLDER_KEYS:]
        return all(one.value is None or _credential(one.value) != _credential(value) for one in unlabelled)

    def _ever_put(self) -> list[Value]:
        calls = [call.parameters for call in self.aws.calls if call.operation == "PutSecretValue"]
        return [json.loads(call["SecretString"]) for call in calls if call["SecretId"] == self.secret]

    def leaked(self, printed: str, tokens: list[str]) -> Iterator[str]:
        """Values, the admin's password and rotations' tokens that are in what the function has printed or raised."""
        values = [self.first, *self._ever_put()]
        hidden = {value[name] for value in values for name in CREDENTIALS if name in value}
        for one in {*hidden, *tokens, ADMIN_PASSWORD}:
            if one in printed:
                yield "a password or a token is in what the function has printed"


def _credential(value: Value) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name != NOTE}

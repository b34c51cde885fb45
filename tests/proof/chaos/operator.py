"""What people do with a secret beside rotating it: by Secrets Manager's API, and at the server."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.proof.chaos import events
from tests.proof.chaos.promises import NOTE, Watch
from tests.proof.chaos.server_acts import setter_of


@dataclass(frozen=True)
class Operator:
    """Does what the runbook says, where it can be done."""

    watch: Watch
    _notes: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def do(self, what: str) -> bool:
        """It; False where that is not possible now."""
        acts: dict[str, Callable[[], bool]] = {
            events.CANCEL: self._cancel,
            events.PUT_AGAIN: self._put_again,
            events.PENDING_OFF: self.take_pending_off,
            events.GO_BACK: self._go_back,
            events.GRANT: self._grant,
            events.REVOKE: self._revoke,
        }
        self.watch.follow()
        try:
            return acts[what]()
        finally:
            self.watch.moved_by_hand()

    def enabled(self) -> bool:
        """Whether the secret rotates."""
        return bool(self.watch.aws.client().describe_secret(SecretId=self.watch.secret).get("RotationEnabled"))

    def take_pending_off(self) -> bool:
        """Give a rotation up."""
        pending = self.watch.incomplete()
        if pending:
            self._move("AWSPENDING", RemoveFromVersionId=pending.id)
        return pending is not None

    def _cancel(self) -> bool:
        if not self.enabled():
            return False
        self.watch.aws.client().cancel_rotate_secret(SecretId=self.watch.secret)
        return True

    def _put_again(self) -> bool:
        value = {**self.watch.current(), NOTE: str(next(self._notes))}
        self.watch.aws.client().put_secret_value(SecretId=self.watch.secret, SecretString=json.dumps(value))
        return True

    def _go_back(self) -> bool:
        """Where AWSPREVIOUS works still, or its password can be set on the server by hand; no rotation is under way."""
        current, previous = self.watch.holder("AWSCURRENT"), self.watch.holder("AWSPREVIOUS")
        if not (current and previous and previous.value) or self.watch.incomplete():
            return False
        set_by_hand = setter_of(self.watch.subject)
        if not self.watch.scenario.always_works and set_by_hand:
            self.watch.settled = False
            set_by_hand(previous.value)
        if not self.watch.accepts(previous) or self._is_outdated(previous.value):
            return False
        self._move("AWSCURRENT", RemoveFromVersionId=current.id, MoveToVersionId=previous.id)
        if "AWSPENDING" in current.labels:
            self._move("AWSPENDING", RemoveFromVersionId=current.id)
        self.watch.settled = True
        return True

    def _is_outdated(self, value: dict[str, Any]) -> bool:
        """Whether this user has a right that was revoked from the base meanwhile: nobody goes back to that."""
        holds = self.watch.holds
        return holds.get(value.get("username", ""), False) and not holds[self.watch.base]

    def _move(self, label: str, **versions: str) -> None:
        self.watch.aws.client().update_secret_version_stage(SecretId=self.watch.secret, VersionStage=label, **versions)

    def _grant(self) -> bool:
        """In mid-rotation too: what the clone has of it then is seen at its next turn, at the latest."""
        possible = self._may_change_rights(held=False)
        if possible:
            self._set_right(self.watch.base, holds=True)
        return possible

    def _revoke(self) -> bool:
        """From the clone too where that is AWSCURRENT's: else the next rotation refuses, and prints this REVOKE."""
        possible = self._may_change_rights(held=True) and not self.watch.incomplete()
        if possible:
            user = self.watch.current()["username"]
            for one in sorted({self.watch.base, user}):
                if self.watch.holds[one]:
                    self._set_right(one, holds=False)
        return possible

    def _may_change_rights(self, *, held: bool) -> bool:
        return bool(self.watch.right) and self.watch.holds[self.watch.base] == held

    def _set_right(self, user: str, *, holds: bool) -> None:
        right = self.watch.right
        assert right is not None
        (right.give if holds else right.take)(user)
        for one in self.watch.holds if right.shared else (user,):
            self.watch.holds[one] = holds

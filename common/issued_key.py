"""The strategy for services that issue keys: a new one is made, tried and promoted while the old one goes on to work.

Nothing on the service's side says whose a key is but its label, so each is issued under one that names the secret and the
version that it is for. Keys whose label is another secret's, or nobody's, are never touched on the label's account; and no
key is, whatever its label says, that the value of any staged version holds. A death between issuing and storing leaves a
key that nobody knows: the next sweep finds it by its label.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

from common import clock
from common.errors import (
    ChangeRefused,
    LimitReached,
    LoginRejected,
    NotRotatable,
    TargetError,
)
from common.guard import Description, same_but_for
from common.handmade import report_foreign, revoked_by_itself, sweep_handmade
from common.holdings import Holdings, held_by, is_labelled, is_orphan, label_of, readable, version_of
from common.patience import LAG_PAUSES, patiently, retried
from common.rotation import Work
from common.secret import Secret
from common.target import Authority, IssuesKeys, ListedKey

T = TypeVar("T")


class IssuedKey:
    """Keys that the service makes. AWSCURRENT works at every instant, AWSPREVIOUS until the next finishSecret."""

    name = "issued-key"

    def __init__(self, target: IssuesKeys) -> None:
        self.target = target

    def create(self, work: Work) -> str | None:
        """K1: issue a key and store it; where another delivery was faster, revoke it again."""
        current = work.read("AWSCURRENT")
        self.target.account(current)
        if (there := work.value(work.event.token)) is not None:
            self._require_alive(work, current, there)
            return None

        def issue(by: Authority) -> str:
            fields, case = self._issued(work, by)
            if fields is None:
                return case
            pending = current.with_fields(f"AWSPENDING of {work.secret.arn}", **fields)
            key = self.target.key_id(pending)
            if any(pending.get(name) == current.get(name) for name in self.target.credential):
                if key and key not in held_by(work, self.target, work.still_pending()).ids:
                    self.target.revoke_key(by, key)
                raise TargetError(
                    "key-not-new",
                    "The service has answered with what AWSCURRENT holds already, and not with a new key.",
                    "Correct what the provider file reads from the service's answer.",
                )
            clock.before_change()  # the service may have taken long: what is stored late would take AWSPENDING from the next
            if not work.stage(pending) and key:
                stored = readable(work, work.event.token)
                if stored and self.target.key_id(stored) not in (None, key):
                    self.target.revoke_key(by, key)
            return case

        return self._by(work, current, issue)

    def set(self, work: Work) -> None:
        """The guard only: a key is set by being issued."""

    def test(self, work: Work) -> None:
        """The key works. A service may take a moment until it knows a new one."""
        pending = work.read("AWSPENDING")
        self.target.account(pending)
        self._check(pending)

    def finish(self, work: Work) -> str:
        """K2. G5 first: what this version says was not judged before."""
        current, pending = work.read("AWSCURRENT"), work.read("AWSPENDING")
        same_but_for(self.target.credential, current, pending)
        self.target.account(pending)
        clock.before_change()  # two values were read since the guard
        work.promote()
        self._sweep(work, pending, work.secret.version("AWSPREVIOUS"))
        return "K2"

    def tidy(self, work: Work) -> None:
        """K2 again: what a death after the label moved has left."""
        current = work.read("AWSCURRENT")
        self.target.account(current)
        self._sweep(work, current, None)

    def _check(self, pending: Secret) -> None:
        """It works, now or in a moment."""
        for pause in LAG_PAUSES:
            try:
                retried(lambda: self.target.check(pending))
            except LoginRejected:
                time.sleep(min(pause, max(clock.left(), 0)))
            else:
                return
        self.target.check(pending)

    def _require_alive(self, work: Work, current: Secret, pending: Secret) -> None:
        """K1 found a value: an earlier try's. Where its key does not work (any more), no further try helps: as S6."""
        same_but_for(self.target.credential, current, pending)
        self.target.account(pending)
        try:
            self._check(pending)
        except LoginRejected:
            work.give_up_pending()
            raise

    def _by(self, work: Work, current: Secret, act: Callable[[Authority], T]) -> T:
        """By the secret's own key; or by the admin's, for the account that the service says current's key is of (W7)."""
        if not self.target.by_admin:
            return act(Authority(current))
        account = self.target.check(current)
        return work.as_admin(self.target, current, lambda admin: act(Authority(admin, account)))

    def _issued(self, work: Work, by: Authority) -> tuple[Mapping[str, str] | None, str]:
        """The new key's fields and the case; None where another delivery has stored one meanwhile."""
        label = label_of(work.secret.arn, work.event.token)
        try:
            return self.target.issue_key(by, label), "K1"
        except LimitReached as reached:
            full = reached
        # K4: at the limit; make room, by what nobody holds first.
        for _ in self._freed(work, by):
            try:
                return self.target.issue_key(by, label), "K4"
            except LimitReached as reached:
                full = reached
        return None, self._no_room(work, by, label, full)

    def _freed(self, work: Work, by: Authority) -> Iterator[None]:
        """Room made at the limit: by ours that no staged version holds, then by AWSPREVIOUS's. Never by AWSCURRENT's."""
        keys = self.target.keys(by)  # before the description, as in K2
        held, orphans = self._orphans(work, keys, work.still_pending)
        if len(self._refused(by, orphans)) < len(orphans):
            yield
        previous = held.alone("AWSPREVIOUS")
        if previous and self._retired(work, by, previous):
            yield

    def _orphans(
        self, work: Work, keys: Collection[ListedKey], look: Callable[[], Description]
    ) -> tuple[Holdings, list[ListedKey]]:
        """What the staged versions hold by now, and which of these keys none of them does.

        A key whose version shows neither a label nor a value may be the next rotation's, which just does not show yet: the
        second look comes after a while
        """
        held = held_by(work, self.target, look())
        orphans = [key for key in keys if is_orphan(work, held, key, keys)]
        if any(readable(work, version_of(work.secret.arn, key) or "") is None for key in orphans):
            time.sleep(min(sum(LAG_PAUSES), max(clock.left(), 0)))
            held = held_by(work, self.target, look())
            orphans = [key for key in orphans if is_orphan(work, held, key, keys)]
        return held, orphans

    def _refused(self, by: Authority, orphans: Collection[ListedKey]) -> list[ChangeRefused]:
        """Revoke these; why those that the service does not let go are left: one of them must not keep the others."""
        refused = []
        for key in orphans:
            try:
                self.target.revoke_key(by, key.id)
            except ChangeRefused as error:
                refused.append(error)
        return refused

    def _retired(self, work: Work, by: Authority, version: str) -> bool:
        """Whether the key of AWSPREVIOUS is revoked now: by its label, or by its own authority (K3)."""
        value = work.value(version)
        key_id = self.target.key_id(value) if value else None
        for key in self.target.keys(by):
            if key.id == key_id and version_of(work.secret.arn, key):
                self.target.revoke_key(by, key.id)
                return True
            if key.id == key_id and value and not is_labelled(key):
                return revoked_by_itself(self.target, work, value, key.id)
        return False

    def _no_room(self, work: Work, by: Authority, label: str, full: LimitReached) -> str:
        """Nothing may be revoked. Where a key of this very version is in the way, it is one that was never stored."""
        try:
            patiently(lambda: work.store.read_version(work.secret.arn, work.event.token, "AWSPENDING"))
        except NotRotatable:
            # As S6: it may be another delivery's, about to be stored, so it stays; the next rotation's K4 sweeps it.
            if any(key.label == label for key in self.target.keys(by)):
                work.give_up_pending()
            raise full from None
        return "K1"

    def _sweep(self, work: Work, current: Secret, left: str | None) -> None:
        """K2: list the keys, then read what the staged versions hold, and revoke ours that none does; then K3.

        left: the version that AWSCURRENT's move has just put out of AWSPREVIOUS, where that is known
        """
        retried(lambda: self._by(work, current, lambda by: self._swept(work, by, left)))

    def _swept(self, work: Work, by: Authority, left: str | None) -> None:
        keys = self.target.keys(by)
        held, orphans = self._orphans(work, keys, lambda: patiently(lambda: _still_current(work)))
        if held.unknown:
            work.note(f"No key was revoked: {held.unknown}")
            return

        def guard() -> None:
            _still_current(work)

        with clock.guarded_by(guard):
            refused = self._refused(by, orphans)
            sweep_handmade(self.target, work, held, {key.id for key in keys if not is_labelled(key)} - held.ids, left)
            report_foreign(self.target, work, held, keys, left)
        if refused:
            raise refused[0]


def _still_current(work: Work) -> Description:
    """The secret anew; NotRotatable where this rotation is not the latest any more, whose sweep this is."""
    secret = work.store.describe(work.event.secret_id)
    if "AWSCURRENT" not in secret.stages.get(work.event.token, ()) or not secret.rotation_enabled:
        raise NotRotatable(
            "too-late",
            "AWSCURRENT has moved on, or rotation was disabled, while this step was under way.",
            "No key was revoked by it; the next finishSecret revokes what no version holds.",
        )
    return secret

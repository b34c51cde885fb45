"""One step of a rotation, as a strategy sees it, and the two credentials of a setSecret with what else may be asked for.

Current and pending travel in one value, so that no call crosses them. Older versions and the admin cost calls, and are
read only where a case needs them.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from common import admin, clock
from common.errors import LoginRejected, MalformedSecret, NotRotatable, StoreError, TargetError
from common.event import Event
from common.guard import Description, already_done
from common.patience import patiently
from common.secret import Account, Secret
from common.settings import Settings
from common.store import Store
from common.target import Target

T = TypeVar("T")
ANOTHER_LOGIN = 8.0  # seconds that must be left to try one more old version
ADMIN_PAUSE = 1.0  # seconds before an admin secret in mid-rotation is read again


@dataclass(frozen=True)
class Work:
    """One step that the guard let through. secret: as it was then. notes: what an operator should know of this step."""

    event: Event
    store: Store
    secret: Description
    settings: Settings
    notes: list[str]
    _values: dict[str, Secret] = field(default_factory=dict, repr=False)

    def read(self, stage: str) -> Secret:
        """The value of the version that held the label when the step began. A version's value never changes: read once."""
        return patiently(lambda: self._kept(self.secret.require_version(stage), f"{stage} of {self.secret.arn}"))

    def value(self, version: str) -> Secret | None:
        """The value of a version; None where it has none (any more)."""
        try:
            return self._kept(version, f"version {version} of {self.secret.arn}")
        except NotRotatable:
            return None

    def _kept(self, version: str, name: str) -> Secret:
        if version not in self._values:
            self._values[version] = self.store.read_version(self.secret.arn, version, name)
        return self._values[version]

    def age(self, stage: str) -> float | None:
        """Seconds since the value that holds the label was stored; None where this step has not read it."""
        value = self._values.get(self.secret.version(stage) or "")
        return None if value is None or value.stored_at is None else max(0.0, time.time() - value.stored_at)

    def stage(self, pending: Secret) -> bool:
        """Put the value under the event's token as AWSPENDING; False where another value is there already, which stays."""
        return self.store.stage(self.event, pending)

    def promote(self) -> None:
        """One call moves AWSCURRENT. AWSPENDING stays on that version: the service's own end state."""
        self.store.promote(self.secret, self.event.token)

    def give_up_pending(self) -> None:
        """S6: take AWSPENDING off this version, so that a new rotation may choose another password."""
        self.store.unstage(self.secret, self.event.token)

    def note(self, text: str) -> None:
        """Tell the operator, once."""
        if text not in self.notes:
            self.notes.append(text)

    def still_pending(self) -> Description:
        """The guard again, before a change that comes late: NotRotatable where the rotation is over."""
        secret = self.store.describe(self.event.secret_id)
        if already_done(secret, self.event.token):
            raise NotRotatable(
                "too-late",
                "Another delivery of this step has finished the rotation while this one hung.",
                "Nothing was changed, nothing is to be done. If it happens often, look for what delays the function.",
            )
        return secret

    def as_admin(self, target: Target, current: Secret, act: Callable[[Secret], T]) -> T:
        """Let the admin that current names act: W1 and W2 first. An admin secret in mid-rotation is read once more."""
        found = self._admin(target, current)
        try:
            return act(found)
        except LoginRejected:
            time.sleep(min(ADMIN_PAUSE, max(clock.left(), 0)))
        again = self._admin(target, current)
        try:
            return act(again)
        except LoginRejected as rejected:
            raise TargetError(
                "admin-rejected",
                f"The server refuses the admin of {again.name}, also after it was read once more: {rejected.what}",
                "If that secret is being rotated itself, wait until its rotation is over; else correct its password.",
            ) from None

    def _admin(self, target: Target, current: Secret) -> Secret:
        found = admin.read_admin(self.store, self.secret, current)
        ours, its = target.account(current), target.admin_account(found)
        admin.require_same_server(self.store.api, current, ours, its, self.secret.tags)
        return found


@dataclass(frozen=True)
class Rotation:
    """The rotation that one setSecret is part of.

    notes: what could not be tried, for the error that says what was
    """

    work: Work
    current: Secret
    pending: Secret
    target: Target
    notes: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """What holds for this secret."""
        return self.work.settings

    def logins(self, account_of: Secret) -> Iterator[tuple[str, Secret]]:
        """Older versions of the same account, as (what to call it, a login): AWSPREVIOUS, then S4's, newest first.

        The login is `account_of` with the older password; with TLS, if either version asks for it.
        """
        tried = {(self._credential(known), known.tls) for known in (self.current, self.pending)}
        account = self.target.account(account_of)
        for label, older in self._older():
            if self._account(older) != account:
                continue
            login = self._credential(older), account_of.tls or older.tls
            if login not in tried:
                tried.add(login)
                fields = {name: older.get(name) for name in self.target.credential}
                yield label, account_of.with_fields(older.name, **fields, ssl=login[1])

    def as_admin(self, act: Callable[[Secret], T]) -> T:
        """Let the admin act: W1 and W2 first."""
        return self.work.as_admin(self.target, self.current, act)

    def give_up_pending(self) -> None:
        """S6."""
        self.work.give_up_pending()

    def _credential(self, value: Secret) -> tuple[str, ...]:
        return tuple(value.text(name) for name in self.target.credential)

    def _account(self, older: Secret) -> Account | None:
        try:
            _ = older.tls, self._credential(older)
            return self.target.account(older)
        except MalformedSecret:
            return None

    def _older(self) -> Iterator[tuple[str, Secret]]:
        """AWSPREVIOUS, then every version without a label that has a value, as long as there is time."""
        previous = self.work.secret.version("AWSPREVIOUS")
        if previous is not None and (found := self._read(previous)):
            yield "AWSPREVIOUS", found
        for version in self._unlabelled():
            if clock.left() < ANOTHER_LOGIN:
                self.notes.append("There was no time to try all versions without a label.")
                return
            if found := self._read(version):
                yield f"version {version} (without a label)", found

    def _unlabelled(self) -> list[str]:
        try:
            return self.work.store.unlabelled(self.work.secret)
        except StoreError as error:
            self.notes.append(f"Versions without a label were not tried: {error.what}")
            return []

    def _read(self, version: str) -> Secret | None:
        try:
            return self.work.value(version)
        except MalformedSecret:
            return None

"""One rotation, as setSecret sees it: the two credentials together, and what else may be asked for, read when it is.

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
from common.guard import Description
from common.secret import Account, Secret
from common.settings import Settings
from common.store import Store
from common.target import Target

T = TypeVar("T")
ANOTHER_LOGIN = 8.0  # seconds that must be left to try one more old version
ADMIN_PAUSE = 1.0  # seconds before an admin secret in mid-rotation is read again


@dataclass(frozen=True)
class Rotation:
    """The rotation that one setSecret is part of.

    notes: what could not be tried, for the error that says what was
    """

    current: Secret
    pending: Secret
    settings: Settings
    store: Store
    event: Event
    secret: Description
    target: Target
    notes: list[str] = field(default_factory=list)

    def logins(self, account_of: Secret) -> Iterator[tuple[str, Secret]]:
        """Older versions of the same account, as (what to call it, a login): AWSPREVIOUS, then S4's, newest first.

        The login is `account_of` with the older password; with TLS, if either version asks for it.
        """
        tried = {(known.get("password"), known.tls) for known in (self.current, self.pending)}
        account = self.target.account(account_of)
        for label, older in self._older():
            if self._account(older) != account:
                continue
            login = older.get("password"), account_of.tls or older.tls
            if login not in tried:
                tried.add(login)
                yield label, account_of.with_fields(older.name, password=login[0], ssl=login[1])

    def as_admin(self, act: Callable[[Secret], T]) -> T:
        """Let the admin act: W1 and W2 first. An admin secret that is in mid-rotation itself is read once more."""
        found = self._admin()
        try:
            return act(found)
        except LoginRejected:
            time.sleep(min(ADMIN_PAUSE, max(clock.left(), 0)))
        again = self._admin()
        try:
            return act(again)
        except LoginRejected as rejected:
            raise TargetError(
                "admin-rejected",
                f"The server refuses the admin of {again.name}, also after it was read once more: {rejected.what}",
                "If that secret is being rotated itself, wait until its rotation is over; else correct its password.",
            ) from None

    def give_up_pending(self) -> None:
        """S6: take AWSPENDING off this version, so that a new rotation may choose another password."""
        self.store.unstage(self.secret, self.event.token)

    def _admin(self) -> Secret:
        found = admin.read_admin(self.store, self.secret, self.current)
        admin.require_same_server(found, self.current, dict(self.secret.tags), self.target.account)
        return found

    def _account(self, older: Secret) -> Account | None:
        try:
            _ = older.tls
            return self.target.account(older)
        except MalformedSecret:
            return None

    def _older(self) -> Iterator[tuple[str, Secret]]:
        """AWSPREVIOUS, then every version without a label that has a value, as long as there is time."""
        previous = self.secret.version("AWSPREVIOUS")
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
            return self.store.unlabelled(self.secret)
        except StoreError as error:
            self.notes.append(f"Versions without a label were not tried: {error.what}")
            return []

    def _read(self, version: str) -> Secret | None:
        try:
            return self.store.read_version(self.secret.arn, version, f"version {version} of {self.secret.arn}")
        except (NotRotatable, MalformedSecret):
            return None

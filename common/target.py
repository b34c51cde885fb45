"""What a target can do: small abilities, each a Protocol that mypy checks where a strategy is composed with a target.

A target knows one kind of server and nothing of Secrets Manager. Its methods raise LoginRejected (the server knows this
login and refuses it), ChangeRefused, TargetUnavailable (nothing was learned), or TargetError (stop), and never an error
of its driver. Each opens and closes a connection of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from common.password import PasswordPolicy
from common.secret import Account, Secret

SUFFIX = "_clone"


@dataclass(frozen=True)
class Pair:
    """Two users who alternate: the base, and the clone that is made of it."""

    base: str
    clone: str

    @classmethod
    def of(cls, user: str) -> "Pair":
        """The pair that this user, either of the two, belongs to. AWS's own functions name the clone so."""
        base = user.removesuffix(SUFFIX)
        return cls(base, base + SUFFIX)

    def other(self, user: str) -> str:
        """The one that this is not."""
        return self.base if user == self.clone else self.clone


@dataclass(frozen=True)
class Proven:
    """Which accounts have logged in, as `check` answers them: current's, and the other user's, None where none has."""

    current: str
    other: str | None = None


@dataclass(frozen=True)
class Authority:
    """By whose key something is done at a service that issues keys: the secret's own, or an admin's.

    account: what `check` has answered to the secret's own key, where an admin's key acts; None for its own
    """

    login: Secret
    account: str | None = None


@dataclass(frozen=True)
class ListedKey:
    """A live key as the service lists it: by its id, which may be the key itself; never to be logged."""

    id: str = field(repr=False)
    label: str | None


class Target(Protocol):
    """A kind of server that knows logins."""

    @property
    def name(self) -> str:
        """In logs and metrics: "postgres"."""
        ...

    @property
    def credential(self) -> tuple[str, ...]:
        """The fields of a secret's value that a rotation gives anew: what is proved by, beside the user's name."""
        ...

    def account(self, secret: Secret) -> Account:
        """Who logs in where, after checking every field that a login needs; MalformedSecret names the wrong one."""
        ...

    def admin_account(self, admin: Secret) -> Account:
        """The same of an admin's secret; NotRotatable where it is none that may be used here."""
        ...

    def check(self, login: Secret) -> str:
        """Log in, and make sure that the server says it is that user; which of its accounts, in the target's own words."""
        ...


class TakesPasswords(Target, Protocol):
    """A server that takes a password of our choice. `credential` is one field."""

    @property
    def password_policy(self) -> PasswordPolicy:
        """What passwords the server takes."""
        ...


class ChangesPassword(TakesPasswords, Protocol):
    """A server on which a user's password can be set to another one."""

    def change_password(self, login: Secret, pending: Secret) -> None:
        """In one login as `login`, set the password of pending's user, who is the same user, to pending's.

        Called twice with the same arguments the second call raises LoginRejected, as the login's password is gone.
        PolicyRefused where the server's policy refuses the password, ChangeForbidden where the user may not change
        itself. `clock.before_change` is called after the login, directly before the change; so in all that follows.
        """
        ...

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:
        """In one login as the admin, set the password of pending's user.

        proven: which of the user's accounts has logged in (ChangeForbidden says it); None where none has (W6).
        ChangeRefused where that user is the admin itself or a superuser, or has an account that holds what the proven
        one lacks (W5). Called twice, it does it again.
        """
        ...


class RetainsPassword(TakesPasswords, Protocol):
    """A server that keeps two passwords for a user: a primary one, and the one that it had before."""

    def retain_password(self, login: Secret, pending: Secret) -> None:
        """In one login as `login`, make pending's password the primary one and keep `login`'s as the second.

        NotPrimary, and nothing changed, where `login`'s is the second one itself: retaining keeps the primary one.
        ChangeRefused, and nothing changed, where the server has no dual passwords or the user may not use them.
        PolicyRefused where the server's policy refuses the password.
        """
        ...

    def replace_primary(self, login: Secret, pending: Secret, primary: Secret | None) -> bool:
        """In one login as `login`, whose password is the second one and stays that, replace the primary one by pending's.

        primary: who logs in by the primary one, for a server that demands it. False, and nothing changed, where the
        server demands it and this is not it. Called twice, it does it again.
        """
        ...


class ClonesUsers(ChangesPassword, Protocol):
    """A server on which a user can have a second one, its clone, with the same rights."""

    @property
    def username_unit(self) -> Literal["bytes", "characters"]:
        """What the server counts a user's name in; bytes are those of UTF-8."""
        ...

    def longest_username(self, secret: Secret) -> int:
        """How long a user's name may be on this secret's kind of server, in that unit."""
        ...

    def alternate(self, admin: Secret, current: Secret, pending: Secret, pair: "Pair", proven: Proven) -> None:
        """In one login as the admin: make pending's user ready (A2), then let it log in with its password (A3).

        proven: who has logged in. Where nobody has as pending's user, and that exists, TakeoverRefused unless the server
        itself shows that the two belong together (W5). ChangeRefused, before any change, where the clone holds what the
        base lacks. Called twice, it does it again.
        """
        ...

    def check_alternate(self, login: Secret, pair: "Pair") -> None:
        """Log in as either of the pair; TargetError where it is the clone and does not have the base's rights."""
        ...


class IssuesKeys(Target, Protocol):
    """A service that issues keys, several at once for an account, each with a label that we choose.

    `credential` are the fields that a new key fills.
    """

    @property
    def by_admin(self) -> bool:
        """Whether an admin's key issues, lists and revokes; else the account's own keys do."""
        ...

    def key_id(self, value: Secret) -> str | None:
        """The id of the key that this value records; None where it records none."""
        ...

    def proven_key_id(self, login: Secret) -> str | None:
        """Log in; the id of the key that was used, where the service or the login itself proves it. Else None."""
        ...

    def issue_key(self, by: Authority, label: str) -> Mapping[str, str]:
        """A new key with this label: {field of the secret's value: its text}. Each call issues another one.

        LimitReached where the account has too many; none was issued
        """
        ...

    def keys(self, by: Authority) -> list[ListedKey]:
        """Every live key of the account, as far as the service shows them by now."""
        ...

    def revoke_key(self, by: Authority, key_id: str) -> None:
        """End a key. One that is gone already is no error."""
        ...

"""Everything that a rotation reports in its own words.

    RotationError
    ├── MalformedEvent        the event is not one that Secrets Manager sends
    ├── NotRotatable          the secret's state forbids this step (G1, G2, G4, G5)
    ├── MalformedSecret       a field of the secret's value is missing or makes no sense
    ├── BadSetting            a tag or an environment variable makes no sense
    ├── StoreError            Secrets Manager refused, or did not answer
    ├── UnexpectedError       none of these: a defect of ours, told by its type and frames
    └── TargetError           the secret's server cannot be used as the secret says: stop, trying again is no use
        ├── LoginRejected     the server knows the login and refuses it: go on to the next credential
        ├── ChangeRefused     logged in, but the server refuses the change
        │   ├── PolicyRefused     its password policy does: another password may do (S6)
        │   ├── ChangeForbidden   the user may not change its own password: an admin may (S1b)
        │   ├── TakeoverRefused   the other user is not provably this secret's (W5)
        │   ├── DualRefused       no second password is kept for this user (D3)
        │   ├── LimitReached      the account has as many keys as the service allows (K4)
        │   └── NotPrimary        it came with the second of the two passwords that the server keeps (D2)
        └── TargetUnavailable no answer about the login: stop, and try again later

Every error carries a code that never changes (the table is docs/errors.md), what happened, and what to do about it. Its
text is ours: it never quotes a driver's exception, which may hold a password or a statement.
"""


class RotationError(Exception):
    """A failure in our words.

    code: stable and kebab-case, for alarms and for looking it up in docs/errors.md
    what: what happened, naming the secret's field, the login and the server
    fix: what an operator does about it
    """

    def __init__(self, code: str, what: str, fix: str) -> None:
        super().__init__(code, what, fix)
        self.code, self.what, self.fix = code, what, fix

    def __str__(self) -> str:
        return f"{self.what} {self.fix} [{self.code}]"


class MalformedEvent(RotationError):
    """The event is not one that Secrets Manager sends."""


class NotRotatable(RotationError):
    """The secret's state forbids this step: G1, G2, G4, G5."""


class MalformedSecret(RotationError):
    """A field of the secret's value is missing or makes no sense."""


class BadSetting(RotationError):
    """A tag or an environment variable makes no sense."""


class StoreError(RotationError):
    """Secrets Manager refused a call, or did not answer it."""


class UnexpectedError(RotationError):
    """A defect of ours, reported by type and frames: its message may hold anything."""


class TargetError(RotationError):
    """The server cannot be used as the secret says (TLS, database, …): trying again changes nothing."""


class LoginRejected(TargetError):
    """The server refuses this user with this password. Another credential may do."""


class ChangeRefused(TargetError):
    """Logged in, but the server refuses the change."""


class PolicyRefused(ChangeRefused):
    """The server's password policy refuses the password. Another one may do."""


class ChangeForbidden(ChangeRefused):
    """The user may not change its own password. An admin may.

    proven: which of the user's accounts it was that logged in, where a user has several; in the target's own words
    """

    def __init__(self, code: str, what: str, fix: str, proven: str | None = None) -> None:
        super().__init__(code, what, fix)
        self.proven = proven


class TakeoverRefused(ChangeRefused):
    """The other user exists, and taking it over could give somebody what he has not: W5."""


class DualRefused(ChangeRefused):
    """The server, or the user's rights, know no second password: D3. Nothing was changed."""


class LimitReached(ChangeRefused):
    """No further key is issued before another one is revoked: K4. None was issued."""


class NotPrimary(ChangeRefused):
    """Logged in with the second of two passwords, where only the primary one may be retained: D2."""


class TargetUnavailable(TargetError):
    """Nothing was learned about the login: not reached, too busy, timed out. Worth another try."""

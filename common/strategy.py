"""Strategies: who the pending credential is, and how it gets accepted.

A strategy decides; the target does. The numbered cases (S1, S2, …) are those of docs/how-it-works.md; log lines, tests
and comments use the numbers.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from common.errors import LoginRejected, MalformedSecret
from common.guard import same_but_for
from common.secret import Secret
from common.settings import Settings
from common.target import ChangesPassword, Target

OlderVersion: TypeAlias = Callable[[], Secret | None]


class Strategy(Protocol):
    """What the engine asks of a strategy, one method a step."""

    @property
    def name(self) -> str:
        """As the tag `rotation:strategy` names it."""
        ...

    @property
    def target(self) -> Target:
        """The server that it rotates."""
        ...

    def propose(self, current: Secret, settings: Settings, name: str) -> Secret:
        """createSecret: the value to stage, called `name` in errors. Nothing is changed anywhere."""
        ...

    def judge(self, current: Secret, pending: Secret) -> None:
        """G5: NotRotatable where pending is not what `propose` could have made of current."""
        ...

    def accept(self, current: Secret, pending: Secret, previous: OlderVersion) -> str:
        """setSecret: make the server accept pending; answers the number of the case that applied."""
        ...


class SingleUser:
    """One user, who changes his own password. From setSecret to finishSecret AWSCURRENT is refused: inherent, and short."""

    name = "single-user"

    def __init__(self, target: ChangesPassword) -> None:
        self.target = target

    def propose(self, current: Secret, settings: Settings, name: str) -> Secret:
        """The same account with a new password."""
        password = settings.password_recipe(self.target.password_policy).make()
        return current.with_fields(name, password=password)

    def judge(self, current: Secret, pending: Secret) -> None:
        """G5 and W4: another password, nothing else."""
        same_but_for({"password"}, current, pending)

    def accept(self, current: Secret, pending: Secret, previous: OlderVersion) -> str:
        """S1 to S3; S1b and S4 to S6 have their place here, in this order.

        current is tried first: it is right in every normal rotation, so no login fails and no lock-out comes nearer.
        """
        # S1: as current, in its one login, change the password.
        try:
            self.target.change_password(current, pending)
        except LoginRejected as rejected:
            refused = rejected
        else:
            return "S1"
        # S2: current rejected, pending logs in: an earlier try came this far.
        if self._logs_in(pending):
            return "S2"
        # S3: previous logs in: somebody, or an abandoned rotation, left the server one version behind.
        tried = ["AWSCURRENT", "AWSPENDING"]
        login = self._as_current(current, previous())
        if login is not None:
            tried.append("AWSPREVIOUS")
            try:
                self.target.change_password(login, pending)
            except LoginRejected:
                pass
            else:
                return "S3"
        raise nobody_logs_in(str(self.target.account(current)), tried, refused)

    def _logs_in(self, login: Secret) -> bool:
        try:
            self.target.check(login)
        except LoginRejected:
            return False
        return True

    def _as_current(self, current: Secret, older: Secret | None) -> Secret | None:
        """current with the older version's password, where both are the same account; TLS if either asks for it."""
        try:
            if older is None or self.target.account(older) != self.target.account(current):
                return None
            tls = current.tls or older.tls
        except MalformedSecret:
            return None
        return current.with_fields(older.name, password=older["password"], ssl=tls)


def nobody_logs_in(account: str, tried: list[str], first: LoginRejected) -> LoginRejected:
    """No case applies: what was tried, the likely causes, the fix for each."""
    return LoginRejected(
        "no-login-works",
        f"The server refuses {account} with the password of {', '.join(tried)}. For AWSCURRENT: {first.what}",
        "Likely causes: the password was changed by hand (put the one that works into the secret by PutSecretValue), a "
        "second secret rotates the same user (keep one), or an earlier rotation was abandoned after its setSecret (its "
        "password is in a version without a label). Then rotate again; docs/runbook.md has the commands.",
    )

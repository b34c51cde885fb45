"""Strategies: who the pending credential is, and how it gets accepted.

A strategy decides; the target does. The numbered cases (S1, A1, …) are those of docs/how-it-works.md; log lines, tests
and comments use the numbers.
"""

from typing import Protocol

from common.chosen_password import ChoosesPassword
from common.errors import (
    ChangeForbidden,
    LoginRejected,
    MalformedSecret,
    NotRotatable,
    PolicyRefused,
    TakeoverRefused,
)
from common.guard import same_but_for
from common.logins import accepted_already, as_whoever_logs_in, login_as, nobody_logs_in
from common.rotation import Rotation, Work
from common.secret import Secret
from common.settings import Settings
from common.target import ChangesPassword, ClonesUsers, Pair, Proven, TakesPasswords, Target


class Strategy(Protocol):
    """What the engine asks of a strategy, one method a step; each answers the number of the case that applied, if any."""

    @property
    def name(self) -> str:
        """As the tag `rotation:strategy` names it."""
        ...

    @property
    def target(self) -> Target:
        """The server that it rotates."""
        ...

    def create(self, work: Work) -> str | None:
        """createSecret: a value is staged under the event's token. What is staged already stays."""
        ...

    def set(self, work: Work) -> str | None:
        """setSecret: the server accepts pending."""
        ...

    def test(self, work: Work) -> str | None:
        """testSecret: pending logs in, and has what it can show alone. RotateImmediately=false calls nothing else."""
        ...

    def finish(self, work: Work) -> str | None:
        """finishSecret: AWSCURRENT moves."""
        ...

    def tidy(self, work: Work) -> None:
        """finishSecret once more, after AWSCURRENT has moved (G3): whatever is left to do."""
        ...


class OneUser(ChoosesPassword):
    """What strategies for one user have in common: only the password changes."""

    def __init__(self, target: TakesPasswords) -> None:
        self.target = target

    def propose(self, current: Secret, settings: Settings, name: str) -> Secret:
        """The same account with a new password."""
        return self._with_new_password(current, settings, name)

    def judge(self, current: Secret, pending: Secret) -> None:
        """G5 and W4: another password, nothing else."""
        same_but_for(self.target.credential, current, pending)

    def prove(self, pending: Secret) -> None:
        """Pending logs in."""
        self.target.check(pending)


class SingleUser(OneUser):
    """One user, who changes his own password. From setSecret to finishSecret AWSCURRENT is refused: inherent, and short."""

    name = "single-user"
    target: ChangesPassword

    def __init__(self, target: ChangesPassword) -> None:
        super().__init__(target)

    def accept(self, rotation: Rotation) -> str:
        """S1 to S6. AWSCURRENT first: it is right in every normal rotation, so no login fails and no lock-out nears."""
        try:
            return self._accept(rotation)
        except PolicyRefused:
            if accepted_already(self.target, rotation):
                return "S6"
            raise

    def _accept(self, rotation: Rotation) -> str:
        try:
            return as_whoever_logs_in(self.target, rotation, lambda login, case: self._change(rotation, login, case))
        except LoginRejected:
            # S5: the admin, where the tag names the very user (W6).
            user = self.target.account(rotation.current).user
            if not (rotation.current.admin and rotation.settings.reconciles(user)):
                raise
        rotation.as_admin(lambda admin: self.target.reset_password(admin, rotation.pending))
        return "S5"

    def _change(self, rotation: Rotation, login: Secret, case: str) -> str:
        """Change the password in this login; by the admin (S1b) where the user may not change itself."""
        try:
            self.target.change_password(login, rotation.pending)
        except ChangeForbidden as forbidden:
            if rotation.current.admin is None:
                raise
            proven = forbidden.proven
            rotation.as_admin(lambda admin: self.target.reset_password(admin, rotation.pending, proven))
            return f"{case}b"
        return case


class AlternatingUsers(ChoosesPassword):
    """Two users with the same rights, by turns: the admin readies the one that nobody uses. AWSCURRENT always works."""

    name = "alternating-users"
    target: ClonesUsers

    def __init__(self, target: ClonesUsers) -> None:
        self.target = target

    def propose(self, current: Secret, settings: Settings, name: str) -> Secret:
        """The other user of the pair, with a new password."""
        if current.admin is None:
            raise MalformedSecret(
                "secret-field-missing",
                f"The field 'masterarn' of {current.name} is missing: alternating users need an admin.",
                "Add the ARN of the admin's secret, or set the tag rotation:strategy to single-user.",
            )
        pair = self._pair(current)
        limit = settings.username_limit(self.target.longest_username(current))
        unit = self.target.username_unit
        if len(pair.clone.encode() if unit == "bytes" else pair.clone) > limit:
            raise current.wrong("username", f"leaves no room for the clone {pair.clone!r}: {limit} {unit} at most")
        return self._with_new_password(current, settings, name, username=pair.other(current.text("username")))

    def judge(self, current: Secret, pending: Secret) -> None:
        """G5 and W4: another password, and exactly current's other name."""
        same_but_for((*self.target.credential, "username"), current, pending)
        expected = self._pair(current).other(current.text("username"))
        if pending.text("username") != expected:
            raise NotRotatable(
                "pending-differs",
                f"The user of {pending.name} is not {expected!r}, AWSCURRENT's other one.",
                "Nothing was changed. Somebody wrote this version, or the strategy was changed in mid-rotation: remove "
                "AWSPENDING from it by UpdateSecretVersionStage, then rotate again.",
            )

    def prove(self, pending: Secret) -> None:
        """Pending logs in; a clone is a member of its base."""
        self.target.check_alternate(pending, self._pair(pending))

    def accept(self, rotation: Rotation) -> str:
        """A1 to A4."""
        case, own = self._prove_current(rotation)
        try:
            try:
                self._ready(rotation, Proven(own))
            except TakeoverRefused:
                # W5: a version of this secret that names the other user must log in as it.
                found = (login_as(self.target, login) for _, login in rotation.logins(rotation.pending))
                other = next((account for account in found if account is not None), None)
                if other is None:
                    raise
                self._ready(rotation, Proven(own, other))
        except PolicyRefused:
            if accepted_already(self.target, rotation):
                return "A3"
            raise  # A4
        return case

    def _prove_current(self, rotation: Rotation) -> tuple[str, str]:
        """A1: somebody who knows a password of current's user has written this secret. That is the proof.

        The case, and as which account it has logged in
        """
        try:
            return "A3", self.target.check(rotation.current)
        except LoginRejected as rejected:
            refused = rejected
        tried = ["AWSCURRENT"]
        for label, login in rotation.logins(rotation.current):
            tried.append(label)
            own = login_as(self.target, login)
            if own is not None:
                return "A1", own
        raise nobody_logs_in(str(self.target.account(rotation.current)), tried, rotation.notes, refused)

    def _ready(self, rotation: Rotation, proven: Proven) -> None:
        """A2 and A3, on one connection of the admin's."""
        pair = self._pair(rotation.current)
        rotation.as_admin(lambda admin: self.target.alternate(admin, rotation.current, rotation.pending, pair, proven))

    def _pair(self, secret: Secret) -> Pair:
        return Pair.of(secret.text("username"))

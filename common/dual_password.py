"""The strategy for servers that keep two passwords for a user: AWSCURRENT logs in at every instant, with one user.

The server keeps a primary password and a second one. Retaining keeps the *primary* one, not the one that somebody came
with: after an abandoned rotation, whose password is primary, a naive retain would drop AWSCURRENT's. So it is done only
where the server itself confirms that AWSCURRENT's is the primary one (D1); else the primary one is replaced and the
second one, AWSCURRENT's, stays (D2). No login can tell which is which; the server's REPLACE can.
"""

from common.errors import DualRefused, NotPrimary, PolicyRefused, TargetUnavailable
from common.logins import accepted_already, as_whoever_logs_in, logs_in
from common.rotation import Rotation
from common.secret import Secret
from common.strategy import OneUser
from common.target import RetainsPassword


class DualPassword(OneUser):
    """One user with two passwords. AWSPREVIOUS logs in until the next rotation's setSecret."""

    name = "dual-password"
    target: RetainsPassword

    def __init__(self, target: RetainsPassword) -> None:
        super().__init__(target)

    def accept(self, rotation: Rotation) -> str:
        """D1 to D5."""
        try:
            case = as_whoever_logs_in(self.target, rotation, lambda login, case: self._retain(rotation, login, case))
        except PolicyRefused:
            if accepted_already(self.target, rotation):
                return "D5"
            raise
        except DualRefused:
            rotation.give_up_pending()  # D3: nothing was changed, and nothing will be by trying again
            raise
        return case if case.startswith("D") else "D4"

    def _retain(self, rotation: Rotation, login: Secret, case: str) -> str:
        """D1, or D2 where the login's password is the second one; D4 where it is not AWSCURRENT's."""
        try:
            self.target.retain_password(login, rotation.pending)
        except NotPrimary as second:
            if case != "S1" and logs_in(self.target, rotation.current):
                raise _wavers(rotation) from None  # its password may be the primary one, which would be replaced
            self._replace(rotation, login, second)
            return "D2" if case == "S1" else "D4"
        return "D1" if case == "S1" else "D4"

    def _replace(self, rotation: Rotation, login: Secret, second: NotPrimary) -> None:
        """D2: the primary one is what an abandoned rotation has left, or pending's own: then it is done."""
        if logs_in(self.target, rotation.pending) or self.target.replace_primary(login, rotation.pending, None):
            return
        # The server demands to be shown the primary password: the version besides that logs in has it.
        for _, other in rotation.logins(rotation.current):
            if logs_in(self.target, other) and self.target.replace_primary(login, rotation.pending, other):
                return
        raise second


def _wavers(rotation: Rotation) -> TargetUnavailable:
    return TargetUnavailable(
        "login-wavers",
        f"The server refused {rotation.current.name}, and takes it a moment later.",
        "It is tried again. If it stays: look for two servers behind one name, and for a proxy's own list of users.",
    )

"""Who logs in: the credentials of a rotation tried in their order, one login each, and what it means where none does."""

from collections.abc import Callable

from common.errors import LoginRejected
from common.rotation import Rotation
from common.secret import Secret
from common.target import Target


def as_whoever_logs_in(target: Target, rotation: Rotation, change: Callable[[Secret, str], str]) -> str:
    """S1 to S4: `change` in the first login that the server takes, given its case, answers the case that applied.

    LoginRejected, saying what was tried, where the server takes none
    """
    # S1: as current, in its one login.
    try:
        return change(rotation.current, "S1")
    except LoginRejected as rejected:
        refused = rejected
    # S2: current rejected, pending logs in: an earlier try came this far.
    if logs_in(target, rotation.pending):
        return "S2"
    tried = ["AWSCURRENT", "AWSPENDING"]
    # S3: previous logs in. S4: a version without a label does, which an abandoned rotation has left.
    for label, login in rotation.logins(rotation.current):
        tried.append(label)
        try:
            return change(login, "S3" if label == "AWSPREVIOUS" else "S4")
        except LoginRejected:
            continue
    raise nobody_logs_in(str(target.account(rotation.current)), tried, rotation.notes, refused)


def accepted_already(target: Target, rotation: Rotation) -> bool:
    """S6, A4, D5: the server's policy refuses pending, which an earlier try may have set: a history refuses it then.

    Else this rotation is given up, so that a new one may choose again.
    """
    if logs_in(target, rotation.pending):
        return True
    rotation.give_up_pending()
    return False


def logs_in(target: Target, login: Secret) -> bool:
    """Whether the server takes this login."""
    return login_as(target, login) is not None


def login_as(target: Target, login: Secret) -> str | None:
    """Which account the server says that this login is; None where it refuses it."""
    try:
        return target.check(login)
    except LoginRejected:
        return None


def nobody_logs_in(account: str, tried: list[str], notes: list[str], first: LoginRejected) -> LoginRejected:
    """No case applies: what was tried, the likely causes, the fix for each."""
    return LoginRejected(
        "no-login-works",
        " ".join(
            [
                f"The server refuses {account} with the password of {', '.join(tried)}.",
                f"For AWSCURRENT: {first.what}",
                *notes,
            ]
        ),
        "Likely causes: the password was changed by hand (put the one that works into the secret by PutSecretValue), a "
        "second secret rotates the same user (keep one), the user's validity has ended (PostgreSQL's VALID UNTIL), or an abandoned rotation (its password may be in a version "
        "without a label). Then rotate again; docs/runbook.md has the commands. Where the secret names an admin, the "
        "tag rotation:reconcile with the user's name lets it reset the password.",
    )

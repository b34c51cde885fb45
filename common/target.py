"""What a target can do: small abilities, each a Protocol that mypy checks where a strategy is composed with a target.

A target knows one kind of server and nothing of Secrets Manager. Its methods raise LoginRejected (the server knows this
login and refuses it), ChangeRefused, TargetUnavailable (nothing was learned), or TargetError (stop), and never an error
of its driver. Each opens and closes a connection of its own.
"""

from typing import Protocol

from common.password import PasswordPolicy
from common.secret import Account, Secret


class Target(Protocol):
    """A kind of server that knows logins."""

    @property
    def name(self) -> str:
        """In logs and metrics: "postgres"."""
        ...

    def account(self, secret: Secret) -> Account:
        """Who logs in where, after checking every field that a login needs; MalformedSecret names the wrong one."""
        ...

    def check(self, login: Secret) -> None:
        """Log in, and make sure that the server says it is that user."""
        ...


class ChangesPassword(Target, Protocol):
    """A server on which a user's password can be set to one that we choose."""

    @property
    def password_policy(self) -> PasswordPolicy:
        """What passwords the server takes."""
        ...

    def change_password(self, login: Secret, pending: Secret) -> None:
        """In one login as `login`, set the password of pending's user, who is the same user, to pending's.

        Called twice with the same arguments the second call raises LoginRejected, as the login's password is gone.
        """
        ...

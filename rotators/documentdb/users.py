"""Users as usersInfo shows them, and what an admin may do to them. A user is a name with its authentication database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from common.errors import ChangeForbidden, ChangeRefused
from rotators.documentdb.session import Session

# Built-in roles by which a user may give himself any right, or read or write what users are kept in.
POWERS = {"root", "__system", "userAdminAnyDatabase", "restore", "backup"}
_OVER_ADMIN = {"userAdmin", "dbOwner"}  # on the database admin
Role = tuple[str, str]  # its name, its database


@dataclass(frozen=True)
class User:
    """A user. restrictions: its authenticationRestrictions, as the server has them."""

    name: str
    database: str
    roles: frozenset[Role]
    mechanisms: frozenset[str]
    restrictions: tuple[Any, ...]

    @property
    def roles_and_restrictions(self) -> dict[str, Any]:
        """What can be changed without a password."""
        return {name: value for name, value in self.fields.items() if name != "mechanisms"}

    @property
    def fields(self) -> dict[str, Any]:
        """What a clone has as its base has it, for createUser and updateUser."""
        found: dict[str, Any] = {"roles": [{"role": role, "db": db} for role, db in sorted(self.roles)]}
        if self.mechanisms:
            found["mechanisms"] = sorted(self.mechanisms)
        if self.restrictions:
            found["authenticationRestrictions"] = list(self.restrictions)
        return found

    def is_like(self, other: "User") -> bool:
        """Whether it may do the same; the mechanisms are set with the password."""
        return (self.roles, self.restrictions) == (other.roles, other.restrictions)

    def __str__(self) -> str:
        return f"'{self.name}' of the database {self.database!r}"


def read_user(session: Session, name: str, database: str) -> User | None:
    """The user; None where there is none."""
    asked = {"usersInfo": {"user": name, "db": database}}
    with admins(session, "see users", "viewUser (userAdmin or userAdminAnyDatabase)"):
        try:
            answer = session.run(database, {**asked, "showAuthenticationRestrictions": True})
        except ChangeForbidden:
            raise
        except ChangeRefused:  # a server that has no such restrictions, as DocumentDB
            answer = session.run(database, asked)
        found = answer.get("users", [])
    for one in found:
        roles = frozenset((role["role"], role["db"]) for role in one.get("roles", []))
        restrictions = tuple(one.get("authenticationRestrictions") or ())
        return User(name, database, roles, frozenset(one.get("mechanisms", [])), restrictions)
    return None


def require_resettable(session: Session, user: User | None, name: str) -> User:
    """W5 for an admin who sets a password: the user is there, is not the admin, and has no power over others."""
    if user is None:
        raise ChangeRefused("user-missing", f"There is no user {name!r}.", "Create it, or correct 'username'.")
    if (user.name, user.database) == (session.name, session.database):
        raise ChangeRefused(
            "admin-is-the-user",
            f"The secret's user {user} is the admin itself.",
            "Rotate the admin by a secret of its own.",
        )
    powers = sorted(role for role, db in user.roles if role in POWERS or (role in _OVER_ADMIN and db == "admin"))
    if powers:
        raise ChangeRefused(
            "user-is-superuser",
            f"{user} has the role {powers[0]}: an admin does not change it for a secret.",
            "Rotate it by itself, with the strategy single-user and without an admin.",
        )
    return user


@contextmanager
def admins(session: Session, what: str, remedy: str) -> Iterator[None]:
    """Where the admin may not, the error says what, and what lets it."""
    try:
        yield
    except ChangeForbidden:
        raise ChangeRefused(
            "admin-lacks-right",
            f"The admin {session.name!r} may not {what}. Nothing was changed.",
            f"Grant it {remedy}.",
        ) from None

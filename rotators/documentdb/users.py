"""Users as usersInfo shows them, and what an admin may do to them. A user is a name with its authentication database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from common.errors import ChangeForbidden, ChangeRefused
from rotators.documentdb.session import Document, Session

# Built-in roles by which a user may give himself any right, or read or write what users are kept in.
POWERS = {"root", "__system", "userAdminAnyDatabase", "restore", "backup"}
_OVER_ADMIN = {"userAdmin", "dbOwner"}  # on the database admin
Role = tuple[str, str]  # its name, its database


@dataclass(frozen=True)
class User:
    """A user.

    roles: its own. inherited: those and what they contain, where the server says it. mechanisms: SCRAM's that it may log in by;
    none where the server does not say it. restrictions: its authenticationRestrictions, as the server has them
    """

    name: str
    database: str
    roles: frozenset[Role]
    inherited: frozenset[Role]
    mechanisms: frozenset[str]
    restrictions: tuple[Any, ...]

    @property
    def roles_and_restrictions(self) -> dict[str, Any]:
        """What can be changed without a password. DocumentDB knows no restrictions: they are named where there are any."""
        roles = [{"role": role, "db": db} for role, db in sorted(self.roles)]
        return {
            "roles": roles,
            **({"authenticationRestrictions": list(self.restrictions)} if self.restrictions else {}),
        }

    def with_password(self, password: str) -> dict[str, Any]:
        """A new password, for the mechanisms that it has: where none are named the server takes all that it knows."""
        return {"pwd": password, **({"mechanisms": sorted(self.mechanisms)} if self.mechanisms else {})}

    def is_like(self, other: "User") -> bool:
        """Whether it may do the same; the mechanisms are set with the password."""
        return (self.roles, self.restrictions) == (other.roles, other.restrictions)

    def gains(self, other: "User") -> list[str]:
        """What the other user has, or is spared, that this one has not."""
        more = shown(other.roles - self.roles)
        freer = self.restrictions and other.restrictions != self.restrictions
        return [*more, "other authenticationRestrictions"] if freer else more

    def __str__(self) -> str:
        return f"'{self.name}' of the database {self.database!r}"


def shown(roles: frozenset[Role]) -> list[str]:
    """Roles in words."""
    return [f"{role} on {db}" for role, db in sorted(roles)]


def read_user(session: Session, name: str, database: str) -> User | None:
    """The user; None where there is none. Its database is the one that the server answers: DocumentDB keeps all in `admin`."""
    asked = {"usersInfo": {"user": name, "db": database}}
    with admins(session, "see users", "viewUser (userAdmin or userAdminAnyDatabase)"):
        try:
            answer = session.run(database, {**asked, "showAuthenticationRestrictions": True})
        except ChangeForbidden:
            raise
        except ChangeRefused:  # a server that has no such restrictions, as DocumentDB
            answer = session.run(database, asked)
    return next((_user(one, database) for one in answer.get("users", []) if one.get("user") == name), None)


def read_itself(session: Session) -> User | None:
    """The user that has logged in, as far as it may see itself; MongoDB always lets it."""
    try:
        answer = session.run(session.database, {"usersInfo": {"user": session.name, "db": session.database}})
    except ChangeRefused:
        return None
    return next(
        (_user(one, session.database) for one in answer.get("users", []) if one.get("user") == session.name), None
    )


def _user(found: Document, database: str) -> User:
    roles = _roles(found.get("roles", []))
    mechanisms = frozenset(one for one in found.get("mechanisms", []) if one.startswith("SCRAM-"))
    restrictions = tuple(found.get("authenticationRestrictions") or ())
    inherited = roles | _roles(found.get("inheritedRoles", []))
    return User(found["user"], found.get("db", database), roles, inherited, mechanisms, restrictions)


def _roles(found: list[Document]) -> frozenset[Role]:
    return frozenset((role["role"], role["db"]) for role in found)


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
    powers = sorted(role for role, db in user.inherited if role in POWERS or (role in _OVER_ADMIN and db == "admin"))
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

"""What FerretDB does not keep of a user, and what MongoDB and DocumentDB say to commands about users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Name = tuple[str, str]  # of a user: its name, its database
BOTH = ("SCRAM-SHA-1", "SCRAM-SHA-256")
# The fields that each command has, beside those that any command may have.
FIELDS = {
    "createUser": {"pwd", "customData", "roles", "digestPassword", "authenticationRestrictions", "mechanisms"},
    "updateUser": {"pwd", "customData", "roles", "digestPassword", "authenticationRestrictions", "mechanisms"},
    "usersInfo": {"showAuthenticationRestrictions", "showCredentials", "showCustomData", "showPrivileges", "filter"},
}
GENERIC = {"$db", "lsid", "$clusterTime", "$readPreference", "comment", "writeConcern", "maxTimeMS"}
NOT_DOCUMENTDB = {"authenticationRestrictions", "showAuthenticationRestrictions"}  # AWS's pages do not know them
BAD_VALUE, USER_NOT_FOUND, UNAUTHORIZED, UNKNOWN_FIELD, DUPLICATE = 2, 11, 13, 40415, 51003
CHANGES_ITSELF, MANAGES_USERS = "changeOwnPassword", "userAdminAnyDatabase"


@dataclass
class User:
    """may: CHANGES_ITSELF, MANAGES_USERS. inherited: the roles that its roles contain."""

    roles: list[Document]
    mechanisms: Sequence[str] = BOTH
    restrictions: list[Document] = field(default_factory=list)
    may: frozenset[str] = frozenset([CHANGES_ITSELF])
    inherited: list[Document] = field(default_factory=list)


class Refused(Exception):
    """With the server's code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.answer: dict[str, Any] = {"ok": 0.0, "errmsg": text, "code": code, "codeName": str(code)}


@dataclass
class Users:
    """Every user that the tests know. flavour: "mongodb" or "documentdb", which keeps all users in `admin`."""

    flavour: str
    known: dict[Name, User] = field(default_factory=dict)

    def where(self, database: str) -> str:
        """The database whose users a command on this one is about."""
        return "admin" if self.flavour == "documentdb" else database

    def before(self, command: Document, by: Name) -> Document | None:
        """Judge a command and do what is ours of it; what is FerretDB's part of it, None where it has none."""
        verb = next(iter(command))
        if verb not in FIELDS:
            return command
        unknown = set(command) - {verb} - FIELDS[verb] - GENERIC
        unknown |= NOT_DOCUMENTDB & set(command) if self.flavour == "documentdb" else set()
        if unknown:
            raise Refused(UNKNOWN_FIELD, f"BSON field '{verb}.{min(unknown)}' is an unknown field.")
        return {"createUser": self._create, "updateUser": self._update, "usersInfo": self._info}[verb](command, by)

    def after(self, command: Document, answer: Document) -> Document:
        """FerretDB's answer with what it lacks."""
        if next(iter(command)) != "usersInfo" or not answer.get("ok"):
            return answer
        described = [self._described(user, command) for user in answer.get("users", [])]
        return {**answer, "users": [user for user in described if user is not None]}

    def _described(self, user: Document, command: Document) -> Document | None:
        asked = command["usersInfo"]
        name = (user["user"], self.where(asked["db"] if isinstance(asked, dict) else command["$db"]))
        known = self.known.get(name)
        if known is None:
            return user if name[0] not in {one for one, _ in self.known} else None
        shown = {**user, "db": name[1], "roles": known.roles}
        if self.flavour == "mongodb":
            shown["mechanisms"] = list(known.mechanisms)
        if command.get("showAuthenticationRestrictions") or command.get("showPrivileges"):
            shown["inheritedRoles"] = [*known.roles, *known.inherited]
        if command.get("showAuthenticationRestrictions") and known.restrictions:
            shown["authenticationRestrictions"] = known.restrictions
        return shown

    def _may(self, by: Name, needed: str) -> bool:
        return by not in self.known or needed in self.known[by].may

    def _create(self, command: Document, by: Name) -> Document:
        name = (command["createUser"], self.where(command["$db"]))
        if not self._may(by, MANAGES_USERS):
            raise Refused(UNAUTHORIZED, f"Not authorized to create users on db: {name[1]}")
        if name in self.known:
            raise Refused(DUPLICATE, f'User "{name[0]}@{name[1]}" already exists')
        mechanisms = _mechanisms(command) or BOTH
        self.known[name] = User(command["roles"], mechanisms, command.get("authenticationRestrictions", []))
        return _sent(command, {"createUser": name[0], "pwd": command["pwd"], "roles": FERRETDB_ROLES})

    def _update(self, command: Document, by: Name) -> Document | None:
        name = (command["updateUser"], self.where(command["$db"]))
        itself = (
            name == by and self._may(by, CHANGES_ITSELF) and not {"roles", "authenticationRestrictions"} & set(command)
        )
        if not itself and not self._may(by, MANAGES_USERS):
            raise Refused(UNAUTHORIZED, f"Not authorized to change password of user: {name[0]}@{name[1]}")
        known = self.known.get(name)
        if known is None:
            raise Refused(USER_NOT_FOUND, f"User {name[0]}@{name[1]} not found")
        mechanisms = _mechanisms(command)
        if "pwd" in command:
            known.mechanisms = mechanisms or BOTH  # not named, they are the server's own
        elif mechanisms:
            if not set(mechanisms) <= set(known.mechanisms):
                raise Refused(BAD_VALUE, "mechanisms field must be a subset of previously set mechanisms")
            known.mechanisms = mechanisms
        known.roles = command.get("roles", known.roles)
        known.restrictions = command.get("authenticationRestrictions", known.restrictions)
        return _sent(command, {"updateUser": name[0], "pwd": command["pwd"]}) if "pwd" in command else None

    def _info(self, command: Document, by: Name) -> Document:
        asked = command["usersInfo"]
        if not isinstance(asked, dict):
            return command
        name = (asked["user"], self.where(asked["db"]))
        if name != by and not self._may(by, MANAGES_USERS):
            raise Refused(UNAUTHORIZED, f"Not authorized to view users from the {name[1]} database")
        return _sent(command, {"usersInfo": {"user": name[0], "db": "admin"}})


FERRETDB_ROLES = [{"role": "readWriteAnyDatabase", "db": "admin"}, {"role": "clusterAdmin", "db": "admin"}]


def _sent(command: Mapping[str, Any], fields: Document) -> Document:
    """What FerretDB is sent: these fields, on `admin`."""
    return {**fields, **{name: value for name, value in command.items() if name in GENERIC}, "$db": "admin"}


def _mechanisms(command: Document) -> Sequence[str] | None:
    mechanisms: Sequence[str] | None = command.get("mechanisms")
    if mechanisms is not None and (not mechanisms or not set(mechanisms) <= set(BOTH)):
        raise Refused(BAD_VALUE, "mechanisms field must not be empty, nor name an unknown one")
    return mechanisms

"""MongoDB's users of the test kit: what it lets be done, and what not, as MongoDB's manual and source say."""

from typing import Any

import pymongo.common
import pytest

from testkit.mongodb.users import BOTH, MANAGES_USERS, Refused, User, Users

BOSS, APP = ("boss", "admin"), ("app", "admin")


def users(flavour: str = "mongodb") -> Users:
    """An admin and a user."""
    known = {BOSS: User([], may=frozenset([MANAGES_USERS])), APP: User([{"role": "read", "db": "shop"}])}
    return Users(flavour, known)


def refused(made: Users, command: dict[str, Any], by: tuple[str, str]) -> int:
    """The code by which a command is refused."""
    with pytest.raises(Refused) as error:
        made.before({**command, "$db": command.get("$db", "admin")}, by)
    code: int = error.value.answer["code"]
    return code


def test_a_password_without_mechanisms_gets_both() -> None:
    """buildCredentials of the server's source: "mechanisms" is the server's own list where the command has none."""
    made = users()
    made.known[APP].mechanisms = ["SCRAM-SHA-256"]
    made.before({"updateUser": "app", "pwd": "x", "$db": "admin"}, APP)
    assert made.known[APP].mechanisms == BOTH


def test_mechanisms_without_a_password_are_only_taken_away() -> None:
    """trimCredentials of the source."""
    made = users()
    made.before({"updateUser": "app", "mechanisms": ["SCRAM-SHA-256"], "$db": "admin"}, BOSS)
    assert refused(made, {"updateUser": "app", "mechanisms": list(BOTH)}, BOSS) == 2


@pytest.mark.parametrize(
    ("command", "by", "code"),
    [
        ({"updateUser": "boss", "pwd": "x"}, APP, 13),
        ({"updateUser": "app", "roles": []}, APP, 13),
        ({"usersInfo": {"user": "boss", "db": "admin"}}, APP, 13),
        ({"createUser": "new", "pwd": "x", "roles": []}, APP, 13),
        ({"createUser": "app", "pwd": "x", "roles": []}, BOSS, 51003),
        ({"updateUser": "nobody", "pwd": "x"}, BOSS, 11),
        ({"updateUser": "app", "pwd": "x", "$db": "shop"}, BOSS, 11),
        ({"updateUser": "app", "pwd": "x", "password": "x"}, BOSS, 40415),
        ({"updateUser": "app", "pwd": "x", "mechanisms": []}, BOSS, 2),
    ],
)
def test_what_is_refused(command: dict[str, Any], by: tuple[str, str], code: int) -> None:
    """By MongoDB's codes."""
    assert refused(users(), command, by) == code


def test_documentdb_keeps_users_in_admin_and_knows_no_restrictions() -> None:
    """AWS: "all user and role operations are implicitly performed in the admin database"."""
    made = users("documentdb")
    sent = made.before({"updateUser": "app", "pwd": "x", "$db": "shop"}, BOSS)
    assert sent == {"updateUser": "app", "pwd": "x", "$db": "admin"}
    assert refused(made, {"updateUser": "app", "authenticationRestrictions": []}, BOSS) == 40415


def test_the_driver_speaks_to_every_documentdb() -> None:
    """3.6 reports wire version 6, 4.0 reports 7: AWS runs both. PyMongo 4.11 refuses the one, 4.14 the other."""
    assert pymongo.common.MIN_SUPPORTED_WIRE_VERSION <= 6

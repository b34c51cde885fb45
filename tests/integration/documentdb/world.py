"""A rotation on DocumentDB or MongoDB, as a test sees it."""

import itertools
import json
from typing import Any

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.documentdb.target import DocumentDb
from testkit.mongodb.standin import StandIn
from testkit.mongodb.users import CHANGES_ITSELF, MANAGES_USERS
from testkit.servers.mongo import MongoServer
from testkit.simulator import Simulator
from tests.integration.world import FIRST, Rotating

ADMIN, ADMIN_PASSWORD = "world_admin", "canary-admin-PASSWORD"
_numbers = itertools.count()


class World(Rotating[StandIn]):
    """On the stand-in."""

    def victim(self, name: str, password: str) -> None:
        """Somebody else's user."""
        self.server.create_user(name, password)

    def _lines(self) -> list[str]:
        return self.server.log.read_text()[self._mark :].splitlines()

    def admin_logins(self) -> list[bool]:
        """Whether each of the admin's logins since the rotation began was by TLS."""
        return [line.endswith("TLS") for line in self._lines() if line.startswith(f"{self.admin} login succeeded")]

    def logins(self) -> int:
        """Since the rotation began, whatever came of them."""
        return len(self._lines())

    def server_saw(self) -> dict[str, int]:
        """What came over the wire since the rotation began."""
        return {
            "logins": sum(" login succeeded" in line for line in self._lines()),
            "failed": sum(" login failed" in line for line in self._lines()),
        }


def make_world(server: StandIn, aws: Simulator, user: str | None = None, **fields: Any) -> World:
    """A user, its admin, and their secrets, by the strategy single-user; the function finds the simulator by its environment."""
    user = user or f"app_{next(_numbers)}"
    server.create_user(user, FIRST, database=fields.get("dbname", "admin"))
    made = World(server, aws, *secrets(server, aws, user, **fields))
    made.tag(strategy="single-user")
    return made


def make_admin(server: StandIn, aws: Simulator) -> str:
    """An admin and its secret's ARN."""
    if not server.exists(ADMIN):
        server.create_user(ADMIN, ADMIN_PASSWORD, roles=["userAdmin"], may=frozenset([CHANGES_ITSELF, MANAGES_USERS]))
    return admin_secret(server, aws)


def admin_secret(server: StandIn | MongoServer, aws: Simulator) -> str:
    """The secret of an admin who is there."""
    value = json.dumps(server.secret(ADMIN, ADMIN_PASSWORD))
    return aws.client().create_secret(Name=f"admin/{next(_numbers)}", SecretString=value)["ARN"]


def secrets(
    server: StandIn | MongoServer, aws: Simulator, user: str, **fields: Any
) -> tuple[Any, Any, str, str, str, str | None]:
    """A user's secret and a function: what a world is made of, from its client on."""
    client = aws.client()
    value = json.dumps(server.secret(user, FIRST, **fields))
    arn = client.create_secret(Name=f"secret-{next(_numbers)}", SecretString=value)["ARN"]
    documentdb = DocumentDb()
    handler = rotation_handler(SingleUser(documentdb), AlternatingUsers(documentdb))
    return client, aws.add_function("keyturn", handler), arn, user, ADMIN, fields.get("masterarn")

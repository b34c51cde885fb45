"""A rotation on the stand-in for Redshift, as a test sees it."""

import itertools
import json
from typing import Any

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.redshift.target import Redshift
from testkit.servers.redshift import RedshiftServer
from testkit.simulator import Simulator
from tests.integration.world import FIRST, Rotating, quoted

ADMIN, ADMIN_PASSWORD = "world_admin", "canary-admin-PASSWORD"
_numbers = itertools.count()


class World(Rotating[RedshiftServer]):
    """On the stand-in."""

    def run(self, statement: str, stage: str | None = None, dbname: str = "dev") -> list[tuple[object, ...]]:
        """Run a statement of Redshift's as the superuser, or as the user of this version; {app} and {clone} are names in it."""
        names = {"app": quoted(self.user), "clone": quoted(f"{self.user}_clone")}
        login = None
        if stage:
            value = self.value(stage)
            login = value["username"], value["password"]
        return self.server.run(statement.format(**names), login, dbname)

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
        return sum(self.server_saw().values())

    def server_saw(self) -> dict[str, int]:
        """What came over the wire since the rotation began."""
        return {
            "logins": sum(" login succeeded" in line for line in self._lines()),
            "failed": sum(" login failed" in line for line in self._lines()),
        }


def make_world(server: RedshiftServer, aws: Simulator, user: str | None = None, **fields: Any) -> World:
    """A user and its secret; the function finds the simulator by its environment."""
    user = user or f"app_{next(_numbers)}"
    server.create_user(user, FIRST)
    client = aws.client()
    value = json.dumps(server.secret(user, FIRST, **fields))
    arn = client.create_secret(Name=f"secret-{next(_numbers)}", SecretString=value)["ARN"]
    redshift = Redshift()
    function = aws.add_function("keyturn-redshift", rotation_handler(SingleUser(redshift), AlternatingUsers(redshift)))
    return World(server, aws, client, function, arn, user, ADMIN, fields.get("masterarn"))


def make_admin(server: RedshiftServer, aws: Simulator) -> str:
    """An admin, a superuser as Redshift's are, and its secret's ARN."""
    server.create_user(ADMIN, ADMIN_PASSWORD)
    server.run(f"ALTER USER {ADMIN} CREATEUSER")
    value = json.dumps(server.secret(ADMIN, ADMIN_PASSWORD))
    return aws.client().create_secret(Name=f"admin/{next(_numbers)}", SecretString=value)["ARN"]

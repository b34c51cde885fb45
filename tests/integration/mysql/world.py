"""A rotation on real MySQL or MariaDB, as a test sees it."""

import itertools
import json
import re
from typing import Any

from common.dual_password import DualPassword
from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.mysql.target import MySql
from testkit.servers.mysql import MySqlServer, Rows
from testkit.simulator import Simulator
from tests.integration.world import FIRST, Rotating

ADMIN, ADMIN_PASSWORD = "world_admin", "canary-admin-PASSWORD"
# What RDS's master user holds, as far as it matters here: no SUPER, no SYSTEM_USER.
LIKE_RDS = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, "
    "CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, "
    "EVENT, TRIGGER"
)
_numbers = itertools.count()


class World(Rotating[MySqlServer]):
    """On MySQL or MariaDB."""

    def run(self, statement: str, *values: object, stage: str | None = None) -> Rows:
        """Run a statement as root, or as the user of this version of the secret."""
        if stage is None:
            return self.server.run(statement, *values)
        value = self.value(stage)
        return self.server.run(statement, *values, as_user=(value["username"], value["password"]))

    def victim(self, name: str, password: str) -> None:
        """Somebody else's user."""
        self.server.create_user(name, password)

    def admin_logins(self) -> list[bool]:
        """Whether each of the admin's logins since the rotation began was by TLS."""
        log = self.server.log.read_text()[self._mark :].splitlines()
        return ["SSL/TLS" in line for line in log if f"Connect\t{self.admin}@" in line]

    def logins(self) -> int:
        """Since the rotation began, whatever came of them."""
        return sum(self.server_saw().values())

    def server_saw(self) -> dict[str, int]:
        """What came over the wire since the rotation began, by the server's general log."""
        log = self.server.log.read_text()[self._mark :]
        refused = len(re.findall("Connect\\tAccess denied", log))
        return {"logins": len(re.findall(r"Connect\t\S+@\S+ on", log)) - refused, "failed": refused}


def make_world(server: MySqlServer, aws: Simulator, user: str | None = None, **fields: Any) -> World:
    """A user and its secret; the function finds the simulator by its environment."""
    user = user or f"app_{next(_numbers)}"
    server.create_user(user, FIRST)
    value = json.dumps(server.secret(user, FIRST, **fields))
    client = aws.client()
    arn = client.create_secret(Name=f"secret-{next(_numbers)}", SecretString=value)["ARN"]
    mysql = MySql()
    handler = rotation_handler(SingleUser(mysql), DualPassword(mysql), AlternatingUsers(mysql))
    function = aws.add_function("keyturn-mysql", handler)
    return World(server, aws, client, function, arn, user, ADMIN, fields.get("masterarn"))


def make_admin(server: MySqlServer, aws: Simulator) -> str:
    """An admin like RDS's, and its secret's ARN."""
    server.create_user(ADMIN, ADMIN_PASSWORD)
    server.run(f"GRANT {LIKE_RDS} ON *.* TO {ADMIN} WITH GRANT OPTION")
    value = json.dumps(server.secret(ADMIN, ADMIN_PASSWORD))
    return aws.client().create_secret(Name=f"admin/{next(_numbers)}", SecretString=value)["ARN"]

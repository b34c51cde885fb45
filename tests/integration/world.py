"""A rotation on real PostgreSQL, as a test sees it: the secret, the server, what each of them was asked."""

import itertools
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from psycopg2 import sql

from common.handler import rotation_handler
from common.strategy import AlternatingUsers, SingleUser
from rotators.postgres.target import Postgres
from testkit.servers.postgres import PostgresServer
from testkit.simulator import Call, Function, PythonFunction, Rotation, Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FIRST = "canary-first-PASSWORD"
_numbers = itertools.count()


class Server(Protocol):
    """What every server of ours can do."""

    @property
    def log(self) -> Path:
        """What it logged."""
        ...

    def accepts(self, user: str, password: str) -> bool:
        """Whether the server lets this user in with this password."""
        ...


S = TypeVar("S", bound=Server)


@dataclass
class Rotating(Generic[S]):
    """One secret of one user on one server, attached to one function."""

    server: S
    aws: Simulator
    client: "SecretsManagerClient"
    function: Function
    arn: str
    user: str
    admin: str | None = None
    admin_arn: str | None = None
    admin_password: str = field(default="canary-admin-PASSWORD", repr=False)
    all_calls: list[Call] = field(default_factory=list, repr=False)
    _mark: int = field(default=0)

    @property
    def handler(self) -> Callable[[Any, Any], object]:
        """The function's Python handler, where it runs in this process."""
        assert isinstance(self.function, PythonFunction)
        return self.function.handler

    def value(self, stage: str = "AWSCURRENT") -> dict[str, Any]:
        """The secret's value in the version that holds this label."""
        answer = self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)
        parsed: dict[str, Any] = json.loads(answer["SecretString"])
        return parsed

    def put(self, **fields: Any) -> None:
        """Somebody edits the secret by hand."""
        self.client.put_secret_value(SecretId=self.arn, SecretString=json.dumps({**self.value(), **fields}))

    def tag(self, **tags: str) -> None:
        """Set tags `rotation:…`, with _ for -."""
        for name, value in tags.items():
            tag = {"Key": f"rotation:{name.replace('_', '-')}", "Value": value}
            self.client.tag_resource(SecretId=self.arn, Tags=[tag])  # type: ignore[list-item]

    def rotate(self, **options: Any) -> Rotation:
        """RotateSecret, and all that follows."""
        self._mark = len(self.server.log.read_text())
        self.all_calls += self.aws.calls
        self.aws.calls.clear()
        return self.aws.rotate(self.arn, RotationLambdaARN=self.function.arn, **options)

    def rotated(self, **options: Any) -> Rotation:
        """A rotation that succeeds."""
        rotation = self.rotate(**options)
        assert rotation.succeeded, rotation.error
        return rotation

    def refused(self, code: str) -> str:
        """A rotation that fails with this code; its error. Its AWSPENDING is taken off again."""
        self.aws.tries = 1
        rotation = self.rotate()
        self.take_pending_off()
        assert f"[{code}]" in str(rotation.error), rotation.error
        return str(rotation.error)

    def take_pending_off(self) -> None:
        """What the runbook says to do with a rotation that is given up."""
        labels = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"]
        for version, names in labels.items():
            if "AWSPENDING" in names and "AWSCURRENT" not in names:
                self.client.update_secret_version_stage(
                    SecretId=self.arn, VersionStage="AWSPENDING", RemoveFromVersionId=version
                )

    def logs_in(self, stage: str = "AWSCURRENT") -> bool:
        """Whether the server takes the user and password of this version."""
        value = self.value(stage)
        return self.server.accepts(value["username"], value["password"])

    def labels(self) -> list[set[str]]:
        """The sets of labels that the secret's versions hold."""
        stages = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"].values()
        return sorted(map(set, stages), key=sorted)


class World(Rotating[PostgresServer]):
    """On PostgreSQL."""

    def run(self, statement: str, stage: str | None = None, dbname: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the superuser, or as the user of this version of the secret.

        {app}, {clone} and {admin} are names in it, {app_text} and so on literals.
        """
        roles = {"app": self.user, "clone": self.user + "_clone", "admin": self.admin or ""}
        names = {name: quoted(role) for name, role in roles.items()}
        names |= {f"{name}_text": "'" + role.replace("'", "''") + "'" for name, role in roles.items()}
        login = None
        if stage:
            value = self.value(stage)
            login = value["username"], value["password"]
        return self.server.run(statement.format(**names), login, dbname)

    def victim(self, name: str, password: str) -> None:
        """A role of somebody else's, which the admin has made."""
        self.server.create_user(name, password, as_user=(str(self.admin), self.admin_password))

    def admin_logins(self) -> list[bool]:
        """Whether each of the admin's logins since the rotation began was by TLS."""
        log = self.server.log.read_text()[self._mark :].splitlines()
        return ["SSL enabled" in line for line in log if f"connection authorized: user={self.admin} " in line]

    def logins(self) -> int:
        """Connections since the rotation began."""
        return self.server_saw()["connections"]

    def server_saw(self) -> dict[str, int]:
        """What came over the wire since the rotation began, by the server's own log."""
        log = self.server.log.read_text()[self._mark :]
        return {
            "connections": len(re.findall("LOG:  connection received", log)),
            "logins": len(re.findall("LOG:  connection authorized", log)),
            "failed": len(re.findall("FATAL:", log)),
        }


def dies_once(world: Rotating[Any], step: str, when: str) -> list[str]:
    """Let the world's function die once, before or after this step has done its work; the list of its deaths so far."""
    handler, deaths = world.handler, list[str]()

    def dying(event: dict[str, str], context: Any) -> None:
        dies = event["Step"] == step and not deaths
        if not (dies and when == "before"):
            handler(event, context)
        if dies:
            deaths.append(step)
            raise RuntimeError("died")

    world.function = world.aws.add_function("dying", dying)
    return deaths


def quoted(name: str) -> str:
    """A name in a statement."""
    return '"' + name.replace('"', '""') + '"'


def make_world(server: PostgresServer, aws: Simulator, user: str, password: str, **fields: Any) -> World:
    """A user, a secret for it, and a function, which finds the simulator by its environment."""
    server.create_user(user, password)
    return _world(server, aws, user, password, **fields)


def make_world_with_admin(
    server: PostgresServer,
    aws: Simulator,
    user: str | None = None,
    client: "SecretsManagerClient | None" = None,
    **fields: Any,
) -> World:
    """The same with an admin like RDS's: CREATEROLE, no superuser, who has made the user. Its secret is allowed.

    client: whose account the secrets are made in, where it is another one than the function's
    """
    client = client or aws.client()
    number = next(_numbers)
    admin, user = f"admin_{number}", user or f"base_{number}"
    server.create_user(admin, "canary-admin-PASSWORD")
    server.run(f"ALTER ROLE {admin} CREATEROLE CREATEDB")
    server.create_user(user, FIRST, as_user=(admin, "canary-admin-PASSWORD"))
    value = json.dumps(server.secret(admin, "canary-admin-PASSWORD"))
    admin_arn = client.create_secret(Name=f"admin/{number}", SecretString=value)["ARN"]
    os.environ["ADMIN_SECRETS"] = admin_arn  # the fixture that trusts the server puts the environment back
    world = _world(server, aws, user, FIRST, client=client, masterarn=admin_arn, **fields)
    world.admin, world.admin_arn = admin, admin_arn
    return world


def _world(
    server: PostgresServer,
    aws: Simulator,
    user: str,
    password: str,
    client: "SecretsManagerClient | None" = None,
    **fields: Any,
) -> World:
    client = client or aws.client()
    value = json.dumps(server.secret(user, password, **fields))
    arn = client.create_secret(Name=f"secret-{next(_numbers)}", SecretString=value)["ARN"]
    postgres = Postgres()
    handler = rotation_handler(SingleUser(postgres), AlternatingUsers(postgres))
    function = aws.add_function("keyturn-postgres", handler)
    return World(server, aws, client, function, arn, user)


def drop(world: World) -> None:
    """Drop the roles of a world, with all that they own and hold in the database `postgres`."""
    for role in (world.user + "_clone", world.user + "_victim", world.user, world.admin):
        exists = role and world.server.run(
            sql.SQL("SELECT 1 FROM pg_roles WHERE rolname = {}").format(sql.Literal(role))
        )
        if role and exists:
            name = sql.Identifier(role)
            world.server.run(sql.SQL("DROP OWNED BY {} CASCADE").format(name))
            world.server.run(sql.SQL("DROP ROLE {}").format(name))

"""A rotation on real PostgreSQL, as a test sees it: the secret, the server, what each of them was asked."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.handler import rotation_handler
from common.strategy import SingleUser
from rotators.postgres.target import Postgres
from testkit.servers.postgres import PostgresServer
from testkit.simulator import Call, PythonFunction, Rotation, Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


@dataclass
class World:
    """One secret of one user on one server, attached to one function."""

    server: PostgresServer
    aws: Simulator
    client: "SecretsManagerClient"
    function: PythonFunction
    arn: str
    user: str
    all_calls: list[Call] = field(default_factory=list, repr=False)
    _mark: int = field(default=0)

    def value(self, stage: str = "AWSCURRENT") -> dict[str, Any]:
        """The secret's value in the version that holds this label."""
        answer = self.client.get_secret_value(SecretId=self.arn, VersionStage=stage)
        parsed: dict[str, Any] = json.loads(answer["SecretString"])
        return parsed

    def put(self, **fields: Any) -> None:
        """Somebody edits the secret by hand."""
        self.client.put_secret_value(SecretId=self.arn, SecretString=json.dumps({**self.value(), **fields}))

    def rotate(self, **options: Any) -> Rotation:
        """RotateSecret, and all that follows."""
        self._mark = len(self.server.log.read_text())
        self.all_calls += self.aws.calls
        self.aws.calls.clear()
        return self.aws.rotate(self.arn, RotationLambdaARN=self.function.arn, **options)

    def logs_in(self, stage: str = "AWSCURRENT") -> bool:
        """Whether the server takes the user and password of this version."""
        value = self.value(stage)
        return self.server.accepts(value["username"], value["password"])

    def labels(self) -> list[set[str]]:
        """The sets of labels that the secret's versions hold."""
        stages = self.client.describe_secret(SecretId=self.arn)["VersionIdsToStages"].values()
        return sorted(map(set, stages), key=sorted)

    def server_saw(self) -> dict[str, int]:
        """What came over the wire since the rotation began, by the server's own log."""
        log = self.server.log.read_text()[self._mark :]
        return {
            "connections": len(re.findall("LOG:  connection received", log)),
            "logins": len(re.findall("LOG:  connection authorized", log)),
            "failed": len(re.findall("FATAL:", log)),
        }


Make = Callable[..., World]


def make_world(server: PostgresServer, aws: Simulator, user: str, password: str, **fields: Any) -> World:
    """A user, a secret for it, and a function, which finds the simulator by its environment."""
    server.create_user(user, password)
    client = aws.client()
    value = json.dumps(server.secret(user, password, **fields))
    arn = client.create_secret(Name=f"secret-of-{abs(hash(user))}", SecretString=value)["ARN"]
    function = aws.add_function("keyturn-postgres", rotation_handler(SingleUser(Postgres())))
    return World(server, aws, client, function, arn, user)

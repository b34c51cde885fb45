"""What the functions' roles may do is what the functions do: no more, no less.

Each function rotates real users by every way there is: recovery, managed admins, other names of a server, an account
that trusts it. Each call of AWS's that it makes goes through the policies of template.yaml, and is refused where these
do not allow it; what they allow and nobody used fails the test.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.secretsmanager.models import secretsmanager_backends

from common import accounts
from testkit.mongodb.standin import stand_in
from testkit.servers.postgres import PostgresServer
from testkit.simulator import Simulator
from testkit.simulator.calls import ACCOUNT, REGION
from tests.deploy.policies import Request, Statement, allowed, resources, statements
from tests.integration.api_key.world import KeyWorld
from tests.integration.documentdb import world as documentdb
from tests.integration.mysql import world as mysql
from tests.integration.redshift import world as redshift
from tests.integration.world import drop, make_world_with_admin
from watch.app import overdue_watch

ROOT = Path(__file__).parents[2]
THEIRS = "210987654321"
ADMINS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:admin/*"
NAMES = {
    "postgres": "Postgres",
    "mysql": "MySql",
    "redshift": "Redshift",
    "documentdb": "DocumentDb",
    "api-key": "ApiKey",
}
# What other services do by a function's role: Lambda writes its log, Secrets Manager uses the secret's key.
BY_OTHERS = {"logs:CreateLogStream", "logs:PutLogEvents", "kms:Decrypt", "kms:GenerateDataKey"}
# The services that a function might call; IAM calls them as boto does.
SERVICES = ("secretsmanager", "rds", "redshift", "redshift-serverless", "sts", "kms", "iam", "lambda", "logs", "ec2")
# What a list without an identifier is authorized on. Source: Service Authorization Reference, Amazon RDS.
LISTED = {"DescribeDBClusters": "cluster", "DescribeDBInstances": "db"}


def template(**parameters: str) -> dict[str, Any]:
    """The stack's resources, with admins, customer keys and a trusted account."""
    given = {
        "AdminSecrets": ADMINS,
        "KmsKeys": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/one",
        "TrustedAccounts": THEIRS,
        "TrustedRole": "keyturn-rotation",
    }
    return resources(ROOT / "template.yaml", **{**given, **parameters})


def their_template() -> dict[str, Any]:
    """What the trusted account has deployed: the example that users copy."""
    return resources(
        ROOT / "docs" / "examples" / "secrets-account.yaml",
        account=THEIRS,
        Functions=",".join(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:keyturn-{name}" for name in NAMES),
        FunctionRoles=f"arn:aws:iam::{ACCOUNT}:role/one",
        AdminSecrets=ADMINS.replace(ACCOUNT, THEIRS),
        KmsKeys=f"arn:aws:kms:{REGION}:{THEIRS}:key/one",
    )


@dataclass
class Iam:
    """Decides each call of a function by its role's policies, and keeps what was asked.

    role: in our account. their_role: the one that it assumes. answers: of RDS and the like
    """

    role: list[Statement]
    their_role: list[Statement]
    answers: dict[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    used: list[Request] = field(default_factory=list)
    theirs: list[Request] = field(default_factory=list)

    def watch(self, client: Any, *, assumed: bool) -> Any:
        """Let each call of this client be decided first."""
        service = client.meta.service_model.service_name

        def decide(params: dict[str, Any], model: Any, **_: Any) -> None:
            request = as_iam_sees_it(service, model.name, params, THEIRS if assumed else ACCOUNT)
            (self.theirs if assumed else self.used).append(request)
            if not allowed(self.their_role if assumed else self.role, request):
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, model.name)

        def answer(model: Any, **_: Any) -> Any:
            made = self.answers.get(model.name)
            return None if made is None else (type("Answer", (), {"status_code": 200})(), made())

        client.meta.events.register_first("provide-client-params.*.*", decide)
        client.meta.events.register("before-call.*.*", answer)
        return client


def as_iam_sees_it(service: str, operation: str, params: dict[str, Any], account: str) -> Request:
    """Action, resource, and the condition keys that our policies ask for."""
    action = f"{service}:{operation}"
    if operation == "ListSecrets":
        return Request(action, "*")
    if service == "secretsmanager":
        arn = params["SecretId"]
        _, _, _, region, owner, *_ = arn.split(":")
        rotates = {
            one.arn: getattr(one, "rotation_lambda_arn", None)
            for one in secretsmanager_backends[owner][region].secrets.values()
        }
        context = {"secretsmanager:resource/AllowRotationLambdaArn": rotates.get(arn) or ""}
        return Request(action, arn, context)
    if service == "sts":
        return Request(action, params["RoleArn"])
    if operation in LISTED:
        named = params.get("DBClusterIdentifier") or params.get("DBInstanceIdentifier")
        return Request(action, named or f"arn:aws:rds:{REGION}:{account}:{LISTED[operation]}:*")
    return Request(action, "*")


@pytest.fixture(params=NAMES)
def target(request: pytest.FixtureRequest) -> str:
    """Each of the functions, by the end of its name."""
    found: str = request.param
    return found


@pytest.fixture
def iam(target: str, aws: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iam:
    """The role of this function, deciding."""
    decides = Iam(statements(template(), f"{NAMES[target]}Role"), statements(their_template(), "RotationRole"))
    real = accounts._client  # noqa: SLF001  the one place that makes clients

    def client(make: Callable[..., Any], service: str) -> Any:
        return decides.watch(real(make, service), assumed=make is not boto3.client)

    monkeypatch.setattr(accounts, "_client", client)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("ADMIN_SECRETS", ADMINS)
    monkeypatch.setenv("TRUSTED_ACCOUNTS", THEIRS)
    monkeypatch.setenv("TRUSTED_ROLE", "keyturn-rotation")
    return decides


@pytest.fixture
def world(target: str, iam: Iam, aws: Simulator, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A user of this target and its admin, on a real server; its secret names the function of the stack."""
    assert iam.used == []
    patch = pytest.MonkeyPatch()
    server: Any = request.getfixturevalue(
        {"postgres": "server", "documentdb": "mongo", "api-key": "keyservice"}.get(target, target)
    )
    patch.setenv("TLS_CA_FILE", str(server.ca_file))
    if target == "postgres":
        made: Any = make_world_with_admin(server, aws)
        os.environ["ADMIN_SECRETS"] = ADMINS
        named(made, target)
        yield made
        drop(made)
    elif target == "mysql":
        users = server.users()
        yield named(mysql.make_world(server, aws, masterarn=mysql.make_admin(server, aws)), target)
        server.drop_users(keep=users)
    elif target == "redshift":
        before = server.identities()
        yield named(redshift.make_world(server, aws, masterarn=redshift.make_admin(server, aws)), target)
        server.drop_identities(keep=before)
    elif target == "documentdb":
        with stand_in(server, "documentdb", tmp_path / "logins.log") as users:
            made = documentdb.make_world(users, aws, masterarn=documentdb.make_admin(users, aws))
            made.tag(strategy="alternating-users")
            yield named(made, target)
    else:
        made = KeyWorld(server, aws, tmp_path / "providers")
        made.deploy()
        admin = aws.client().create_secret(
            Name="admin/keyservice", SecretString=json.dumps(server.secret(server.admin_key))
        )
        made.provider = "keyservice_admin"
        made.arn = made.create_secret(made.first_key("app", masterarn=admin["ARN"]))
        yield named(made, target)
    patch.undo()


def named(made: Any, target: str) -> Any:
    """The world with its function under the name that the stack gives it."""
    made.function = made.aws.add_function(f"keyturn-{target}", made.handler)
    return made


def rotates_in_every_way(world: Any, iam: Iam, target: str) -> None:
    """What a function of this kind may be called upon to do."""
    for _ in range(3):
        world.rotated()
    by_an_old_version(world, target)
    hand_made_key(world, target)
    managed_admin(world, iam, target)
    admin_under_another_name(world, iam, target)
    in_their_account(world)


def by_an_old_version(world: Any, target: str) -> None:
    """AWSCURRENT and AWSPREVIOUS overwritten by hand: an older version logs in (S4)."""
    if target == "api-key":
        return  # its finishSecret looks at older versions anyway (K3)
    good = world.value()["password"]
    for wrong in ("canary-wrong-ONE-1", "canary-wrong-TWO-2"):
        world.put(password=wrong)
    world.rotated()
    assert good not in {world.value()["password"], world.value("AWSPREVIOUS")["password"]}


def hand_made_key(world: Any, target: str) -> None:
    """An account without an admin, with a key that nobody accounts for: older versions are looked at for it (K3)."""
    if target != "api-key":
        return
    world.provider, world.account = "keyservice", "alone"
    with_admin, world.arn = world.arn, world.create_secret(world.first_key("alone"))
    world.service.issue("alone", None)
    for _ in range(3):
        world.rotated()
    world.provider, world.account, world.arn = "keyservice_admin", "app", with_admin


def managed_admin(world: Any, iam: Iam, target: str) -> None:
    """Its secret has no host: RDS, or Redshift, says where it is."""
    account = world.arn.split(":")[4]
    tags = {
        "postgres": [("aws:rds:primaryDBInstanceArn", f"arn:aws:rds:{REGION}:{account}:db:one")],
        "mysql": [("aws:rds:primaryDBClusterArn", f"arn:aws:rds:{REGION}:{account}:cluster:one")],
        "documentdb": [("aws:rds:primaryDBClusterArn", f"arn:aws:rds:{REGION}:{account}:cluster:one")],
        "redshift": [
            ("aws:redshift:primaryClusterArn", f"arn:aws:redshift:{REGION}:{account}:cluster:one"),
            ("aws:redshift-serverless:namespaceArn", "arn:namespace"),
        ],
    }
    for tag, arn in tags.get(target, []):
        arn_of_admin = world.value()["masterarn"]
        admin = value_of(world, arn_of_admin)
        port, engine = int(admin["port"]), admin["engine"]
        endpoint = {"Address": admin["host"], "Port": port}
        iam.answers |= {
            "DescribeDBInstances": lambda: {"DBInstances": [{"Endpoint": endpoint, "Engine": engine}]},  # noqa: B023
            "DescribeDBClusters": lambda: {
                "DBClusters": [{"Endpoint": endpoint["Address"], "Port": endpoint["Port"], "Engine": engine}]  # noqa: B023
            },
            "DescribeClusters": lambda: {"Clusters": [{"Endpoint": endpoint}]},  # noqa: B023
            "ListNamespaces": lambda: {"namespaces": [{"namespaceName": "one", "namespaceArn": "arn:namespace"}]},
            "ListWorkgroups": lambda: {
                "workgroups": [
                    {"namespaceName": "one", "endpoint": {"address": endpoint["Address"], "port": endpoint["Port"]}}  # noqa: B023
                ]
            },
        }
        client = world.client
        managed = {name: admin[name] for name in ("username", "password")}
        client.put_secret_value(SecretId=arn_of_admin, SecretString=json.dumps(managed))
        client.tag_resource(SecretId=arn_of_admin, Tags=[{"Key": tag, "Value": arn}])
        world.rotated()
        client.untag_resource(SecretId=arn_of_admin, TagKeys=[tag])
        client.put_secret_value(SecretId=arn_of_admin, SecretString=json.dumps(admin))


def admin_under_another_name(world: Any, iam: Iam, target: str) -> None:
    """The admin's host is an endpoint of AWS's, the secret's another name of it: only the API knows. Nobody is there."""
    domains = {
        "postgres": ["rds"],
        "mysql": ["rds"],
        "documentdb": ["docdb"],
        "redshift": ["redshift", "redshift-serverless"],
    }
    admin_arn = world.value().get("masterarn")
    for domain in domains.get(target, []):
        admin = value_of(world, admin_arn)
        host = f"nobody.{domain}.amazonaws.com"
        ours = admin["host"]
        iam.answers |= {
            "DescribeDBClusters": lambda: {
                "DBClusters": [{"DBClusterIdentifier": "one", "Endpoint": host, "CustomEndpoints": [ours]}]  # noqa: B023
            },
            "DescribeDBInstances": lambda: {"DBInstances": []},
            "DescribeClusters": lambda: {
                "Clusters": [{"ClusterIdentifier": "one", "Endpoint": {"Address": host}, "CustomDomainName": ours}]  # noqa: B023
            },
            "DescribeEndpointAccess": lambda: {"EndpointAccessList": []},
            "ListWorkgroups": lambda: {
                "workgroups": [{"workgroupName": "one", "endpoint": {"address": host}, "customDomainName": ours}]  # noqa: B023
            },
            "ListEndpointAccess": lambda: {"endpoints": []},
        }
        client = world.client
        client.put_secret_value(SecretId=admin_arn, SecretString=json.dumps({**admin, "host": host}))
        world.refused("target-name-unknown")
        client.put_secret_value(SecretId=admin_arn, SecretString=json.dumps(admin))


def in_their_account(world: Any) -> None:
    """A secret of the account that trusts the function, whose rotation does not name it: its role there may not look."""
    arn = f"arn:aws:secretsmanager:{REGION}:{THEIRS}:secret:none-AbCdEf"
    done = world.function.invoke({"Step": "createSecret", "SecretId": arn, "ClientRequestToken": "1" * 36})
    assert "[store-denied]" in str(done.error)


def value_of(world: Any, arn: str) -> dict[str, Any]:
    """AWSCURRENT of another secret of the same account."""
    found: dict[str, Any] = json.loads(world.client.get_secret_value(SecretId=arn)["SecretString"])
    return found


@pytest.mark.parametrize("target", ["postgres"])
def test_so_it_is_in_the_account_that_trusts_it(
    target: str, iam: Iam, aws: Simulator, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role of docs/examples/secrets-account.yaml: all that PostgreSQL's function needs there, and what others' do."""
    monkeypatch.setenv("TLS_CA_FILE", str(server.ca_file))
    world = named(make_world_with_admin(server, aws, client=aws.client_in(THEIRS)), target)
    monkeypatch.setenv("ADMIN_SECRETS", ADMINS.replace(ACCOUNT, THEIRS))
    for _ in range(3):
        world.rotated()
    by_an_old_version(world, target)
    managed_admin(world, iam, target)
    admin_under_another_name(world, iam, target)
    drop(world)
    assert {request.action for request in iam.used} == {"sts:AssumeRole"}, "with its own role"
    used = {request.action for request in iam.theirs}
    granted = {action for action in every_action() if any(one.names(action) for one in iam.their_role)}
    of_redshift = {action for action in granted if action.startswith("redshift")}
    assert granted == used | of_redshift | (granted & BY_OTHERS)
    assert of_redshift == {
        action for action in every_action() for one in statements(template(), "RedshiftRole")
        if one.names(action) and action.startswith("redshift")
    }  # fmt: skip


def test_the_watch_lists_and_does_nothing_else(aws: Simulator) -> None:
    """OverdueWatch."""
    role = statements(template(AlarmEmail="ops@example.com"), "OverdueWatchRole")
    decides = Iam(role, [])
    client = decides.watch(aws.client(region_name=REGION), assumed=False)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("STACK", "keyturn")
    monkeypatch.setenv("FUNCTIONS", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:keyturn-postgres")
    overdue_watch(client)({}, None)
    monkeypatch.undo()
    assert {request.action for request in decides.used} == {"secretsmanager:ListSecrets"}
    granted = {action for action in every_action() if any(one.names(action) for one in role)}
    assert granted - BY_OTHERS == {"secretsmanager:ListSecrets"}


def test_what_is_allowed_is_what_is_used(target: str, iam: Iam, world: Any) -> None:
    """Each action, and each resource of each statement; what other services do by the role is listed above."""
    rotates_in_every_way(world, iam, target)
    used = {request.action for request in iam.used}
    assert [request for request in iam.used if not allowed(iam.role, request)] == [], "asked for, and not allowed"
    granted = {
        action for action in every_action() if any(one.names(action) for one in iam.role if one.effect == "Allow")
    }
    assert granted == used | (granted & BY_OTHERS)
    for statement in iam.role:
        if statement.effect == "Allow" and not set(statement.actions) <= BY_OTHERS:
            for action in statement.actions:
                asked = [one for one in iam.used if one.action == action and statement.applies(one)]
                assert asked, f"{action} on {statement.resources} is allowed and was never used"
    assert {request.action for request in iam.theirs} == {"secretsmanager:DescribeSecret"}


def every_action() -> set[str]:
    """All that botocore knows of these services, and what they do for others."""
    loaded: Any = boto3.Session()
    models = {name: loaded.client(name).meta.service_model for name in SERVICES}
    return {f"{name}:{operation}" for name, model in models.items() for operation in model.operation_names} | BY_OTHERS

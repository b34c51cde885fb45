"""What `make deploy` says at the end, and `make destroy` before it asks."""

import io
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from scripts import stack
from scripts.artifacts import ROOT

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:keyturn-postgres"
COMMAND = (
    "aws secretsmanager rotate-secret --region eu-west-1 --secret-id SECRET --rotation-lambda-arn "
    f"{FUNCTION} --rotation-rules '{{\"ScheduleExpression\": \"rate(30 days)\"}}' --no-rotate-immediately"
)  # fmt: skip
WHICH = stack.Stack("keyturn", "eu-west-1", None)


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS of this test's own, with the stack in it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {
            "PostgresRotatorArn": {"Value": FUNCTION},
            "PostgresRoleArn": {"Value": "arn:aws:iam::123456789012:role/x"},
            "PostgresRotateCommand": {"Value": COMMAND},
        },
    }
    with mock_aws():
        boto3.client("cloudformation", "eu-west-1").create_stack(StackName="keyturn", TemplateBody=json.dumps(template))
        yield


class Secrets:
    """Stands in for the client of Secrets Manager: two pages of a list."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = pages

    def get_paginator(self, operation: str) -> "Secrets":
        assert operation == "list_secrets"
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        return iter([{"SecretList": page} for page in self.pages])


def secret(name: str, function: str, *, rotated: bool = True) -> dict[str, Any]:
    """An entry of ListSecrets."""
    return {"Name": name, "RotationEnabled": rotated, "RotationLambdaARN": function}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of this stack, of another, of a function whose name only begins alike, and one that is rotated no more."""
    listed = Secrets(
        [secret("shop/b", FUNCTION), secret("other", FUNCTION + "-2"), {"Name": "plain"}],
        [secret("shop/a", FUNCTION + ":live"), secret("cancelled", FUNCTION, rotated=False)],
    )
    real = stack.Stack.client
    monkeypatch.setattr(
        stack.Stack, "client", lambda which, service: listed if service == "secretsmanager" else real(which, service)
    )


def console() -> tuple[Console, io.StringIO]:
    """A narrow terminal, and what it shows."""
    shown = io.StringIO()
    return stack.terminal(file=shown, width=60), shown


def test_the_commands_can_be_copied() -> None:
    """On one line each, whatever the terminal's width."""
    to, shown = console()
    stack.follow(to, WHICH)
    assert COMMAND in shown.getvalue().splitlines()
    assert "Postgres" in shown.getvalue()


def test_a_deploy_that_went_well_does_not_fail_for_want_of_outputs() -> None:
    """The stack was declined at the change set, say: it is not there."""
    to, shown = console()
    stack.follow(to, stack.Stack("absent", "eu-west-1", None))
    assert "could not be read" in shown.getvalue()


@pytest.mark.usefixtures("secrets")
def test_destroy_names_the_secrets_that_point_at_its_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and by alias; with the command that ends each rotation; before sam delete is called."""
    to, shown = console()
    called: list[Sequence[str]] = []

    class Done:
        returncode = 7

    def run(arguments: Sequence[str], *, check: bool) -> type[Done]:
        assert not check
        assert "aws secretsmanager cancel-rotate-secret --secret-id 'shop/a' --region eu-west-1" in shown.getvalue()
        called.append(arguments)
        return Done

    monkeypatch.setattr(subprocess, "run", run)
    assert stack.destroy(to, WHICH, ["--config-env", "default"]) == 7, "sam's own exit code"
    assert list(called[0][1:]) == [
        "delete", "--config-env", "default", "--stack-name", "keyturn", "--region", "eu-west-1",
    ]  # fmt: skip
    lines = shown.getvalue()
    assert "shop/b" in lines
    for name in ("other", "cancelled", "plain"):
        assert f"--secret-id '{name}'" not in lines


def test_destroy_deletes_nothing_where_it_cannot_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such stack; the account's own words are in the error."""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("sam delete was called"))
    with pytest.raises(SystemExit, match=r"Nothing was deleted.*absent"):
        stack.destroy(console()[0], stack.Stack("absent", "eu-west-1", None), [])


def test_delete_is_of_the_account_that_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sam delete` does not read the section's profile, which is `sam deploy`'s: it is told."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        ran.append(command[1:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("outputs", "attached"):
        monkeypatch.setattr(stack, name, lambda *_: {})
    identity = SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"})
    monkeypatch.setattr(stack.Stack, "client", lambda *_: identity)
    shown, text = console()
    assert stack.destroy(shown, stack.Stack("p", "eu-west-1", "live"), ["--config-env", "prod"]) == 0
    assert ran == [
        ["delete", "--config-env", "prod", "--stack-name", "p", "--region", "eu-west-1", "--profile", "live"]
    ]
    assert "123456789012" in text.getvalue()


def test_which_stack_is_what_sam_deploy_means(tmp_path: Path) -> None:
    """The section's, and options before it."""
    file = tmp_path / "samconfig.toml"
    file.write_text(
        'version = 0.1\n[default.global.parameters]\nstack_name = "keyturn"\nregion = "eu-west-1"\n'
        '[prod.deploy.parameters]\nstack_name = "p"\nprofile = "live"\n'
    )
    assert stack.stack(["--config-env", "default"], file) == WHICH
    assert stack.stack(["--config-env", "prod", "--region", "eu-north-1"], file) == stack.Stack(
        "p", "eu-north-1", "live"
    )
    assert stack.stack(["--stack-name", "other"], file).name == "other"
    with pytest.raises(SystemExit, match="names no stack"):
        stack.stack(["--config-env", "test"], file)


def test_what_is_kept_is_what_the_template_keeps(tmp_path: Path) -> None:
    """Its words follow template.yaml's DeletionPolicy."""
    file = tmp_path / "template.yaml"
    file.write_text(
        "Resources:\n  A: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain}\n  B: {Type: AWS::Logs::LogGroup}\n"
        "  C: {Type: AWS::Logs::LogGroup, DeletionPolicy: RetainExceptOnCreate}\n"
        "  Fn::ForEach::D: [E, [], {}]\n"
    )
    assert stack.kept(file) == ["A", "C"]
    for keeps, words in (([], "The log groups go"), (["A"], "Kept, as template.yaml says: A.")):
        to, shown = console()
        stack.warn(to, WHICH, [], keeps)
        assert words in shown.getvalue()


def test_the_verbs_are_there() -> None:
    """make deploy asks before it checks and says the next step last; make destroy looks before it deletes."""
    text = (ROOT / "Makefile").read_text()
    deploy = text.partition("\ndeploy:")[2].partition("\n\n")[0]
    order = [
        deploy.index(word) for word in ("scripts.guide", "scripts.artifacts check", "sam deploy", "scripts.stack next")
    ]
    assert order == sorted(order)
    assert "scripts.stack destroy" in text.partition("\ndestroy:")[2].partition("\n\n")[0]

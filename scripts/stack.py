"""What comes after a deploy, and before a stack goes: `make deploy` and `make destroy` ask here.

    python -m scripts.stack next [options of sam deploy]        the rotate-secret command of each function
    python -m scripts.stack destroy [options of sam delete]     what stays, then `sam delete`, which asks

Both know the stack as `sam deploy` does: by samconfig.toml's section (--config-env), --stack-name and --region.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from samcli.lib.config.samconfig import SamConfig
from samcli.yamlhelper import yaml_parse

from scripts.artifacts import ROOT


@dataclass(frozen=True)
class Stack:
    """Which stack: its name, region and profile; None for what AWS's own settings say."""

    name: str
    region: str | None
    profile: str | None

    def client(self, service: str) -> Any:
        """A client of this service where the stack is."""
        return boto3.Session(profile_name=self.profile, region_name=self.region).client(service)  # type: ignore[call-overload]


def stack(arguments: Sequence[str], file: Path = ROOT / "samconfig.toml") -> Stack:
    """The stack that these options and samconfig.toml mean."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config-env", default="default")
    for name in ("--stack-name", "--region", "--profile"):
        parser.add_argument(name)
    given, _ = parser.parse_known_args(arguments)
    said = SamConfig(file.parent, filename=file.name).get_all(["deploy"], "parameters", env=given.config_env)
    name = given.stack_name or said.get("stack_name")
    if not name:
        raise SystemExit(f"samconfig.toml's section {given.config_env} names no stack.")
    return Stack(name, given.region or said.get("region"), given.profile or said.get("profile"))


def terminal(**options: Any) -> Console:
    """Where all is said: an ARN is full of :words:, which are no emoji."""
    return Console(emoji=False, **options)


def outputs(which: Stack) -> dict[str, str]:
    """{key: value} of the stack's outputs."""
    (found,) = which.client("cloudformation").describe_stacks(StackName=which.name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())}


def commands(found: Mapping[str, str]) -> dict[str, str]:
    """{function: its rotate-secret command}, from the stack's outputs."""
    end = "RotateCommand"
    return {name.removesuffix(end): value for name, value in found.items() if name.endswith(end)}


def follow(console: Console, which: Stack) -> None:
    """Show the next step. A deploy that went well does not fail here."""
    try:
        found = outputs(which)
    except (BotoCoreError, ClientError) as error:
        console.print(f"The stack's outputs could not be read ({type(error).__name__}).", style="yellow")
        return
    if not commands(found):
        return
    console.print(
        "\n[bold]The next step[/]: a secret's first rotation, by its name in the place of MY-SECRET. With "
        "--no-rotate-immediately it is only tested."
    )
    for name, command in commands(found).items():
        console.print(f"\n[bold]{name}[/]")
        console.print(command, soft_wrap=True, markup=False, highlight=False)  # to be copied: not broken into lines
    if "AlarmsTopicArn" in found:
        console.print("\nWith AlarmEmail: AWS has sent a mail whose link must be followed, else no alarm arrives.")


def attached(which: Stack, functions: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name of a secret, ARN of its function) of each secret of this account and region that these functions rotate."""
    for page in which.client("secretsmanager").get_paginator("list_secrets").paginate():
        for one in page["SecretList"]:
            arn = one.get("RotationLambdaARN", "")
            if one.get("RotationEnabled") and any(arn == name or arn.startswith(f"{name}:") for name in functions):
                yield one["Name"], arn


def kept(template: Path = ROOT / "template.yaml") -> list[str]:
    """What the template keeps when the stack goes: logical ids."""
    found = yaml_parse(template.read_text())["Resources"]
    plain = {name: one for name, one in found.items() if isinstance(one, dict)}  # but Fn::ForEach
    return [name for name, one in plain.items() if str(one.get("DeletionPolicy", "")).startswith("Retain")]


def warn(console: Console, which: Stack, secrets: Sequence[tuple[str, str]], keeps: Sequence[str]) -> None:
    """Say what stays, and what goes with the stack."""
    console.print(f"[bold]What stays when {which.name} goes[/]")
    console.print("The secrets, their values and users' passwords stay as they are: clients notice nothing.")
    if secrets:
        table = Table(box=None)
        for column in ("secret", "rotated by"):
            table.add_column(column, overflow="fold")
        for name, arn in sorted(secrets):
            table.add_row(name, arn.rpartition(":function:")[2])
        console.print(
            f"\nStill to be rotated by it: {len(secrets)}. Their schedules would call a function that is gone, and every "
            "rotation would fail:"
        )
        console.print(table)
        console.print("End that first, or give them another function by rotate-secret:")
        for name, _ in sorted(secrets):
            line = f"aws secretsmanager cancel-rotate-secret --secret-id '{name}'"
            console.print(line + (f" --region {which.region}" if which.region else ""), soft_wrap=True, highlight=False)
    else:
        console.print("No secret of this account and region is rotated by it.")
    console.print(
        "Secrets of other accounts (TrustedAccounts) cannot be seen from here: look there; delete the role there, too."
    )
    console.print(f"Kept, as template.yaml says: {', '.join(keeps)}." if keeps else "The log groups go with the stack.")
    console.print("The bucket for the code, which sam deploy has made, stays: other stacks may use it.\n")


def destroy(console: Console, which: Stack, arguments: Sequence[str]) -> int:
    """Say what stays, then let `sam delete` ask; its exit code."""
    try:
        functions = [value for name, value in outputs(which).items() if name.endswith("RotatorArn")]
        secrets = list(attached(which, functions))
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Message"] if isinstance(error, ClientError) else str(error)
        raise SystemExit(f"Nothing was deleted: what {which.name} rotates could not be found out. {code}") from None
    warn(console, which, secrets, kept())
    console.print(f"The stack {which.name} of the account {which.client('sts').get_caller_identity()['Account']}.")
    rest = [*arguments, "--stack-name", which.name, *(["--region", which.region] if which.region else [])]
    # `sam delete` does not read what the section says of `sam deploy`.
    if which.profile and "--profile" not in arguments:
        rest += ["--profile", which.profile]
    return subprocess.run([str(Path(sys.executable).with_name("sam")), "delete", *rest], check=False).returncode


def main(verb: str, arguments: Sequence[str]) -> None:
    """Do what the Makefile asks."""
    if verb == "next":
        follow(terminal(), stack(arguments))
    else:
        sys.exit(destroy(terminal(), stack(arguments), arguments))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

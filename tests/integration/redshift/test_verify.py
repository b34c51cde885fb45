"""`make verify-redshift`, with the stand-in for a cluster: by host, port and TLS only."""

import os
import subprocess

import pytest

from testkit.servers.redshift import SUPERUSER, RedshiftServer
from tests.unit.test_architecture import ROOT


def verify(server: RedshiftServer, *told: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it; `told` are make's arguments."""
    where = ["HOST=localhost", f"PORT={server.port}", f"ADMIN_USER={SUPERUSER}"]
    given = {"TLS_CA_FILE": str(server.ca_file), "ADMIN_PASSWORD": password or server.password}
    return made([*where, *told], given)


def made(told: list[str], given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What make does, whose own variables, where it runs these tests, are not handed on."""
    command = ["make", "verify-redshift", *told]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("M") and name != "ARGS"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**kept, **given}, check=False)


def test_it_passes_and_leaves_nothing(redshift: RedshiftServer) -> None:
    """All but what the stand-in cannot make; no user, group, role or schema stays."""
    before = redshift.identities(), redshift.behind("SELECT nspname FROM pg_namespace ORDER BY 1")
    arn = "arn:aws:iam::123456789012:role/load"
    done = verify(redshift, f"IAM_ROLE={arn}", "ARGS=-k 'not TestContract or test_never or plain'")
    assert done.returncode == 0, done.stdout + done.stderr
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert len(skipped) == 2, done.stdout
    assert (redshift.identities(), redshift.behind("SELECT nspname FROM pg_namespace ORDER BY 1")) == before
    assert redshift.password not in done.stdout + done.stderr


def test_what_differs_is_told(redshift: RedshiftServer) -> None:
    """A view without a column that AWS documents."""
    redshift.behind("ALTER VIEW redshift_catalog.svv_roles RENAME COLUMN external_id TO other_id")
    try:
        done = verify(redshift, "ARGS=-k test_columns")
    finally:
        redshift.behind("ALTER VIEW redshift_catalog.svv_roles RENAME COLUMN other_id TO external_id")
    assert done.returncode != 0
    assert "it has role_id role_name role_owner other_id" in done.stdout
    assert "1 failed" in done.stdout


def test_a_login_that_is_refused_is_told(redshift: RedshiftServer) -> None:
    """In the server's words; the password is not shown."""
    done = verify(redshift, "ARGS=-k svv_roles", password="Canary-wrong-1")
    assert "password authentication failed" in done.stdout
    assert "Canary" not in done.stdout + done.stderr


@pytest.mark.usefixtures("redshift")
def test_what_is_not_said_is_asked_for() -> None:
    """With the page of its variables."""
    done = made([], {})
    assert done.returncode != 0
    assert "Say HOST, ADMIN_USER, ADMIN_PASSWORD." in done.stderr

"""Coming from AWS's own functions: what their clone has of its own is found, named with commands, and put right by them.

AWS's function for alternating users makes the clone by CREATE ROLE and GRANT base TO clone; in its sessions the clone
acts as itself, so what it creates is its own, and what was granted to it stays with it.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.servers.postgres import find_binaries
from tests.integration.world import World


def as_aws_left_it(world: World, current: str) -> None:
    """The state that AWS's function leaves, with objects and rights of the clone's own, in two databases."""
    clone = world.user + "_clone"
    world.server.create_user(clone, "clones-password", as_user=(str(world.admin), "canary-admin-PASSWORD"))
    world.run("GRANT {app} TO {clone}")
    for database in ("postgres", "second"):
        for statement in (
            "CREATE SCHEMA mine AUTHORIZATION {clone}",
            "CREATE SCHEMA theirs",
            'CREATE TABLE theirs."odd ""name" (i int, "c d" int)',
            "CREATE SEQUENCE theirs.s",
            "CREATE FUNCTION theirs.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "GRANT USAGE ON SCHEMA theirs TO {clone}",
            'GRANT SELECT, INSERT ON theirs."odd ""name" TO {clone}',
            'GRANT UPDATE ("c d") ON theirs."odd ""name" TO {clone} WITH GRANT OPTION',
            "GRANT USAGE ON SEQUENCE theirs.s TO {clone}",
            "GRANT EXECUTE ON FUNCTION theirs.f(int, text) TO {clone}",
            "ALTER DEFAULT PRIVILEGES FOR ROLE {clone} IN SCHEMA mine GRANT SELECT ON TABLES TO {app}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA theirs GRANT SELECT ON TABLES TO {clone}",
        ):
            world.run(statement, dbname=database)
        opened = world.server.connect(clone, "clones-password", database)
        opened.cursor().execute("CREATE TABLE mine.made (i int); INSERT INTO mine.made VALUES (7)")
        opened.close()
    world.run("GRANT CONNECT ON DATABASE second TO {clone}")
    world.run("GRANT SET ON PARAMETER log_min_messages TO {clone}")
    if current == "clone":
        world.put(username=clone, password="clones-password")
    else:
        world.put(username=clone, password="clones-password")
        world.put(username=world.user, password=world.value("AWSPREVIOUS")["password"])


@pytest.fixture
def _second(pair: World) -> Iterator[None]:
    """A second database."""
    pair.run("CREATE DATABASE second")
    yield
    pair.run("DROP DATABASE second WITH (FORCE)")
    for statement in (
        "DROP SCHEMA mine, theirs CASCADE",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM {app}",
    ):
        pair.run(statement)


@pytest.mark.usefixtures("_second")
@pytest.mark.parametrize("current", ["base", "clone"])
def test_the_commands_put_it_right(pair: World, current: str, tmp_path: Path) -> None:
    """From both sides: refused before anything changes; the commands printed; then rotated on, with all rights."""
    as_aws_left_it(pair, current)
    roles = "SELECT rolname, rolcanlogin, rolconnlimit FROM pg_roles ORDER BY 1"
    before = pair.run(roles)
    error = pair.refused("clone-holds-rights")
    assert pair.run(roles) == before
    assert pair.logs_in()

    commands = re.search(r"keep the REVOKE\.\)\n(.*)\n \[clone-holds-rights\]", error, re.DOTALL)
    assert commands, error
    script = tmp_path / "commands.sql"
    script.write_text(commands[1])
    run_in_psql(pair, script)

    for _ in range(3):
        pair.rotated()
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            for database in ("postgres", "second"):
                assert pair.run("SELECT * FROM mine.made", stage, database) == [(7,)]
                pair.run("ALTER TABLE mine.made ALTER i SET DEFAULT 1", stage, database)
                pair.run('INSERT INTO theirs."odd ""name" (i) VALUES (1)', stage, database)
                pair.run('UPDATE theirs."odd ""name" SET "c d" = 1', stage, database)
                assert pair.run("SELECT theirs.f(1, 'x'), nextval('theirs.s') > 0", stage, database) == [(1, True)]
    pair.run("CREATE TABLE theirs.later (i int)", dbname="second")
    assert pair.run("SELECT count(*) FROM theirs.later", "AWSCURRENT", "second") == [(0,)], "by default rights"


def run_in_psql(world: World, script: Path) -> None:
    """As the error says: in psql, as a superuser who is told to act for the admin."""
    binaries = find_binaries()
    assert binaries is not None
    done = subprocess.run(
        [str(binaries / "psql"), "-v", "ON_ERROR_STOP=1", "-h", "localhost", "-p", str(world.server.port), "-U", "postgres",
         "-d", "postgres", "-f", str(script)],
        env={"PGPASSWORD": world.server.password}, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, script.read_text() + done.stdout + done.stderr


def test_going_back_to_aws_leaves_both_users_working(pair: World) -> None:
    """A clone that we made, used by AWS's function again: it logs in as itself or as the base, with the base's rights."""
    pair.run("CREATE TABLE kept (i int); ALTER TABLE kept OWNER TO {app}")
    pair.rotated()
    assert pair.value()["username"].endswith("_clone")
    assert pair.run("SELECT count(*) FROM kept", "AWSCURRENT") == [(0,)]
    pair.run("ALTER ROLE {clone} RESET role")  # what the page on moving says for going back
    assert pair.run("SELECT current_user = session_user", "AWSCURRENT") == [(True,)]
    assert pair.run("SELECT count(*) FROM kept", "AWSCURRENT") == [(0,)]
    pair.run("DROP TABLE kept")

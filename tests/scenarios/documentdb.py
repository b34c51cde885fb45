"""Users on FerretDB, as DocumentDB and MongoDB have them, to be rotated by both strategies.

DocumentDB's shows no mechanisms and takes no restrictions, MongoDB's both; the commands are one more with DocumentDB's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testkit.crash.matrix import Scenario, Value
from testkit.mongodb.standin import StandIn, stand_in
from testkit.mongodb.users import CHANGES_ITSELF, MANAGES_USERS
from testkit.servers.mongo import MongoServer
from tests.needed import no_server
from tests.scenarios.admins import ADMIN, ADMIN_PASSWORD, ADMIN_SECRETS
from tests.scenarios.subjects import DatabaseSubject, maker


@dataclass(frozen=True)
class DocumentDbSubject(DatabaseSubject[StandIn]):
    """A user with two roles; on MongoDB limited to one mechanism."""

    def __post_init__(self) -> None:
        self.server.create_user(self.user, self.first_password, roles=["readWrite", "dbAdmin"])
        if self.server.users.flavour == "mongodb":
            self.server.user(self.user).mechanisms = ["SCRAM-SHA-256"]

    def rights(self, value: Value) -> object:
        """What the user has, and by doing: FerretDB lets it write and read."""
        known = self.server.user(value["username"])
        with self.server.behind_it.connect(value["username"], value["password"]) as client:
            client["shop"]["matrix"].insert_one({"by": self.user})
            client["shop"]["matrix"].find_one_and_delete({"by": self.user})
        return sorted(role["role"] for role in known.roles), sorted(known.mechanisms), known.restrictions

    def drop(self) -> None:
        """The user and its clone."""
        server = self.server.behind_it
        server.drop_users(keep=server.users() - {self.user, f"{self.user}_clone"})
        for name in (self.user, f"{self.user}_clone"):
            self.server.users.known.pop((name, "admin"), None)


@contextmanager
def scenario(fixture: Callable[[str], Any], folder: Path, *, flavour: str, strategy: str) -> Iterator[Scenario]:
    """With an admin, for alternating users."""
    alternating = strategy == "alternating-users"
    ferret: MongoServer = fixture("mongo")
    if ferret.flavour != "ferretdb":
        no_server("MongoDB's users are FerretDB's here, with what MongoDB's manual says of them")
    with stand_in(ferret, flavour, folder / "logins.log") as server:
        server.create_user(ADMIN, ADMIN_PASSWORD, may=frozenset([CHANGES_ITSELF, MANAGES_USERS]))

        yield Scenario(
            name=f"{flavour}, {strategy}",
            handler="rotators.documentdb.app:handler",
            environment={"TLS_CA_FILE": str(ferret.ca_file), "ADMIN_SECRETS": ADMIN_SECRETS},
            server=("127.0.0.1", server.port),
            make=maker(DocumentDbSubject, server, alternating=alternating),
            always_works=alternating,
        )

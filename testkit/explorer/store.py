"""Secrets Manager in memory, as common.store shows it: the rules are testkit.simulator's own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from common.errors import NotRotatable, StoreError
from common.event import Event
from common.guard import Description
from common.secret import Secret
from testkit.explorer.world import BASE, Kept, Value, Version

if TYPE_CHECKING:
    from testkit.explorer.delivery import Delivery

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-AbCdEf"
ADMIN_ARN = ARN.replace("app-", "admin-")
FIELD = "note"  # a field that a rotation carries along


def version_id(number: int, by: str = "0") -> str:
    """As long as the service's are. by: "0" for a rotation's, another letter for an operator's."""
    return f"{by}{number:031d}"


def secret(value: Value, name: str) -> Secret:
    """A value as the function sees it."""
    user, password, note = value
    fields = {"engine": "explored", "host": "db", "username": user, "password": password, "masterarn": ADMIN_ARN}
    return Secret({**fields, FIELD: note}, name, ARN)


@dataclass
class Store:
    """The secrets, for one delivery."""

    delivery: "Delivery"
    api: Any = None

    def describe(self, secret_id: str) -> Description:
        """DescribeSecret: versions with labels only."""
        assert secret_id == ARN
        enabled, stages = self.delivery.read("DescribeSecret", _described)
        kind = self.delivery.world.kind
        tags = {"rotation:reconcile": BASE} if kind.reconciles else {}
        return Description(ARN, enabled, dict(stages), {"rotation:strategy": kind.make(self.delivery).name, **tags})

    def read_version(self, _arn: str, version: str, name: str) -> Secret:
        """GetSecretValue by id."""

        def look(kept: Kept) -> Value:
            found = kept.version(version)
            if found is None or found.value is None:
                raise NotRotatable("version-empty", f"{name} has no value.", "Wait.")
            return found.value

        return secret(self.delivery.read("GetSecretValue", look), name)

    def read_other(self, _named: str) -> tuple[str, Secret]:
        """GetSecretValue of the admin's."""
        return ADMIN_ARN, secret(
            self.delivery.read("GetSecretValue (admin)", lambda _: ("boss", "*admin", "")), "admin"
        )

    def unlabelled(self, _secret: Description) -> list[str]:
        """ListSecretVersionIds, newest first."""
        return list(self.delivery.read("ListSecretVersionIds", _unlabelled))

    def stage(self, event: Event, pending: Secret) -> bool:
        """PutSecretValue under the token."""
        value = (pending.text("username"), pending.text("password"), pending.text_or(FIELD, ""))

        def put() -> bool:
            kept = self.delivery.world.state.now
            found = kept.version(event.token)
            if found and found.value is not None:
                return found.value == value
            labels = (found.labels if found else frozenset()) | {"AWSPENDING"}
            self.delivery.world.write(kept.with_version(Version(event.token, value, labels)))
            return True

        return bool(self.delivery.write("PutSecretValue", put))

    def unstage(self, _secret: Description, token: str) -> None:
        """UpdateSecretVersionStage: AWSPENDING off this version."""

        def off() -> None:
            kept = self.delivery.world.state.now
            holder = kept.holder("AWSPENDING")
            if holder is None or holder.id != token:
                raise StoreError("store-refused", "AWSPENDING is not there.", "Look again.")
            self.delivery.world.write(kept.without_pending())

        self.delivery.write("UpdateSecretVersionStage (AWSPENDING off)", off)

    def promote(self, described: Description, token: str) -> None:
        """UpdateSecretVersionStage: AWSCURRENT from the version that was described; AWSPREVIOUS follows."""

        def move() -> None:
            kept = self.delivery.world.state.now
            holder = kept.holder("AWSCURRENT")
            if holder is None or holder.id != described.version("AWSCURRENT"):
                raise StoreError("store-refused", "AWSCURRENT is not where it was.", "Again.")
            self.delivery.world.write(kept.promoted(token))

        self.delivery.write("UpdateSecretVersionStage", move)


def _described(kept: Kept) -> tuple[bool, tuple[tuple[str, frozenset[str]], ...]]:
    return kept.enabled, tuple((one.id, one.labels) for one in kept.versions if one.labels)


def _unlabelled(kept: Kept) -> tuple[str, ...]:
    return tuple(one.id for one in reversed(kept.versions) if not one.labels)

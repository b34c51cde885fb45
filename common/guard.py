"""The guard: what one DescribeSecret tells, before anything else, at every step (G1 to G4), and G5 before setSecret.

Nothing is remembered between steps: a function may die after any of them, and the service may call any of them again.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from common.errors import NotRotatable
from common.secret import Secret

_ABANDONED = (
    "This step changed nothing. The rotation was abandoned: if its setSecret had come as far as the server, a single "
    "user's AWSCURRENT is refused until the next rotation, which recovers it. Start a new rotation."
)


@dataclass(frozen=True)
class Description:
    """What DescribeSecret answers, as far as a rotation needs it.

    stages: {version id: its staging labels}. primary_region: where the secret is rotated, if the service says so
    """

    arn: str
    rotation_enabled: bool
    stages: Mapping[str, frozenset[str]]
    tags: Mapping[str, str]
    primary_region: str | None = None

    @property
    def region(self) -> str:
        """Where this secret is: the fourth field of its ARN."""
        return self._field(3)

    @property
    def account_id(self) -> str:
        """The AWS account that the secret is of: the fifth field of its ARN."""
        return self._field(4)

    def _field(self, number: int) -> str:
        fields = self.arn.split(":")  # arn:partition:service:region:account:…
        return fields[number] if len(fields) > number else ""

    def version(self, stage: str) -> str | None:
        """The id of the version that holds the label, None where no version does."""
        return next((version for version, labels in self.stages.items() if stage in labels), None)

    def require_version(self, stage: str) -> str:
        """The id of the version that holds the label."""
        version = self.version(stage)
        if version is None:
            raise NotRotatable(
                "version-missing",
                f"{self.arn} has no version that holds {stage}.",
                "Store a value by PutSecretValue before rotating.",
            )
        return version


def already_done(secret: Description, token: str) -> bool:
    """G1 to G4: True where the rotation is over (G3), False where the step is to be done, else NotRotatable."""
    # G1: a replica, which is read-only.
    if secret.primary_region not in (None, secret.region):
        raise NotRotatable(
            "secret-is-replica",
            f"{secret.arn} is a replica of the secret in {secret.primary_region}.",
            f"Nothing was changed. Rotate the secret in {secret.primary_region}, by a function there: replicas follow it.",
        )
    # G1: rotation disabled, or cancelled since.
    if not secret.rotation_enabled:
        raise NotRotatable(
            "rotation-disabled",
            f"Rotation is not enabled for {secret.arn}.",
            "This step changed nothing. Enable rotation by RotateSecret if this secret is to be rotated.",
        )
    # G2: a version that the secret does not have.
    if token not in secret.stages:
        raise NotRotatable(
            "version-unknown",
            f"{secret.arn} has no staged version {token}.",
            f"{_ABANDONED} Or the event is not of this secret.",
        )
    # G3: the version is current already: an earlier delivery finished.
    if "AWSCURRENT" in secret.stages[token]:
        return True
    # G4: the label was taken away.
    if "AWSPENDING" not in secret.stages[token]:
        raise NotRotatable(
            "version-not-pending",
            f"Version {token} of {secret.arn} no longer holds AWSPENDING: this rotation was abandoned; see the error before.",
            _ABANDONED,
        )
    return False


def same_but_for(varying: Collection[str], current: Secret, pending: Secret) -> None:
    """G5: pending may differ from current in the `varying` fields only. Checked before any connection is made."""
    odd = sorted(
        name for name in {*current, *pending} - set(varying) if current.get(name, _ABSENT) != pending.get(name, _ABSENT)
    )
    if odd:
        raise NotRotatable(
            "pending-differs",
            f"{pending.name} differs from AWSCURRENT in {', '.join(map(repr, odd))}; only {', '.join(varying)} may differ.",
            "This step changed nothing. Somebody wrote or edited this version, or AWSCURRENT: remove AWSPENDING from it by "
            "UpdateSecretVersionStage, then rotate again.",
        )


_ABSENT = object()

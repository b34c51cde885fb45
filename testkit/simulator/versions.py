"""The versions of one secret and the labels on them: the rules of Secrets Manager's API reference, and nothing else."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from moto.secretsmanager.exceptions import InvalidParameterException, ResourceExistsException

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
LONGEST_VALUE = 65536  # bytes


@dataclass(frozen=True)
class Value:
    """What a version holds: a text, or binary data in base64 as it came over the wire."""

    string: str | None = None
    binary: str | None = None


@dataclass
class Version:
    """One version. value is None where a rotation has staged it and nothing is stored yet."""

    id: str
    value: Value | None
    created: float
    stages: set[str] = field(default_factory=set)


class Versions:
    """The versions of one secret, oldest first. now: the simulator's time."""

    def __init__(self, arn: str, now: Callable[[], float]) -> None:
        self._arn, self._clock = arn, now
        self._versions: dict[str, Version] = {}
        # What a stale read answers: {version id: (has it a value, its labels)}, as of the step before.
        self._before: dict[str, tuple[bool, set[str]]] = {}
        self._now: dict[str, tuple[bool, set[str]]] = {}
        self._stale = {"labels": 0, "values": 0}

    def begin_step(self, stale_reads: int) -> None:
        """A step begins: that many reads, of labels and of values each, are answered as of one step before."""
        self._before = self._now
        self._now = {version.id: (version.value is not None, set(version.stages)) for version in self}
        self._stale = dict.fromkeys(self._stale, stale_reads)

    def read_labels(self) -> dict[str, set[str]]:
        """{version id: labels} of the versions that have any, as a reader sees them."""
        if self._is_stale("labels"):
            return {version: labels for version, (_, labels) in self._before.items() if labels}
        return {version.id: version.stages for version in self if version.stages}

    def read_value(self, version: Version) -> Value | None:
        """The version's value as a reader sees it."""
        if self._is_stale("values") and not self._before.get(version.id, (False, set()))[0]:
            return None
        return version.value

    def _is_stale(self, what: str) -> bool:
        self._stale[what] -= 1
        return self._stale[what] >= 0

    def __iter__(self) -> Iterator[Version]:
        return iter(self._versions.values())

    def get(self, version_id: str) -> Version | None:
        """The version with this id."""
        return self._versions.get(version_id)

    def holder(self, stage: str) -> Version | None:
        """The version that holds the label; each label is on one version at most."""
        return next((version for version in self._versions.values() if stage in version.stages), None)

    def put(self, version_id: str, value: Value, stages: Iterable[str]) -> Version:
        """PutSecretValue: store a value in a new version, or in one that a rotation staged empty."""
        check_size(value)
        version = self._versions.get(version_id)
        if version is not None and version.value is not None:
            if version.value != value:
                raise ResourceExistsException(
                    f"You can't use ClientRequestToken {version_id} because that value is already in use for a "
                    f"version of secret {self._arn}."
                )
            return version
        if version is None:
            first = not self._versions
            version = self._versions[version_id] = Version(version_id, None, self._clock())
            stages = {*stages, CURRENT} if first else stages
        version.value = value
        for stage in stages:
            self._attach(stage, version)
        pending = self.holder(PENDING)
        if CURRENT in stages and pending is not None:
            pending.stages.discard(PENDING)  # a value put by hand ends a rotation
        return version

    def stage_pending(self, version_id: str, value: Value | None = None) -> Version:
        """What RotateSecret does first: AWSPENDING on a new version, empty but for a test rotation."""
        version = self._versions.setdefault(version_id, Version(version_id, value, self._clock()))
        self._attach(PENDING, version)
        return version

    def remove(self, version_id: str) -> None:
        """Forget a version, as the service does with a test rotation's."""
        del self._versions[version_id]

    def move(self, stage: str, remove_from: str | None, move_to: str | None) -> None:
        """UpdateSecretVersionStage."""
        source = self._known(remove_from) if remove_from else None
        target = self._known(move_to) if move_to else None
        holder = self.holder(stage)
        if source is not None and stage not in source.stages:
            raise InvalidParameterException(f"The staging label {stage} is not attached to version {source.id}.")
        if holder is not None and source is None and holder is not target:
            raise InvalidParameterException(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                f"version {holder.id}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        if target is None and stage == CURRENT:
            raise InvalidParameterException(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed."
            )
        if target is not None:
            self._attach(stage, target)
        elif source is not None:
            source.stages.discard(stage)

    def _attach(self, stage: str, version: Version) -> None:
        holder = self.holder(stage)
        if holder is version:
            return
        if holder is not None:
            holder.stages.discard(stage)
            if stage == CURRENT:
                self._attach(PREVIOUS, holder)
        version.stages.add(stage)
        if stage == CURRENT:
            version.stages.discard(PREVIOUS)

    def _known(self, version_id: str) -> Version:
        version = self._versions.get(version_id)
        if version is None:
            raise InvalidParameterException(f"Not a valid version: {version_id}")
        return version


def check_size(value: Value) -> None:
    """InvalidParameterException where the value is longer than the service takes."""
    if len((value.string or value.binary or "").encode()) > LONGEST_VALUE:
        raise InvalidParameterException(f"The secret value must be at most {LONGEST_VALUE} bytes.")

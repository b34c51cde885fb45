"""Which keys are a secret's own, by their labels, and which of them its staged versions hold: what may never be revoked."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from common.errors import MalformedSecret
from common.guard import Description
from common.rotation import Work
from common.secret import Secret
from common.target import IssuesKeys, ListedKey

_OURS = "keyturn-"


def label_of(arn: str, version: str) -> str:
    """The label of the key that is issued for this version of this secret: 61 characters, for the service's own lists."""
    identity = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode().lower()[:16]
    return f"{_OURS}{identity}-{version}"


@dataclass(frozen=True)
class Holdings:
    """What the staged versions hold. staged: {version: its value, None where it has none yet}. key_ids: {version: id}.

    unknown: why it is not known which keys they hold; empty where it is
    """

    staged: Mapping[str, Secret | None]
    key_ids: Mapping[str, str]
    credential: tuple[str, ...]
    unknown: str

    @property
    def ids(self) -> set[str]:
        """Every key that is held, by its id."""
        return set(self.key_ids.values())

    def same_key(self, value: Secret) -> bool:
        """Whether a staged version holds this value's key, under whatever id: some field of the credential is the same."""
        return any(self._shares(value, other) for other in self.staged.values() if other)

    def only(self, version: str) -> bool:
        """Whether no other staged version holds this one's key."""
        value = self.staged.get(version)
        others = [other for name, other in self.staged.items() if other and name != version]
        return value is not None and not self.unknown and not any(self._shares(value, other) for other in others)

    def _shares(self, one: Secret, other: Secret) -> bool:
        return any(one.get(name) is not None and one.get(name) == other.get(name) for name in self.credential)


def held_by(work: Work, target: IssuesKeys, secret: Description) -> Holdings:
    """What the versions that are staged in this description hold."""
    staged: dict[str, Secret | None] = {}
    ids: dict[str, str] = {}
    unknown = ""
    for version in secret.stages:
        try:
            value = staged[version] = work.value(version)
        except MalformedSecret as error:
            unknown = error.what
            continue
        key_id = target.key_id(value) if value else None
        if key_id:
            ids[version] = key_id
        elif value:
            unknown = f"{value.name} does not say which key it holds."
    return Holdings(staged, ids, target.credential, unknown)


def is_orphan(work: Work, held: Holdings, key: ListedKey) -> bool:
    """Whether a key is this secret's, and none that any staged version holds or is about to."""
    version = version_of(work.secret.arn, key)
    if version is None or key.id in held.ids or held.unknown:
        return False
    if version in held.staged:
        return held.staged[version] is not None  # else it is about to be stored
    value = readable(work, version)
    return value is None or not held.same_key(value)


def version_of(arn: str, key: ListedKey) -> str | None:
    """The version that a key of this secret was issued for; None where it is another's."""
    ours, label = label_of(arn, ""), key.label or ""
    version = label.removeprefix(ours) if label.startswith(ours) else ""
    return version if 32 <= len(version) <= 64 else None  # noqa: PLR2004  what Secrets Manager takes for a version's id


def is_labelled(key: ListedKey) -> bool:
    """Whether this project issued it, for whatever secret."""
    return (key.label or "").startswith(_OURS)


def readable(work: Work, version: str) -> Secret | None:
    """A version's value; None where it has none, or none that can be read."""
    try:
        return work.value(version)
    except MalformedSecret:
        return None

"""Which keys are a secret's own, by their labels, and which of them its staged versions hold: what may never be revoked."""

import base64
import hashlib
from collections.abc import Collection, Mapping
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
    """What the staged versions hold. labels: {version: its labels}. staged: {version: its value, None where it has none yet}. key_ids: {version: id}.

    unknown: why it is not known which keys they hold; empty where it is
    """

    labels: Mapping[str, Collection[str]]
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
        return bool(self.sharing(value))

    def sharing(self, value: Secret) -> list[str]:
        """The staged versions that hold this value's key."""
        return [name for name, other in self.staged.items() if other and self._shares(value, other)]

    def alone(self, stage: str) -> str | None:
        """The version that holds this label and no other, and whose key no other staged version holds; None for none."""
        version = next((name for name, labels in self.labels.items() if labels == {stage}), None)
        value = self.staged.get(version) if version else None
        others = [other for name, other in self.staged.items() if other and name != version]
        if value is None or self.unknown or any(self._shares(value, other) for other in others):
            return None
        return version

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
        elif value is None and secret.stages[version] != {"AWSPENDING"}:
            unknown = f"version {version} shows no value, though it holds {', '.join(sorted(secret.stages[version]))}."
        elif value:
            unknown = f"{value.name} does not say which key it holds."
    return Holdings(secret.stages, staged, ids, target.credential, unknown)


def is_orphan(work: Work, held: Holdings, key: ListedKey, listed: Collection[ListedKey]) -> bool:
    """Whether a key is this secret's, and none that any staged version holds or is about to."""
    version = version_of(work.secret.arn, key)
    if version is None or key.id in held.ids or held.unknown:
        return False
    # Without a value it is about to be stored. Where the list does not show the key that a version holds, it may be this
    # one under another form of its id.
    shown = {one.id for one in listed}
    if version in held.staged:
        return held.key_ids.get(version) in shown
    value = readable(work, version)
    return value is None or all(held.key_ids.get(other) in shown for other in held.sharing(value))


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

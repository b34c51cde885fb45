"""K3: keys that no label of the secret's accounts for: the first one, made by hand, and those of a secret's former self."""

from collections.abc import Collection, Iterator

from common.errors import LoginRejected, MalformedSecret, StoreError
from common.holdings import Holdings, is_labelled, readable, version_of
from common.rotation import Work
from common.secret import Secret
from common.target import Authority, IssuesKeys, ListedKey

# How many versions without a label are looked at for a key made by hand.
OLD_VERSIONS = 3


def report_foreign(
    target: IssuesKeys, work: Work, held: Holdings, keys: Collection[ListedKey], left: str | None
) -> None:
    """A key that was issued for another secret (this one's former self, or its origin) is not ours to revoke."""
    value = readable(work, left) if left else None
    key_id = target.key_id(value) if value else None
    foreign = {key.id for key in keys if is_labelled(key) and not version_of(work.secret.arn, key)} - held.ids
    if key_id in foreign:
        work.note(f"The key that version {left} records was issued for another secret: revoke it by hand.")


def sweep_handmade(target: IssuesKeys, work: Work, held: Holdings, handmade: Collection[str], left: str | None) -> None:
    """K3: a key without a label, which a version that is not staged any more records."""
    unaccounted = set(handmade)
    for version in _old_versions(target, work, left) if unaccounted else ():
        value = readable(work, version)
        if value is None or held.same_key(value):
            continue
        key_id = target.key_id(value)
        if key_id is None and version == left:
            work.note(f"Version {version} does not say which key was its own: revoke it by hand.")
        if key_id not in unaccounted or key_id is None:
            continue
        if not revoked_by_itself(target, work, value, key_id):
            work.note(
                f"The key that version {version} records was made by hand, and its value does not prove that it is "
                "that key's: revoke it by hand."
            )
        unaccounted.discard(key_id)
        if not unaccounted:
            return  # before the versions without a label are listed, which costs a call


def _old_versions(target: IssuesKeys, work: Work, left: str | None) -> Iterator[str]:
    """The versions without a label, newest first; the one that has just lost its label is known without asking."""
    if left:
        yield left
    if target.by_admin:
        return  # none of them could revoke itself: one is reported when it leaves
    try:
        unlabelled = work.store.unlabelled(work.secret)
    except StoreError as error:
        work.note(f"Versions without a label were not looked at for keys made by hand: {error.what}")
        return
    yield from [version for version in unlabelled[:OLD_VERSIONS] if version != left]


def revoked_by_itself(target: IssuesKeys, work: Work, value: Secret, key_id: str) -> bool:
    """K3: whether this value's own key has revoked itself: it logs in as the key that it names."""
    same = _account_or_none(target, value) == target.account(work.read("AWSCURRENT"))
    if target.by_admin or not same:
        return False
    try:
        if target.proven_key_id(value) != key_id:
            return False
    except LoginRejected:
        return False
    target.revoke_key(Authority(value), key_id)
    return True


def _account_or_none(target: IssuesKeys, value: Secret) -> object:
    try:
        return target.account(value)
    except MalformedSecret:
        return None

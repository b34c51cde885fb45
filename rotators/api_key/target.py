"""A service as a target: what its provider file says is done, with the secret's own key or an admin's."""

import json
from collections.abc import Mapping
from typing import Any

import jmespath

from common import clock, redaction
from common.errors import ChangeForbidden, ChangeRefused, LoginRejected, NotRotatable
from common.password import PasswordPolicy
from common.secret import Account, Secret
from common.target import Authority, ListedKey
from rotators.api_key.errors import Gone, limit_reached, not_json, rejected, status_error, too_large
from rotators.api_key.placeholders import Values, make
from rotators.api_key.provider import Operation, Provider, matches
from rotators.api_key.web import LARGEST, send


class Service:
    """What the two kinds have in common: who logs in where, and whether a key works."""

    name = "api_key"

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    @property
    def credential(self) -> tuple[str, ...]:
        """What a rotation changes."""
        return self.provider.credential

    def account(self, secret: Secret) -> Account:
        """Where, and as whom; checks each field that the provider's requests need of the secret."""
        host, port = self.provider.server(secret)
        for field in sorted(self.provider.fields("secret")):
            Values(secret).raw(f"secret.{field}")
        whose = self.provider.account_field
        return Account(self.provider.name, host, port, secret.text(whose) if whose else self.provider.name)

    def admin_account(self, admin: Secret) -> Account:
        """W7: one of the admin secrets that the provider's file names, and no other provider's."""
        allowed = self.provider.file.get("admin", {}).get("secrets", ())
        if not matches(admin.arn, allowed):
            raise NotRotatable(
                "admin-not-allowed",
                f"{admin.arn} is not an admin secret of the provider {self.provider.name}.",
                f"Add it to admin.secrets in {self.provider.name}.json if it is that service's; else correct 'masterarn'.",
            )
        host, port = self.provider.server(admin)
        for field in sorted(self.provider.fields("admin")):
            Values(admin=admin).raw(f"admin.{field}")
        return Account(self.provider.name, host, port, self._own_account(admin) or "the admin")

    def check(self, login: Secret) -> str:
        """The key works; whose it is, as the service says."""
        return self._checked(login)[0]

    def _checked(self, login: Secret) -> tuple[str, str | None]:
        """Whose key it is, and which."""
        account, says = self.account(login), self.provider.file["check"]
        paths = [says.get(name) for name in ("valid", "account", "key_id")]
        answer = self._ask("check", account, Values(login), read=any(paths))
        valid, whose, which = (_found(path, answer) for path in paths)
        if "valid" in says and valid is not True:
            raise rejected(account)
        if "account" in says and not (isinstance(whose, str) and whose):
            raise not_json("check", account)
        if self.provider.account_field and whose != account.user:
            raise LoginRejected(
                "login-is-another-user",
                f"The service takes the key of {account} for another account's.",
                f"Correct {self.provider.account_field!r} in the secret's JSON.",
            )
        return str(whose or account.user), str(which) if which is not None else None

    def _own_account(self, admin: Secret) -> str | None:
        field = self.provider.file.get("admin", {}).get("account")
        return admin.text(field) if field else None

    def _values(self, by: Authority, **others: object) -> tuple[Account, Values]:
        """Where a request of this authority goes, and what may stand in it: never both secrets."""
        if self.provider.by_admin:
            return self.admin_account(by.login), Values(admin=by.login, others={"account": by.account, **others})
        return self.account(by.login), Values(by.login, others=others)

    def _read_first(self, by: Authority) -> dict[str, Any]:
        """What `read` finds, as {read.NAME: what}."""
        says = self.provider.file.get("read")
        if not says:
            return {}
        account, values = self._values(by)
        answer = self._ask("read", account, values, read=True)
        found = {f"read.{name}": _found(path, answer) for name, path in says["values"].items()}
        if None in found.values():
            raise not_json("read", account)
        if "powerful" in says:
            found["powerful"] = _found(says["powerful"], answer) is not False
        return found

    def _ask(self, operation: Operation, account: Account, values: Values, *, read: bool) -> Any:
        """Send an operation's request; its answer as JSON where that is read, else None."""
        says = self.provider.file[operation]
        request = make(says["request"], values)
        if operation in ("issue", "revoke", "set"):
            clock.before_change()
        answer = send(request, account, secure=self.provider.secure)
        statuses = {name: tuple(says[name]) for name in ("rejected", "gone", "policy", "unavailable") if name in says}
        if operation == "issue":
            statuses["limit"] = tuple(self.provider.file.get("limit", {}).get("statuses", ()))
        if error := status_error(answer.status, operation, statuses, account):
            raise error
        if not read:
            return None
        if len(answer.body) > LARGEST:
            raise too_large(operation, account)
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise not_json(operation, account) from None


class ChoosingService(Service):
    """A service whose keys, or passwords, we choose."""

    @property
    def password_policy(self) -> PasswordPolicy:
        """The provider file's `value`."""
        return self.provider.password_policy

    def change_password(self, login: Secret, pending: Secret) -> None:
        """By the key itself; where only an admin may, the key proves whose it is (W7), and an admin is asked for."""
        if self.provider.by_admin:
            raise ChangeForbidden(
                "change-forbidden",
                f"The keys of {self.provider.name} are set by an admin.",
                "Name the admin's secret by 'masterarn' in the secret's JSON.",
                proven=self.check(login),
            )
        self._set(Authority(login), pending, self._read_first(Authority(login)))

    def reset_password(self, admin: Secret, pending: Secret, proven: str | None = None) -> None:
        """By the admin, for the account that was proven, or that the tag rotation:reconcile names (W6)."""
        account = proven or self.account(pending).user
        if account == self._own_account(admin):
            raise ChangeRefused(
                "admin-is-the-user",
                f"The secret's account {account!r} is the admin's own.",
                "Rotate the admin by a secret of its own.",
            )
        by = Authority(admin, account)
        read = self._read_first(by)
        if read.pop("powerful", False) and proven is None:
            raise ChangeRefused(
                "user-is-superuser",
                f"{account!r} has power over other accounts: an admin does not reset it on the word of a tag.",
                "Set its key by hand, and store it in the secret.",
            )
        self._set(by, pending, read)

    def _set(self, by: Authority, pending: Secret, read: dict[str, Any]) -> None:
        (field,) = self.credential
        account, values = self._values(by, new=pending.text(field), **read)
        self._ask("set", account, values, read=False)


class IssuingService(Service):
    """A service that issues its keys."""

    @property
    def by_admin(self) -> bool:
        """As the provider's file says."""
        return self.provider.by_admin

    def key_id(self, value: Secret) -> str | None:
        """The field that the provider's file names."""
        found = value.get(self.provider.file["key"]["id"])
        return found if isinstance(found, str) and found else None

    def proven_key_id(self, login: Secret) -> str | None:
        """By the login itself, or by what check answers, as the provider's file says."""
        which = self._checked(login)[1]
        return {"login": self.key_id(login), "check": which}.get(self.provider.file["key"]["id_proven_by"])

    def issue_key(self, by: Authority, label: str) -> Mapping[str, str]:
        """One more. Where the file counts keys, they are counted first: a service may drop the oldest without a word."""
        limit = self.provider.file.get("limit", {}).get("keys")
        if limit is not None and len(self.keys(by)) >= limit:
            raise limit_reached(self._values(by)[0])
        read = self._read_first(by)
        read.pop("powerful", None)
        account, values = self._values(by, label=label, **read)
        answer = self._ask("issue", account, values, read=True)
        fields = {name: _found(path, answer) for name, path in self.provider.file["issue"]["fields"].items()}
        redaction.learn(list(fields.values()))
        if not all(isinstance(text, str) and text for text in fields.values()):
            raise not_json("issue", account)
        return fields

    def keys(self, by: Authority) -> list[ListedKey]:
        """As the service lists them."""
        account, values = self._values(by)
        found = _found(self.provider.file["list"]["keys"], self._ask("list", account, values, read=True))
        if not isinstance(found, list) or not all(_is_key(one) for one in found):
            raise not_json("list", account)
        redaction.learn([one["id"] for one in found])
        return [ListedKey(one["id"], one["label"]) for one in found]

    def revoke_key(self, by: Authority, key_id: str) -> None:
        """Gone already is as good."""
        account, values = self._values(by, key_id=key_id)
        try:
            self._ask("revoke", account, values, read=False)
        except Gone:
            return


def _is_key(found: object) -> bool:
    return (
        isinstance(found, dict) and isinstance(found.get("id"), str) and isinstance(found.get("label", 0), str | None)
    )


def _found(path: str | None, answer: object) -> Any:
    """What a JMESPath finds; None where it finds nothing, or cannot be applied to this answer."""
    try:
        return jmespath.search(path, answer) if path else None
    except jmespath.exceptions.JMESPathError:
        return None

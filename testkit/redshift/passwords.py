"""What PASSWORD takes: page "CREATE USER". Plaintext meets the policy; a hash is checked for its shape only."""

import hashlib
import re

from testkit.redshift.errors import Refused

_FORBIDDEN = set("'\"\\/@")


def options(username: str, password: str | None) -> tuple[str, str | None]:
    """The option for the server, `password` with its MD5 hash (None: disabled), or `sha256`. Raises Refused, 22023."""
    if password is None:
        return "password", None
    if password.startswith("sha256|"):
        _check(password.split("|")[1] if password.count("|") == 1 else "Valid123")
        return "sha256", password
    if re.fullmatch(r"md5[0-9a-fA-F]{32}", password):
        return "password", password.lower()
    if re.fullmatch(r"md5.{32}", password):
        raise Refused("22023", "invalid MD5 hash")
    _check(password)
    return "password", md5(username, password)


def md5(username: str, password: str) -> str:
    """What Redshift keeps of a password: `md5` and the hash of password and user's name, one after the other."""
    return "md5" + hashlib.md5((password + username).encode(), usedforsecurity=False).hexdigest()


def _check(password: str) -> None:
    """The policy for plaintext. The texts are ours: AWS documents none, nor a code."""
    if not 8 <= len(password) <= 64:
        raise Refused("22023", "the password must be 8 to 64 characters long")
    if not all(any(kind(one) for one in password) for kind in (str.isupper, str.islower, str.isdigit)):
        raise Refused("22023", "the password must contain an uppercase letter, a lowercase letter and a number")
    if not all(33 <= ord(one) <= 126 for one in password) or _FORBIDDEN & set(password):
        raise Refused("22023", "the password contains a character that is not allowed")

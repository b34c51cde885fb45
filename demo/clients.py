"""Two clients that log in without pause while the password is rotated under them.

Both are what exists in the field: an application that caches its secret by AWS's own library and refreshes it when a
login fails, and a probe that reads AWSCURRENT anew before every login, which measures the gap itself.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_secretsmanager_caching import SecretCache, SecretCacheConfig

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


CACHE_SECONDS = 4
LogIn = Callable[[str], bool]  # given the text of a secret's value, whether the server takes the login


@dataclass(frozen=True)
class Login:
    """One login: when the secret was read, when the server had answered (seconds since the epoch), and its answer."""

    read: float
    answered: float
    accepted: bool


class Client:
    """A thread that logs in until it is stopped. logins: all of them, oldest first. error: what ended it early."""

    def __init__(self, read: Callable[[], str], log_in: LogIn, when_refused: Callable[[], object]) -> None:
        self.logins: list[Login] = []
        self.refreshing = False
        self.error: Exception | None = None
        self._read, self._log_in, self._when_refused = read, log_in, when_refused
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether its last login was accepted."""
        return not self.refreshing and bool(self.logins) and self.logins[-1].accepted

    @property
    def failed(self) -> int:
        """How many logins were refused."""
        return sum(not login.accepted for login in self.logins)

    def stop(self) -> None:
        """End after the login that is under way; a cache that sleeps before it refreshes is not waited for."""
        self._stopped.set()
        self._thread.join(1)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._log_in_once()
        except Exception as error:  # noqa: BLE001  shown at the end, where it breaks the promise
            self.error = error

    def _log_in_once(self) -> None:
        started = time.time()
        accepted = self._log_in(self._read())
        self.logins.append(Login(started, time.time(), accepted))
        if not accepted:
            self.refreshing = True
            self._when_refused()
            self.refreshing = False


def application(client: "SecretsManagerClient", secret_id: str, log_in: LogIn) -> Client:
    """Caches the secret by AWS's library, and refreshes it where a login fails (for which the library waits 2.5 to 5 s).

    Its cache lives for 4 s, as the demo rotates every few seconds; in the field it is an hour, and rotations are days apart.
    """
    cache = SecretCache(SecretCacheConfig(secret_refresh_interval=CACHE_SECONDS), client)
    return Client(
        read=lambda: str(cache.get_secret_string(secret_id)),
        log_in=log_in,
        when_refused=lambda: cache.refresh_secret_now(secret_id),
    )


def probe(client: "SecretsManagerClient", secret_id: str, log_in: LogIn) -> Client:
    """Reads AWSCURRENT anew before each login."""
    return Client(
        read=lambda: client.get_secret_value(SecretId=secret_id)["SecretString"],
        log_in=log_in,
        when_refused=lambda: None,
    )

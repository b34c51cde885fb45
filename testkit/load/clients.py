"""Clients that log in without pause while the password is rotated under them.

All are what exists in the field: an application that caches its secret by AWS's own library and refreshes it when a
login fails, one whose cache is as old as it may be, and a probe that reads AWSCURRENT anew before every login, which
measures the gap itself.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_secretsmanager_caching import SecretCache, SecretCacheConfig

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


CACHE_SECONDS = 4
LogIn = Callable[[str], bool]  # given the text of a secret's value, whether the server takes the login


@dataclass(frozen=True)
class Login:
    """One login.

    read: when the secret was read. answered: when the server had answered. Both are seconds since the epoch
    text: the secret's value
    """

    read: float
    answered: float
    accepted: bool
    text: str = field(repr=False)


class Client:
    """A thread that logs in until it is stopped. logins: all of them, oldest first. error: what ended it early.

    breath: seconds between two logins
    """

    def __init__(
        self, read: Callable[[], str], log_in: LogIn, when_refused: Callable[[], object], breath: float = 0
    ) -> None:
        self.logins: list[Login] = []
        self.refreshing = False
        self.error: Exception | None = None
        self._read, self._log_in, self._when_refused, self._breath = read, log_in, when_refused, breath
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

    def once_more(self) -> Callable[[], bool]:
        """What is answered says whether it has read the secret, and logged in with that, from now on."""
        now = time.time()
        return lambda: bool(self.logins) and self.logins[-1].read > now

    def stop(self) -> None:
        """End after the login that is under way; a cache that sleeps before it refreshes is not waited for."""
        self._stopped.set()
        self._thread.join(1)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._log_in_once()
                self._stopped.wait(self._breath)
        except Exception as error:  # noqa: BLE001  shown at the end, where it breaks the promise
            self.error = error

    def _log_in_once(self) -> None:
        started = time.time()
        text = self._read()
        accepted = self._log_in(text)
        self.logins.append(Login(started, time.time(), accepted, text))
        if not accepted:
            self.refreshing = True
            self._when_refused()
            self.refreshing = False


def application(
    client: "SecretsManagerClient",
    secret_id: str,
    log_in: LogIn,
    *,
    cache_seconds: int = CACHE_SECONDS,
    breath: float = 0,
) -> Client:
    """Caches the secret by AWS's library, and refreshes it where a login fails (for which the library waits 2.5 to 5 s).

    Its cache lives for some seconds, as we rotate every few seconds; in the field it is an hour, and rotations are days apart.
    """
    cache = SecretCache(SecretCacheConfig(secret_refresh_interval=cache_seconds), client)
    return Client(
        read=lambda: str(cache.get_secret_string(secret_id)),
        log_in=log_in,
        when_refused=lambda: cache.refresh_secret_now(secret_id),
        breath=breath,
    )


def probe(client: "SecretsManagerClient", secret_id: str, log_in: LogIn, *, breath: float = 0) -> Client:
    """Reads AWSCURRENT anew before each login."""
    return Client(
        read=lambda: client.get_secret_value(SecretId=secret_id)["SecretString"],
        log_in=log_in,
        when_refused=lambda: None,
        breath=breath,
    )


class Laggard(Client):
    """Caches the secret by AWS's library, for the library's own hour, and reads it anew only where it is told to.

    It stands for whoever refreshes just in time: told so right before each setSecret, it logs in with AWSPREVIOUS's value
    for as long as that is promised to work.
    """

    def __init__(self, client: "SecretsManagerClient", secret_id: str, log_in: LogIn, *, breath: float = 0) -> None:
        self._client = client
        self._cache = SecretCache(SecretCacheConfig(), client)
        super().__init__(
            read=lambda: str(self._cache.get_secret_string(secret_id)),
            log_in=log_in,
            when_refused=lambda: None,
            breath=breath,
        )

    def catch_up(self) -> Callable[[], bool]:
        """Read anew from now on; what is answered says whether it has, so that no login is under way with the old value."""
        self._cache = SecretCache(SecretCacheConfig(), self._client)
        return self.once_more()

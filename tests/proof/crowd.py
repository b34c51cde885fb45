"""The clients of one secret while it rotates, as stale as is promised to work, and no staler.

Promised is that a value which was AWSCURRENT works until the setSecret of the rotation after next begins. So directly
before each setSecret whoever holds the value of the rotation before is waited for.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testkit.load.clients import Client, Laggard, application, probe
from testkit.simulator.calls import REGION
from tests.proof.rotating import Rotating

CACHE_SECONDS = 1  # the least that AWS's library knows
BREATH = 0.01  # seconds between two logins of those that cache: the cores are the server's and the function's too
PATIENCE = 60.0  # seconds


@dataclass
class Crowd:
    """A probe and a laggard that stay, and an application, until it is sent home: its cache takes a second at each turn.

    until: the step before which the laggard lets go of what it holds. late: how often it has, having logged in with that
    """

    secret: Rotating
    probe: Client
    laggard: Laggard
    application: Client
    until: str = "setSecret"
    at_home: bool = False
    late: int = 0

    @property
    def clients(self) -> dict[str, Client]:
        """All, by what the figures call them."""
        return {"probe": self.probe, "laggard": self.laggard, "application": self.application}

    def before_step(self) -> None:
        """What the simulator calls before each step."""
        done = [run.step for run in self.secret.aws.rotations[-1].runs]
        if _AFTER[self.until] == (done[-1] if done else None):
            self.let_go()

    def let_go(self) -> None:
        """After this nobody holds, or is logging in with, what is older than AWSCURRENT."""
        current = self.secret.text()
        wait(self.laggard.once_more(), "The laggard logs in no more.", self.laggard)
        self.late += self.laggard.logins[-1].text != current
        wait(self.laggard.catch_up(), "The laggard logs in no more.", self.laggard)
        wait(self.probe.once_more(), "The probe logs in no more.", self.probe)
        if not self.at_home:
            refreshed = "The application's cache is not refreshed."
            wait(lambda: self.application.logins[-1].text == current, refreshed, self.application)

    def values(self) -> dict[str, int]:
        """With how many values of the secret each has logged in."""
        return {name: len({login.text for login in client.logins}) for name, client in self.clients.items()}

    def send_home(self) -> None:
        """The application."""
        self.at_home = True
        self.application.stop()

    def errors(self) -> list[Exception]:
        """What ended a client early."""
        return [client.error for client in self.clients.values() if client.error]


_AFTER = {"setSecret": "createSecret", "testSecret": "setSecret"}


def wait(until: Callable[[], bool], complaint: str, *clients: Client) -> None:
    """Return when it is true; what has ended one of the clients early, or TimeoutError where it does not come to be."""
    end = time.monotonic() + PATIENCE
    while not until():
        for error in [client.error for client in clients if client.error]:
            raise error
        if time.monotonic() > end:
            raise TimeoutError(complaint)
        time.sleep(0.005)


@contextmanager
def crowd(secret: Rotating) -> Iterator[Crowd]:
    """They log in as long as the block lasts, each by a client of Secrets Manager of its own."""
    aws = [secret.aws.client(region_name=REGION) for _ in range(3)]
    gathered = Crowd(
        secret,
        probe(aws[0], secret.arn, secret.log_in),
        Laggard(aws[1], secret.arn, secret.log_in, breath=BREATH),
        application(aws[2], secret.arn, secret.log_in, cache_seconds=CACHE_SECONDS, breath=BREATH),
    )
    secret.aws.pause = gathered.before_step
    everybody = gathered.clients.values()
    try:
        wait(lambda: all(client.logins for client in everybody), "Not everybody has logged in.", *everybody)
        yield gathered
    finally:
        secret.aws.pause = lambda: None
        for client in everybody:
            client.stop()

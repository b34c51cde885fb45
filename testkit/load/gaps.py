"""How long clients were refused, and whether where it cannot be avoided."""

from testkit.load.clients import Client
from testkit.simulator import Rotation


def gap(client: Client, rotation: Rotation) -> float:
    """Seconds for which this client's logins were refused in this rotation."""
    start = rotation.runs[0].started
    logins = [login for login in client.logins if login.read >= start]
    refused = next((login for login in logins if not login.accepted), None)
    if refused is None:
        return 0.0
    accepted = next((login for login in logins if login.accepted and login.read >= refused.read), logins[-1])
    return accepted.answered - refused.read


def refused_outside(probe: Client, rotations: list[Rotation]) -> int:
    """Logins with a freshly read AWSCURRENT that were refused, but not between a setSecret and its finishSecret."""
    spans = []
    for rotation in rotations:
        runs = {run.step: run for run in rotation.runs}
        finish = runs["finishSecret"]
        end = finish.started + (finish.invocation.seconds if finish.invocation else 0)
        spans.append((runs["setSecret"].started, end))
    refused = [login for login in probe.logins if not login.accepted]
    # A login counts for the time from its reading to its answer: it may have read just before.
    return sum(not any(login.read <= end and login.answered >= start for start, end in spans) for login in refused)

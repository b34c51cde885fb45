"""Make docs/reliability.md of the figures that `make proof` has kept in a folder.

    .venv/bin/python -m scripts.reliability .proof

A section for each proof: what was tried, how often, what broke; what was not run is said, not left out.
"""

import argparse
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from scripts import plots
from testkit.crash.matrix import RECOVERIES
from testkit.crash.proxy import MOMENTS
from tests.scenarios import SCENARIOS, WITH_A_GAP, WITHOUT_A_GAP

Figures: TypeAlias = Mapping[str, Any]
ROTATIONS = ("first", "second")
DOCS = Path(__file__).resolve().parent.parent / "docs"
NOT_COVERED = """## What is not covered

- **AWS itself.** Secrets Manager is [the simulator](../testkit/simulator/__init__.py), which follows the service's documented rules and what was seen of them; nothing
  here has run on an account. How often the service retries, and how long it pauses between steps, is not documented.
- **Redshift and DocumentDB clusters.** The first is a stand-in in front of PostgreSQL, the second FerretDB with MongoDB's users in front; Aurora and RDS are the open-source
  servers of the same family, without RDS's own restrictions but for those that the tests build.
- **A function that is alive and wrong about the time**: what lies between a read and a write of Secrets Manager, which has no
  compare-and-set, is [written down](how-it-works.md), not proven away.
- **Two faults in one step** on real servers, but for what chaos draws: the crash matrix strikes once in a rotation. The explorer strikes more
  often, in memory.
- **Fail-over** of a cluster in mid-rotation, replicas that lag, RDS Proxy, and networks that lose packets rather than connections.
- Pauses of the function's own are a twentieth as long in the crash matrix; its time-outs are as deployed.
"""


def main() -> None:
    """Read the folder given on the command line, write the page and its plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where FIGURES had them kept")
    found = [json.loads(file.read_text()) for file in sorted(parser.parse_args().folder.glob("*.json"))]
    (DOCS / "reliability.md").write_text(page(found))
    plots.gaps(_of(found, "load"), DOCS / "reliability-gaps.svg")
    plots.memory(_of(found, "soak"), DOCS / "reliability-memory.svg")
    print(f"docs/reliability.md: {len(found)} figures")


def page(found: Sequence[Figures]) -> str:
    """The whole page."""
    sections = (matrix, explorer, chaos, load, recovery, soak, fuzz, leaks)
    told = [section(_of(found, section.__name__)) for section in sections]
    return "\n\n".join([_head(found), *told, NOT_COVERED]) + "\n"


def _of(found: Iterable[Figures], section: str) -> list[Figures]:
    return [one for one in found if one["section"] == section]


def _head(found: Sequence[Figures]) -> str:
    days, commits = ({str(one[name]) for one in found} for name in ("day", "commit"))
    versions = ", ".join(f"{one['of']} {one['version']}" for one in _of(found, "versions"))
    return f"""# Reliability

Made by `make proof` out of what it measured; not edited by hand. Measured {_span(days)}, at {"commits" if len(commits) > 1 else "commit"} {", ".join(sorted(commits))}, on {os.cpu_count()}
cores ({platform.machine()}, {platform.system()}), against {versions}.

Repeat it: `make proof` runs everything (hours); `make proof ARGS="tests/proof/test_load.py -k mysql"` a part, whose figures replace
those from before. `make test`, which is what CI runs, has every cell of the crash matrix for first rotations by the source, and
small runs of the rest. A line that is marked *(part)* is of such a run; what has not been measured at all says so. Figures of earlier commits stay until they
are measured again: checks that have come since have not looked at them.

{_summary(found)}"""


def _span(values: Iterable[str]) -> str:
    first, *others = sorted(values) or ["?"]
    return f"{first} to {others[-1]}" if others else first


def _summary(found: Sequence[Figures]) -> str:
    counts: list[tuple[str, str, str]] = []
    for title, section, key, unit in (
        ("Crash matrix", "matrix", "cells", "deaths and lost answers"),
        ("Every state there is", "explorer", "calls", "runs of a step"),
        ("Chaos, by seed", "chaos", "rotations", "rotations"),
        ("Under load", "load", "logins", "logins while secrets rotate"),
        ("Soak", "soak", "rotations", "rotations"),
        ("Fuzz", "fuzz", "examples", "hostile inputs"),
        ("Leaks", "leaks", "places_searched", "texts searched"),
    ):
        rows = _of(found, section)
        counts.append((f"[{title}](#{_anchor(title)})", f"{_sum(rows, key):,} {unit}", str(_broken(rows))))
    return _table(("proof", "tried", "promises broken"), counts)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-").replace(",", "")


def _sum(rows: Iterable[Figures], key: str) -> int:
    return sum(int(row.get(key, 0)) for row in rows)


def _broken(rows: Iterable[Figures]) -> int:
    return sum(len(row.get("broken", [])) for row in rows)


def matrix(rows: Sequence[Figures]) -> str:
    """Which cells of the crash matrix were run, by the source and by the artifact."""

    def cells(scenario: str, function: str) -> str:
        mine = [row for row in rows if (row["name"], row["function"]) == (scenario, function)]
        known = {(row["which"], row["recovery"]): int(row["messages"]) for row in mine if "messages" in row}
        guess = dict(zip(ROTATIONS, messages(scenario), strict=True))
        each = [known.get((which, how), guess[which]) for which in ROTATIONS for how in RECOVERIES]
        every = f"{len(MOMENTS) * sum(each):,}{' + ?' if 0 in each else ''}" if any(each) else "?"
        return f"{_sum(mine, 'cells'):,} of {every}" if mine else "*not run*"

    def messages(scenario: str) -> list[int]:
        found = {row["which"]: int(row["messages"]) for row in rows if row["name"] == scenario and "messages" in row}
        return [found.get(which, 0) for which in ROTATIONS]

    lines = [
        (
            scenario,
            " + ".join(str(number or "?") for number in messages(scenario)),
            cells(scenario, "forked"),
            cells(scenario, "packaged"),
            str(_broken(mine)),
            f"{sum(row.get('seconds', 0) for row in mine) / 60:.0f}",
        )
        for scenario in sorted({*SCENARIOS, *(row["name"] for row in rows)})
        for mine in [[row for row in rows if row["name"] == scenario]]
    ]
    headings = (
        "scenario", "messages of the first and the second rotation", "cells by the source",
        "by the artifact, under Lambda's emulator", "promises broken", "minutes",
    )  # fmt: skip
    return f"""## Crash matrix

A rotation is recorded; then, at each message that the function sends (a request to Secrets Manager, a TLS record to the server),
one of three things happens: it is killed before the message, it is killed after the other side has acted on it (has begun to answer, or had a tenth of a
second), or the answer is lost and it lives on. And it recovers in one of three ways: the service tries the same version again; the rotation is
given up and a new one started; a person puts a value by hand in mid-rotation, and a new one is started. Then: AWSCURRENT
logs in with the rights it had; one version is current; no credential works that no staged version holds; the function has printed no credential, and failed in no
way that nobody foresaw. With alternating users, dual passwords and issued keys AWSPREVIOUS logs in then; and AWSCURRENT between any two steps from the death on,
with its rights where the death has left it.

{_table(headings, lines)}"""


def explorer(rows: Sequence[Figures]) -> str:
    """How many states there are."""
    columns = (
        ("strategy", "of"), ("rotations", "rotations"), ("faults", "faults"), ("states between steps", "states"),
        ("states inside of steps", "inner"), ("runs of a step", "calls"), ("seconds", "seconds"),
    )  # fmt: skip
    return f"""## Every state there is

The real engine and strategies, on a Secrets Manager and a server in memory ([testkit/explorer](../testkit/explorer/__init__.py)). Every call that
the function makes may be where it dies (before or after), where an answer is lost, where a read is stale, where a second delivery of the step comes
in between, or where the delivery hangs and goes on later; the policy may refuse; between steps an operator may cancel, abandon, edit
or roll back. All schedules of so many rotations with so many of these faults are gone through, breadth first. A state is all that there is between two steps
(versions, labels, users and their passwords or keys, deliveries that hang); inside of a step, all that there is before one of its calls, and what the function
has been told so far. States that are alike are one: which way led to them, or what a password is, makes no other.

Not gone through: faults of a second delivery, which comes whole; two deliveries that hung and go on in the same step; the answer to a request to Secrets Manager
that is lost, where the step ends at once, as a death does; what comes after the last rotation has ended or was given up. A delivery that stalls between its guard and its change, and
a label that is taken off while an earlier finishSecret revokes keys, are [limits](how-it-works.md): those lines say *beyond the limits*, and
the next rotation has to recover from them.

{_by_keys(rows, columns)}"""


def chaos(rows: Sequence[Figures]) -> str:
    """What chance has tried."""
    columns = (
        ("scenario", "of"), ("examples", "examples"), ("events", "events"), ("rotations", "rotations"), ("faults", "faults"),
        ("deliveries", "deliveries"), ("servers restarted", "restarts"), ("seed", "seed"), ("seconds", "seconds"),
    )  # fmt: skip
    return f"""## Chaos, by seed

Hypothesis draws what happens, on real servers: rotations, retries, cancels, values put by hand, rights that come (in mid-rotation too) and go (between rotations),
connections that drop, answers that are slow, throttling, errors 500 and time-outs of Secrets Manager, labels that are read stale, the same step
delivered twice, one after the other and at once. MySQL and MariaDB restart in good order, where that is drawn (the column says how often, and a test of its own does it), a process of PostgreSQL's is killed, after which it recovers from its log; Redshift's stand-in ends
its sessions; of the others only the lines are cut. After every step the promises are looked at: AWSCURRENT, its rights, AWSPREVIOUS for as long as that is promised. The function's
time-outs are shorter here: 1 s to connect, 1.5 s to read, and 0.5 s until it guards again. A failure prints its seed and the shortest story that still fails;
`CHAOS_SEED=… CHAOS_EXAMPLES=… make proof ARGS="tests/proof/test_chaos.py -k …"` repeats it. Keys under a limit are left out: where a key made by hand is in the way, a rotation waits for an operator.

{_by_keys(rows, columns, SCENARIOS)}"""


def load(rows: Sequence[Figures]) -> str:
    """What clients saw."""
    columns = (
        ("scenario", "of"), ("rotations", "rotations"), ("of them with AWS's library", "rotations_with_application"), ("logins", "logins"),
        ("refused", "refused"), ("of stale clients", "refused_stale"), ("gaps seen", "gaps_seen"), ("median ms", "gap_median_ms"),
        ("95 %", "gap_p95_ms"), ("worst", "gap_worst_ms"), ("seconds", "seconds"),
    )  # fmt: skip
    return f"""## Under load

Clients log in without pause while their secret rotates: one reads AWSCURRENT before each login, one caches it by AWS's own library, one keeps
what it read in one rotation until just before the next one's setSecret, which is as long as the promise goes. With alternating users, dual passwords and
issued keys none may be refused, ever. A single user's are refused from the change in setSecret to finishSecret: that gap is measured. (The
service's own pauses between steps, which nobody documents, come on top of it: the simulator makes none.) AWS's library waits up to a second
(with a single user, five) before it looks again, so that client takes part in some of the rotations only. A single user has no client that may be stale.

{_by_keys(rows, columns, [*WITH_A_GAP, *WITHOUT_A_GAP])}{_plot(rows, "![Single user: the gaps of each rotation](reliability-gaps.svg)")}"""


def recovery(rows: Sequence[Figures]) -> str:
    """How long an abandoned rotation's damage lasts, once a new one begins."""
    columns = (
        ("scenario", "of"), ("rotations abandoned", "abandoned"), ("healed by the next one", "healed"),
        ("ms until AWSCURRENT works: median", "recovery_median_ms"), ("worst", "recovery_worst_ms"),
    )  # fmt: skip
    return f"""## Recovery

A single user's rotation is cancelled between setSecret and testSecret, its label taken off as the runbook says, and another one started: AWSCURRENT, which was
refused, works again after so long.

{_by_keys(rows, columns, WITH_A_GAP)}"""


def soak(rows: Sequence[Figures]) -> str:
    """What a warm process held."""
    columns = (
        ("scenario", "of"), ("rotations", "rotations"), ("ms each", "milliseconds_a_rotation"), ("KiB when warm", "memory_warm_kib"),
        ("at the end", "memory_end_kib"), ("grown", "memory_grown_kib"), ("of it in the second half", "memory_grown_late_kib"), ("files", "files"), ("sockets", "sockets"), ("threads", "threads"),
    )  # fmt: skip
    return f"""## Soak

Rotations in one warm process, the function's own: its memory may grow by 1 MiB from when it is warm, and in the second half by 256 KiB; its open files,
sockets and threads by none.

{_by_keys(rows, columns, SCENARIOS)}{_plot(rows, "![Memory of the warm processes](reliability-memory.svg)")}"""


def fuzz(rows: Sequence[Figures]) -> str:
    """What nonsense it was given."""
    columns = (
        ("input", "of"), ("examples", "examples"), ("refused, each with a code", "refused"), ("done", "rotated"),
        ("not taken by the server itself", "not_taken"), ("seconds", "seconds"),
    )  # fmt: skip
    return f"""## Fuzz

Hypothesis writes the secret's value, its tags, the event and the environment, and what servers answer; and users' names and passwords over each
server's whole range, on the real server. Every refusal is an error of ours with its code ([errors](errors.md)): never an unexpected
one, never one with a value in it, never a hang.

{_by_keys(rows, columns)}"""


def leaks(rows: Sequence[Figures]) -> str:
    """Where canaries were looked for."""
    columns = (
        ("where and when", "of"), ("places", "places_searched"), ("records", "records"), ("canaries found", "found"),
    )  # fmt: skip
    return f"""## Leaks

Canaries are planted in every value (AWSCURRENT, AWSPENDING, AWSPREVIOUS, versions without a label, the admin's, the rotation token, fields
that nobody knows) and looked for, also quoted, escaped and encoded, in what the function prints, its metrics, its exceptions with their
chains and frames, the `repr` of every value, and the servers' logs (of FerretDB those of its users' logins); in rotations that succeed, and that fail: refused
logins, policies, rights, admins, certificates, values that are no JSON. One place is known and [documented](../rotators/mysql/README.md): MariaDB with
`strict_password_validation` has to be told a password in clear, and its general log shows it.

{_by_keys(rows, columns)}"""


def _by_keys(rows: Sequence[Figures], columns: Sequence[tuple[str, str]], expected: Iterable[str] = ()) -> str:
    """A line for each row, and for what was expected and has none."""
    if not rows:
        return "*Not run.*"
    lines = [[_named(row), *(_shown(row.get(key, "")) for _, key in columns[1:])] for row in rows]
    missing = sorted({*expected} - {row["of"] for row in rows})
    lines += [[name, "*not run*", *[""] * (len(columns) - 2)] for name in missing]
    return _table([heading for heading, _ in columns], lines)


def _named(row: Figures) -> str:
    part = "" if row["whole"] else " *(part)*"
    return f"{row['of']}{part}{''.join(f' **broken: {what}**' for what in row.get('broken', []))}"


def _plot(rows: Sequence[Figures], link: str) -> str:
    return f"\n\n{link}" if rows else ""


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *lines))


if __name__ == "__main__":
    main()

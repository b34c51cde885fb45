"""What is shown: a table of the service's keys by moment, live on a terminal; a line a step elsewhere."""

import threading
import time
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.issued.services import Issued
from demo.issued.stage import ABANDONED, PROMISED, Demo, stage
from demo.view import picture
from testkit.simulator import Rotation, StepRun

_COLOURS = {"current": "bold green", "previous": "cyan", "pending": "yellow", "orphan": "bold red", "revoked": "dim"}
_NAMES = ("rotation 1", "rotation 2", ABANDONED, "rotation 3")
_NOTES = {
    "createSecret": "the service issues a key, stored as AWSPENDING",
    "setSecret": "nothing to set",
    "testSecret": "AWSPENDING works",
    "finishSecret": "AWSPENDING becomes AWSCURRENT; ours that no version holds is revoked",
}


def show(console: Console, svg: Path | None = None) -> int:
    """The exit code: 0 where every promise held. svg: where to write a picture of the end."""
    started = time.monotonic()
    with stage() as demo:
        console.print(f"{demo.service.title}, a simulated Secrets Manager at")
        console.print(f"{demo.aws.endpoint}, the function, an application: up in {time.monotonic() - started:.1f} s.\n")
        (_show_live if console.is_terminal else _show_lines)(console, demo)
        demo.app.stop()
        broken = demo.broken_promises()
        end = _matrix(demo), _counts(demo), _verdict(broken)
        console.print(*end, sep="\n")
        if svg:
            svg.write_text(picture("make demo TARGET=api_key", *end))
    return 1 if broken else 0


def _show_live(console: Console, demo: Demo) -> None:
    worker = threading.Thread(target=demo.play, args=(lambda *_: None,), daemon=True)
    with Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as view:
        worker.start()
        while worker.is_alive():
            view.update(_frame(demo), refresh=True)
            time.sleep(0.1)
        view.update("", refresh=True)  # the end shows the table once more


def _show_lines(console: Console, demo: Demo) -> None:
    def print_rotation(name: str, rotation: Rotation) -> None:
        for run in rotation.runs:
            console.print(_line(name, rotation, run))

    demo.play(print_rotation)
    console.print()


def _frame(demo: Demo) -> RenderableType:
    """The state of things, redrawn many times a second."""
    last = demo.aws.rotations[-1] if demo.aws.rotations else None
    lines = [_line(_NAMES[len(demo.aws.rotations) - 1], last, run) for run in last.runs] if last else []
    steps = Text("\n".join([*lines, *[""] * (4 - len(lines))]))
    state = Text("works", "green") if demo.app.works else Text("refused", "red")
    app = Text.assemble("application, caches AWSCURRENT: ", state, f", {_uses(demo)}")
    return Panel(Group(_matrix(demo), steps, app), title="Keyturn: keys that a service issues", border_style="cyan")


def _line(name: str, rotation: Rotation, run: StepRun) -> str:
    """One line for a step."""
    if run.invocation is None:
        return f"{name:10}  {run.step:12}  …"
    outcome = run.invocation.error or _NOTES[run.step]
    if name == ABANDONED:
        outcome = f"killed between issue and store, and given up ({outcome})"
    case = rotation.case(run.step) or ""
    return f"{name:10}  {run.step:12}  {case:2}  {run.invocation.seconds * 1000:4.0f} ms  {outcome}"


def _matrix(demo: Demo) -> Table:
    """Each key, by its masked id and its label, and whose it was at each moment."""
    table = Table("key", "label", title="The service's keys", title_justify="left", padding=(0, 0, 0, 1))
    for title in PROMISED:
        table.add_column(title)
    seen = list(demo.moments)
    for one in list(demo.known.values()):
        cells = [moment.holders.get(one.id, "") for moment in seen]
        table.add_row(_masked(one), _short(one.label), *[Text(cell, _COLOURS.get(cell, "")) for cell in cells])
    return table


def _masked(one: Issued) -> str:
    """A key's beginning, which says no more than which kind it is and which of a few."""
    return one.key[:6] + "…"


def _short(label: str | None) -> str:
    """The version that a label names, as far as it tells them apart."""
    ours, _, version = (label or "by hand").partition("-")
    return f"{ours}-…-{version.partition('-')[2][:4]}" if version else ours


def _uses(demo: Demo) -> str:
    return f"{len(demo.app.logins)} uses, {demo.app.failed} refused"


def _counts(demo: Demo) -> Text:
    return Text(
        f"{'application that caches AWSCURRENT:':62}{_uses(demo)}\n"
        f"{'keys in our log, or working ones in the log of the service:':62}{demo.leaks()}"
    )


def _verdict(broken: list[str]) -> Text:
    if not broken:
        return Text(
            "Every promise held: AWSCURRENT works at every instant, AWSPREVIOUS until the next finishSecret; the key that was "
            "made by hand is gone after the second rotation, and what a death left after the next one.",
            "bold green",
        )
    return Text("\n".join(["A promise broke:", *broken]), "bold red")

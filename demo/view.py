"""What the demo shows: a live view on a terminal, a line a step elsewhere, a table and a verdict at the end."""

import io
import re
from collections.abc import Mapping

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.clients import Client
from demo.measure import Measured
from testkit.simulator import Rotation, StepRun
from testkit.simulator.rotations import STEPS

_COLOURS = {"AWSCURRENT": "bold green", "AWSPENDING": "yellow", "AWSPREVIOUS": "dim"}
_NOTES = {
    "createSecret": "a new password, stored as AWSPENDING",
    "setSecret": "the server is told, AWSCURRENT is refused from here",
    "testSecret": "AWSPENDING logs in",
    "finishSecret": "AWSPENDING becomes AWSCURRENT",
}


def live(
    title: str, stages: Mapping[str, list[str]], rotation: Rotation | None, app: Client, probe: Client
) -> RenderableType:
    """The state of things, redrawn many times a second."""
    clients = Table.grid(padding=(0, 2))
    clients.add_row(
        "probe", _state(probe), f"{len(probe.logins)} logins, {probe.failed} refused", "reads AWSCURRENT anew each time"
    )
    clients.add_row(
        "app", _state(app), f"{len(app.logins)} logins, {app.failed} refused", "caches it, by AWS's library"
    )
    return Panel(Group(Columns([_versions(stages), _steps(rotation)]), clients), title=title, border_style="cyan")


def _versions(stages: Mapping[str, list[str]]) -> Table:
    table = Table("version", "staging labels", title="the secret", title_justify="left", width=44)
    for version, labels in stages.items():
        table.add_row(version[:8], Text(" ").join(Text(label, _COLOURS.get(label, "")) for label in sorted(labels)))
    return table


def _steps(rotation: Rotation | None) -> Table:
    table = Table("step", "case", "ms", "", title="the rotation", title_justify="left")
    runs = {run.step: run for run in rotation.runs} if rotation else {}
    for step in STEPS:
        run = runs.get(step)
        table.add_row(step, _case(rotation, step), _milliseconds(run), _NOTES[step], style="" if run else "dim")
    return table


def _case(rotation: Rotation | None, step: str) -> str:
    return (rotation.case(step) if rotation else None) or ""


def _milliseconds(run: StepRun | None) -> str:
    if run is None:
        return ""
    return f"{run.invocation.seconds * 1000:.0f}" if run.invocation else "…"


def _state(client: Client) -> Text:
    if client.refreshing:
        return Text("refused, refreshing its cache", "yellow")
    return Text("logs in", "green") if client.works else Text("refused", "red")


def picture(title: str, *renderables: RenderableType) -> str:
    """The renderables as an SVG, in whatever monospaced font the reader has."""
    recorder = Console(record=True, width=110, file=io.StringIO())
    recorder.print(*renderables, sep="\n")
    return recorder.export_svg(
        title=title, code_format=re.sub("@font-face {{.*?}}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    )


def print_step(console: Console, number: int, rotation: Rotation, run: StepRun) -> None:
    """One line for a step that is over: for files and pipes."""
    outcome = run.invocation.error if run.invocation and run.invocation.error else _NOTES[run.step]
    console.print(
        f"rotation {number}  {run.step:12}  {_case(rotation, run.step):2}  {_milliseconds(run):>4} ms  {outcome}"
    )


def summary(measured: list[Measured], app: Client, probe: Client, leaks: int) -> RenderableType:
    """The table at the end."""
    table = Table()
    table.add_column("rotation")
    table.add_column("case")
    for name in ("calls", "function", "AWSCURRENT refused", "app refused"):
        table.add_column(name, justify="right")
    table.add_column("the old password")
    for number, one in enumerate(measured, 1):
        note = " (slow motion)" if one.slow_motion else ""
        table.add_row(
            f"{number}{note}",
            one.rotation.case("setSecret"),
            str(one.calls),
            f"{one.seconds * 1000:.0f} ms",
            f"{one.gap * 1000:.0f} ms",
            f"{one.app_gap:.1f} s",
            one.old_password,
        )
    figures = Text(
        f"probe, reads AWSCURRENT anew each time:               {len(probe.logins)} logins tried, {probe.failed} refused\n"
        f"app, caches it; AWS's library waits 2.5 to 5 s:       {len(app.logins)} logins tried, {app.failed} refused\n"
        f"passwords in the function's and the server's logs:    {leaks}"
    )
    return Group(table, figures)


def verdict(broken: list[str]) -> Text:
    """Whether every promise held."""
    if not broken:
        return Text(
            "Every promise held: AWSCURRENT logs in after each rotation, and failed only in the gap.", "bold green"
        )
    return Text("\n".join(["A promise broke:", *broken]), "bold red")

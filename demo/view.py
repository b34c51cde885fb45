"""What the demo shows: a live view on a terminal, a line a step elsewhere, a table and a verdict at the end."""

from collections.abc import Mapping

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
    figures = Table.grid(padding=(0, 2))
    for client, what in (
        (probe, "by a probe that reads AWSCURRENT anew each time"),
        (app, "by an app that caches it with AWS's library, which waits 2.5 to 5 s before it refreshes"),
    ):
        figures.add_row(f"{len(client.logins)} logins tried, {client.failed} refused", what)
    figures.add_row(f"{leaks} passwords", "in the logs of the function and of the server")
    return Group(table, figures)


def verdict(broken: list[str]) -> Text:
    """Whether every promise held."""
    if not broken:
        return Text(
            "Every promise held: AWSCURRENT logs in after each rotation, and failed only in the gap.", "bold green"
        )
    return Text("\n".join(["A promise broke:", *broken]), "bold red")

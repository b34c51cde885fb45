"""What the demo shows: a live view on a terminal, a line a step elsewhere, a table and a verdict at the end."""

import io
import re
from dataclasses import dataclass

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from demo.measure import Measured
from testkit.load.clients import Client
from testkit.simulator import Rotation, StepRun
from testkit.simulator.rotations import STEPS

_COLOURS = {"AWSCURRENT": "bold green", "AWSPENDING": "yellow", "AWSPREVIOUS": "dim"}
_NOTES = {
    "createSecret": "a new password, as AWSPENDING",
    "setSecret": "the server is told",
    "testSecret": "AWSPENDING logs in",
    "finishSecret": "AWSPENDING becomes AWSCURRENT",
}
# One row of a secret's versions: (version, its user, its labels).
Row = tuple[str, str, list[str]]


@dataclass(frozen=True)
class Shown:
    """One secret as the view shows it."""

    strategy: str
    versions: list[Row]
    rotation: Rotation | None
    app: Client
    probe: Client


def live(title: str, lanes: list[Shown]) -> RenderableType:
    """The state of things, redrawn many times a second."""
    clients = Table.grid(padding=(0, 2))
    for lane in lanes:
        for client, what in ((lane.probe, "probe, reads AWSCURRENT anew"), (lane.app, "app, caches it")):
            counted = f"{len(client.logins)} logins, {client.failed} refused"
            clients.add_row(lane.strategy, _state(client), counted, what)
    return Panel(Group(_versions(lanes), _steps(lanes), clients), title=title, border_style="cyan")


def _width(lanes: list[Shown]) -> int:
    return 40 + 22 * len(lanes)


def _versions(lanes: list[Shown]) -> Table:
    table = Table("secret", "version", "user", "staging labels", width=_width(lanes))
    for lane in lanes:
        for version, user, labels in lane.versions:
            shown = Text(" ").join(Text(label, _COLOURS.get(label, "")) for label in sorted(labels))
            table.add_row(lane.strategy, version[:8], user, shown)
    return table


def _steps(lanes: list[Shown]) -> Table:
    table = Table("step", width=_width(lanes))
    for lane in lanes:
        table.add_column(lane.strategy)
    table.add_column("")
    for step in STEPS:
        cells = [_cell(lane.rotation, step) for lane in lanes]
        table.add_row(step, *cells, _NOTES[step], style="" if any(cells) else "dim")
    return table


def _cell(rotation: Rotation | None, step: str) -> str:
    run = next((run for run in reversed(rotation.runs) if run.step == step), None) if rotation else None
    if rotation is None or run is None:
        return ""
    return f"{_milliseconds(run):>4} ms  {rotation.case(step) or ''}" if run.invocation else "…"


def _milliseconds(run: StepRun) -> str:
    return f"{run.invocation.seconds * 1000:.0f}" if run.invocation else ""


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


def print_step(console: Console, one: Measured, run: StepRun) -> None:
    """One line for a step that is over: for files and pipes."""
    outcome = run.invocation.error if run.invocation and run.invocation.error else _NOTES[run.step]
    case = one.rotation.case(run.step) or ""
    console.print(
        f"rotation {one.number}  {one.strategy:17}  {run.step:12}  {case:2}  {_milliseconds(run):>4} ms  {outcome}"
    )


def summary(
    measured: list[Measured], clients: list[tuple[str, Client]], leaks: int, width: int = 110
) -> RenderableType:
    """The table at the end, for a terminal of this width."""
    table = Table(padding=(0, 1 if width >= 100 else 0))
    for name in ("rotation", "strategy", "case"):
        table.add_column(name)
    for name in ("calls", "function", "AWSCURRENT refused", "app refused"):
        table.add_column(name, justify="right")
    table.add_column("the old password")
    strategies = list(dict.fromkeys(one.strategy for one in measured))
    for one in sorted(measured, key=lambda one: (strategies.index(one.strategy), one.number)):
        table.add_row(
            f"{one.number}{' (slow)' if one.slow_motion else ''}",
            one.strategy,
            one.rotation.case("setSecret"),
            str(one.calls),
            f"{one.seconds * 1000:.0f} ms",
            f"{one.gap * 1000:.0f} ms" if one.gap else "never",
            f"{one.app_gap:.1f} s" if one.app_gap else "never",
            one.old_password,
        )
    lines = [f"{name + ':':62}{len(client.logins):>5} logins, {client.failed:>3} refused" for name, client in clients]
    lines.append(f"{'passwords in the logs of the function and the server:':62}{leaks:>5}")
    return Group(table, Text("\n".join(lines)))


def verdict(broken: list[str]) -> Text:
    """Whether every promise held."""
    if not broken:
        return Text(
            "Every promise held: AWSCURRENT logs in after each rotation; with two users or two passwords at every instant, "
            "and the old password until the next rotation; with a single user all but in the gap.",
            "bold green",
        )
    return Text("\n".join(["A promise broke:", *broken]), "bold red")

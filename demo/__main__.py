"""Rotate real passwords by every strategy, with clients that log in all the while. `make demo` runs this.

Everything is started here and gone at the end, also after Ctrl-C: a server with TLS, the Secrets Manager simulator,
the function, two clients a secret. The exit code is 1 where a promise broke.
"""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from demo import stage
from demo.issued import view as issued
from demo.measure import Measured
from demo.stage import Demo
from demo.targets import TARGETS
from demo.view import Shown, live, picture, print_step, summary, verdict

ROUND = 6.0  # seconds between two rotations of one secret at least: longer than the application's cache lives


def run_all(demo: Demo, after: Callable[[Measured], None] = lambda _: None) -> None:
    """All rotations: each secret in turn, a round at a time."""
    for number in range(1, stage.ROTATIONS + 1):
        next_round = time.monotonic() + ROUND
        for lane in demo.lanes:
            lane.measured.append(demo.rotate(lane, number))
            after(lane.measured[-1])
        if number < stage.ROTATIONS:
            time.sleep(max(next_round - time.monotonic(), 0.5))


def show_live(demo: Demo) -> None:
    """Rotate in the background of a live view."""
    worker = threading.Thread(target=run_all, args=(demo,), daemon=True)
    with Live(console=demo.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as view:
        worker.start()
        while True:
            alive = worker.is_alive()
            view.update(frame(demo), refresh=True)
            if not alive:
                return
            time.sleep(0.1)


def show_lines(demo: Demo) -> None:
    """A line a step, where nobody watches."""

    def print_steps(one: Measured) -> None:
        for run in one.rotation.runs:
            print_step(demo.console, one, run)

    run_all(demo, print_steps)
    demo.console.print()


def frame(demo: Demo) -> RenderableType:
    """The live view as it is now."""
    shown, number = [], 0
    for lane in demo.lanes:
        rotations = [rotation for rotation in demo.aws.rotations if rotation.arn == lane.arn]
        number = max(number, len(rotations))
        shown.append(Shown(lane.strategy, lane.versions(), rotations[-1] if rotations else None, lane.app, lane.probe))
    title = f"Keyturn: rotation {number} of {stage.ROTATIONS}" + (", in slow motion" if number == 1 else "")
    return live(title, shown)


def main(target: str = "postgres", svg: Path | None = None) -> int:
    """The exit code: 0 where every promise held. target: as in demo/targets.py, or api_key. svg: where to write a picture of the end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    # The view's own stdout: while the function runs, sys.stdout is its log.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 118)
    if target == "api_key":
        return issued.show(console, svg)
    with stage.stage(console, target) as demo:
        (show_live if console.is_terminal else show_lines)(demo)
        for lane in demo.lanes:
            lane.app.stop()
            lane.probe.stop()
        clients = [
            (f"{lane.strategy}, {what}", client)
            for lane in demo.lanes
            for client, what in ((lane.probe, "probe that reads AWSCURRENT anew"), (lane.app, "app that caches it"))
        ]
        measured = [one for lane in demo.lanes for one in lane.measured]
        broken = demo.broken_promises()
        end = summary(measured, clients, demo.leaks(), console.width), verdict(broken)
        console.print(*end, sep="\n")
        if svg:
            svg.write_text(
                picture("make demo" if target == "postgres" else f"make demo TARGET={target}", frame(demo), *end)
            )
    return 1 if broken else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m demo", description="Rotate real passwords and watch it.")
    parser.add_argument("target", nargs="?", choices=[*TARGETS, "api_key"], default="postgres")
    parser.add_argument("--svg", type=Path, help="write a picture of the end to this file")
    try:
        given = parser.parse_args()
        sys.exit(main(given.target, given.svg))
    except KeyboardInterrupt:
        sys.exit(130)

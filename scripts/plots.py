"""The plots of docs/reliability.md, as SVG that does not change where the figures do not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

mpl.rcParams.update({"svg.hashsalt": "keyturn", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def gaps(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """How long AWSCURRENT was refused in each rotation, as the share of rotations that were at most so long; a line each."""
    measured = [row for row in rows if any(row.get("gaps_ms", []))]
    if not measured:
        return
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for row in measured:
        ordered = sorted(row["gaps_ms"])
        axes.step(ordered, [100 * (at + 1) / len(ordered) for at in range(len(ordered))], where="post", label=row["of"])
    axes.set(xlabel="milliseconds for which AWSCURRENT was refused", ylabel="% of rotations", ylim=(0, 101))
    axes.set_xlim(left=0)
    axes.legend(frameon=False, loc="lower right")
    _save(figure, file)


def memory(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """What each warm process held after so many rotations."""
    if not rows:
        return
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        axes.plot(row["sample_rotations"], [kib / 1024 for kib in row["sample_memory_kib"]], label=row["of"])
    axes.set(xlabel="rotations in one process", ylabel="MiB resident")
    axes.set_ylim(bottom=0)
    figure.legend(frameon=False, fontsize=7, loc="outside right center")
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None}, facecolor="white")

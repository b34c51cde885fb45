"""docs/reliability.md says what was measured, and what was not run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scripts import plots, reliability
from tests import figures

RUN: Mapping[str, Any] = {"section": "matrix", "of": "x", "day": "2026-01-02", "commit": "abc1234", "whole": True, "name": "postgres, single-user", "function": "forked"}  # fmt: skip
FIRST = {**RUN, "which": "first", "recovery": "again", "messages": 30, "cells": 90, "broken": [], "seconds": 61.0}
SECOND = {**RUN, "day": "2026-01-03", "which": "second", "recovery": "anew", "messages": 20, "cells": 60, "broken": ["AWSCURRENT does not log in"], "seconds": 59.0}  # fmt: skip
VERSION = {**RUN, "section": "versions", "of": "PostgreSQL", "version": "17.1"}


def test_cells_are_counted_and_what_broke() -> None:
    """Of three moments and three recoveries for each message; with days, commit and versions."""
    page = reliability.page([FIRST, SECOND, VERSION])
    assert "| postgres, single-user | 30 + 20 | 150 of 450 | *not run* | 1 | 2 |" in page
    assert "| [Crash matrix](#crash-matrix) | 150 deaths and lost answers | 1 |" in page
    assert "2026-01-02 to 2026-01-03" in page
    assert "abc1234" in page
    assert "PostgreSQL 17.1" in page


def test_what_was_not_run_is_said() -> None:
    """In its section, instead of nothing."""
    page = reliability.page([FIRST])
    assert page.count("*Not run.*") == 7
    assert "| 30 + ? | 90 of 270 + ? |" in page
    assert "| mysql, dual-password | ? + ? | *not run* | *not run* | 0 | 0 |" in page
    soaked = {**RUN, "section": "soak", "of": "mysql, dual-password", "rotations": 1000}
    assert "| postgres, single-user | *not run* |" in reliability.page([soaked])


def test_what_broke_is_said() -> None:
    """In the summary's count, and in its line."""
    page = reliability.page(
        [{**RUN, "section": "load", "of": "mysql, dual-password", "broken": ["the probe was refused"]}]
    )
    assert "| mysql, dual-password **broken: the probe was refused** |" in page
    assert "| 0 logins while secrets rotate | 1 |" in page
    page = reliability.page([{**RUN, "broken": ["setup failed"]}])
    assert "| postgres, single-user | ? + ? | 0 of ? | *not run* | 1 | 0 |" in page


def test_a_part_is_marked() -> None:
    """Figures of make test's size do not pass for those of make proof."""
    whole = {**RUN, "section": "soak", "of": "mysql, dual-password", "sample_rotations": [1], "sample_memory_kib": [1]}
    part = {**whole, "of": "postgres, single-user", "whole": False}
    page = reliability.page([whole, part])
    assert "| mysql, dual-password |" in page
    assert "| postgres, single-user *(part)* |" in page


def test_figures_are_kept_only_by_make_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a file that the next measurement of the same replaces, with its day and commit."""
    monkeypatch.setattr(figures, "FOLDER", None)
    figures.publish("soak", "a b", rotations=1)
    monkeypatch.setattr(figures, "FOLDER", str(tmp_path))
    for number in (2, 3):
        figures.publish("soak", "A, b", rotations=number)
    (file,) = tmp_path.iterdir()
    kept = json.loads(file.read_text())
    assert (kept["section"], kept["of"], kept["rotations"]) == ("soak", "A, b", 3)
    assert {"day", "commit", "whole"} < set(kept)


def test_a_measurement_that_fails_replaces_the_figures_from_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what broke, and what had been measured by then; one that is skipped leaves none."""
    monkeypatch.setattr(figures, "FOLDER", str(tmp_path))
    with figures.measured("soak", "x", target="y") as measured:
        measured["rotations"] = 7
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["rotations"] == 7

    def fails() -> None:
        with figures.measured("soak", "x", target="y") as measured:
            measured["seconds"] = 1
            raise AssertionError("it leaks\nmuch")

    with pytest.raises(AssertionError):
        fails()
    kept = json.loads(file.read_text())
    assert (kept["broken"], kept["target"], kept["seconds"], "rotations" in kept) == (["it leaks"], "y", 1, False)
    with pytest.raises(pytest.skip.Exception), figures.measured("soak", "x"):
        pytest.skip("no server")
    assert not file.exists()


def test_the_plots_are_pictures(tmp_path: Path) -> None:
    """SVG with a line for each scenario; none where nothing was measured."""
    load = {"of": "postgres, single-user", "gaps_ms": [3.0, 1.0, 2.0]}
    soak = {"of": "mysql, dual-password", "sample_rotations": [1, 2], "sample_memory_kib": [1000, 2000]}
    plots.gaps([load], tmp_path / "gaps.svg")
    plots.memory([soak], tmp_path / "memory.svg")
    for name in ("gaps", "memory"):
        assert ET.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")  # noqa: S314  our own file
    plots.gaps([{"of": "x", "gaps_ms": [0, 0]}], tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()

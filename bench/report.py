"""The table on stdout and the file of raw numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure, Measured
from bench.text_table import render

_HEADER = ("measure", "value", "unit", "target", "met", "beside")


def table(figures: Sequence[Figure]) -> str:
    """One line a figure. `beside`: the other engines' values and how many times theirs ours is."""
    return render(_HEADER, [_line(figure) for figure in figures])


def write_json(path: Path, machine: dict[str, Any], measured: dict[str, Measured], failed: dict[str, str]) -> None:
    """Everything that was measured, with the raw numbers behind it."""
    content = {
        "machine": machine,
        "figures": [
            {
                "measurement": name,
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "target": figure.target and {"sense": figure.target.sense, "value": figure.target.value},
                "met": figure.met,
                "others": dict(figure.others),
            }
            for name, outcome in measured.items()
            for figure in outcome.figures
        ],
        "raw": {name: outcome.raw for name, outcome in measured.items()},
        "failed": failed,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def _line(figure: Figure) -> list[str]:
    target = f"{figure.target.sense} {_number(figure.target.value)}" if figure.target else ""
    met = {None: "", True: "yes", False: "MISSED"}[figure.met]
    beside = ", ".join(
        f"{name} {_number(value)} ({figure.ratio_to(name):.2f} x)" for name, value in figure.others.items()
    )
    return [figure.name, _number(figure.value), figure.unit, target, met, beside]


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")

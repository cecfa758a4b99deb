"""How often the legibility gate is wrong, on pictures of which we know what they say and what is spoilt in them."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator

from bench.figures import Figure, Measured, at_most
from bench.legibility.specimens import LEGIBLE, Specimen, specimens
from bench.percentiles import describe
from bench.setting import Setting
from bench.text_table import render
from shared.content.legibility.ocr import Tesseract
from shared.content.legibility.report import LegibilityGate


async def measure(setting: Setting) -> Measured:
    """Half of the pictures are legible, the others have one fault each. One after another."""
    gate = LegibilityGate(Tesseract(at_once=1))
    seen: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    times: dict[str, list[float]] = {"legible": [], "spoilt": []}
    async for specimen, passed, elapsed_s in _checked(gate, setting.scale.slides):
        legible = specimen.fault == LEGIBLE
        seen[specimen.fault] += 1
        wrong[specimen.fault] += passed != legible
        times["legible" if legible else "spoilt"].append(elapsed_s)
    spoilt = sum(count for fault, count in seen.items() if fault != LEGIBLE)
    accepted = sum(count for fault, count in wrong.items() if fault != LEGIBLE)
    return Measured(
        figures=[
            Figure("illegible slides that the gate lets through", accepted / max(1, spoilt) * 100, "%", at_most(1)),
            Figure(
                "legible slides that the gate refuses", wrong[LEGIBLE] / max(1, seen[LEGIBLE]) * 100, "%", at_most(5)
            ),
            Figure("reading a legible slide back, p50", describe(times["legible"])["p50"], "s", at_most(1.5)),
        ],
        raw={"seen": dict(seen), "wrong": dict(wrong), "s": {name: describe(each) for name, each in times.items()}},
        tables=[
            render(["slides", "n", "judged wrongly"], [[name, str(n), str(wrong[name])] for name, n in seen.items()])
        ],
    )


async def _checked(gate: LegibilityGate, count: int) -> AsyncIterator[tuple[Specimen, bool, float]]:
    drawn = specimens(count)
    while (specimen := await asyncio.to_thread(next, drawn, None)) is not None:
        started = time.perf_counter()
        report = await gate.check(specimen.picture, specimen.text)
        yield specimen, report.passed, time.perf_counter() - started

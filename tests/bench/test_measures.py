"""The benchmark itself, so small that it shows only that it works."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import MEASUREMENTS, main, run
from bench.scale import Scale
from bench.setting import Setting
from bench.stack import Stack, running_stack

TINY = Scale(
    latency_s=0.5,
    latency_warm_up_s=0.1,
    rate_per_s=20,
    burst_jobs=20,
    warm_up_jobs=5,
    rounds=1,
    finished_jobs=1_000,
    claims=5,
    kills=1,
    terminations=1,
    jobs_at_once=2,
    cold_starts=1,
    idle_s=0.1,
    states_kib=(1,),
    pipelines=1,
    calls=4,
    worker_rounds=1,
    echo_jobs=20,
    articles=1,
    assets=200,
    asset_queries=5,
    asset_exact_queries=2,
    slides=2,
    counters_s=0.1,
)


@pytest.mark.timeout(300)
async def test_measures_ours_beside_the_others_and_writes_the_numbers_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    async def broken(setting: Setting):
        raise RuntimeError("nothing to measure with")

    monkeypatch.setitem(MEASUREMENTS, "broken", broken)
    path = tmp_path / "bench.json"

    async def measured(stack: Stack, beside: Sequence[str], *names: str) -> dict[str, Any]:
        assert await run(Setting(stack, TINY, beside), names, path)
        return {figure["name"]: figure for figure in json.loads(path.read_text())["figures"]}

    with running_stack(["dispatcher", "template"]) as stack:
        figures = await measured(stack, (), "start_latency", "claim_time", "call_ledger", "checkpoint_write")
        assert figures["start latency at 20 jobs/s, p50"]["value"] > 0
        assert figures["enqueue over REST, p50"]["value"] > 0
        assert figures["reserve + settle p50, 8 jobs at the same time"]["value"] > 0
        assert figures["checkpoint write p50, state of 1 KiB"]["others"]["LangGraph"] > 0

        figures = await measured(stack, ("procrastinate",), "four_workers", "memory_growth")
        assert figures["20 one-step jobs at once, 4 workers"]["others"].keys() == {"1 worker of ours", "procrastinate"}
        assert figures["template: memory (RSS) after 20 jobs"]["value"] > 0

        figures = await measured(stack, (), "asset_search", "asset_scale")
        assert figures["asset search, precision at relevance > 70"]["value"] >= 0.9
        assert figures["asset search among 200, p95"]["value"] > 0

        everything = await run(Setting(stack, TINY), ["throughput", "broken"], path)
    assert not everything, "a measurement that failed is no success"
    content = json.loads(path.read_text())
    assert content["failed"] == {"broken": "RuntimeError: nothing to measure with"}
    (throughput,) = content["figures"]
    assert throughput["others"].keys() == {"procrastinate", "dbos"}
    printed = capsys.readouterr().out
    assert "20 one-step jobs at once" in printed
    assert "FAILED: broken: RuntimeError: nothing to measure with" in printed


def test_an_unknown_measurement_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--only", "luck"])
    assert "there is no luck, only" in capsys.readouterr().err

"""The arithmetic and the printing of the benchmark, without measuring anything."""

import json
from pathlib import Path

import pytest

from bench.figures import Figure, Measured, at_least, at_most
from bench.percentiles import describe, percentile
from bench.report import table, write_json


def test_percentiles_are_interpolated_between_neighbours():
    assert percentile([1, 2, 3, 4], 0.5) == 2.5
    assert percentile([5], 0.99) == 5


def test_an_empty_sample_has_no_percentiles():
    with pytest.raises(ValueError, match="empty sample"):
        percentile([], 0.5)


def test_a_sample_is_described_in_numbers():
    described = describe([float(value) for value in range(101)])
    assert described == {"n": 101, "mean": 50, "min": 0, "p50": 50, "p90": 90, "p95": 95, "p99": 99, "max": 100}


def test_a_target_is_met_at_its_value():
    assert Figure("latency", 15, "ms", at_most(15)).met is True
    assert Figure("latency", 15.01, "ms", at_most(15)).met is False
    assert Figure("throughput", 299, "jobs/s", at_least(300)).met is False
    assert Figure("memory", 1, "MiB").met is None


def test_a_missed_target_stands_out_in_the_table():
    lines = table([Figure("throughput", 250, "jobs/s", at_least(300), {"other": 500})]).splitlines()
    assert "MISSED" in lines[2]
    assert "other 500 (0.50 x)" in lines[2]


def test_the_file_keeps_figures_raw_numbers_and_failures(tmp_path: Path):
    path = tmp_path / "made" / "bench.json"
    figure = Figure("latency", 15.0, "ms", at_most(20), {"other": 30.0})
    write_json(path, {"cpu": "a processor"}, {"start": Measured([figure], {"p50": 15.0})}, {"claims": "no stack"})
    content = json.loads(path.read_text())
    assert content["figures"] == [
        {
            "measurement": "start",
            "name": "latency",
            "value": 15.0,
            "unit": "ms",
            "target": {"sense": "<=", "value": 20},
            "met": True,
            "others": {"other": 30.0},
        }
    ]
    assert content["raw"] == {"start": {"p50": 15.0}}
    assert content["failed"] == {"claims": "no stack"}

"""Percentiles of a sample, computed one way everywhere."""

from collections.abc import Sequence
from statistics import fmean


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sample lies, interpolated between neighbours."""
    if not values:
        raise ValueError("an empty sample has no percentiles")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    """The middle of the sample."""
    return percentile(values, 0.5)


def describe(values: Sequence[float]) -> dict[str, float]:
    """The sample in numbers, as the JSON report keeps it."""
    shares = {"min": 0.0, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
    named = {name: round(percentile(values, share), 4) for name, share in shares.items()}
    return {"n": len(values), "mean": round(fmean(values), 4), **named}

"""How much is measured: the full size, which the targets are meant for, and one that only shows that all runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of all measurements. Times are in seconds."""

    latency_s: float
    latency_warm_up_s: float
    rate_per_s: float
    burst_jobs: int
    warm_up_jobs: int
    rounds: int
    finished_jobs: int
    claims: int
    kills: int
    terminations: int
    jobs_at_once: int
    cold_starts: int
    idle_s: float
    states_kib: tuple[int, ...]
    pipelines: int
    calls: int
    worker_rounds: int
    echo_jobs: int
    articles: int
    assets: int
    asset_queries: int
    asset_exact_queries: int
    slides: int
    counters_s: float
    """How long to wait for the backends' counters: idle ones hand them in within 10 s."""


FULL = Scale(
    latency_s=30,
    latency_warm_up_s=2,
    rate_per_s=20,
    burst_jobs=2_000,
    warm_up_jobs=200,
    rounds=5,
    finished_jobs=1_000_000,
    claims=400,
    kills=3,
    terminations=5,
    jobs_at_once=5,
    cold_starts=5,
    idle_s=10,
    states_kib=(1, 64, 1024),
    pipelines=10,
    calls=400,
    worker_rounds=2,
    echo_jobs=5_000,
    articles=30,
    assets=100_000,
    asset_queries=300,
    asset_exact_queries=50,
    slides=120,
    counters_s=11,
)

QUICK = Scale(
    latency_s=2,
    latency_warm_up_s=0.5,
    rate_per_s=20,
    burst_jobs=100,
    warm_up_jobs=20,
    rounds=1,
    finished_jobs=20_000,
    claims=40,
    kills=1,
    terminations=1,
    jobs_at_once=3,
    cold_starts=1,
    idle_s=1,
    states_kib=(1, 64, 1024),
    pipelines=1,
    calls=20,
    worker_rounds=1,
    echo_jobs=100,
    articles=4,
    assets=1_000,
    asset_queries=20,
    asset_exact_queries=5,
    slides=8,
    counters_s=1,
)

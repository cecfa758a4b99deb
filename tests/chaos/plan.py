"""What goes wrong when, and who asks for what: all of it drawn from the seed before anything starts."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

# What is drawn, like cards: every trouble comes once before any comes again.
DECK: tuple[tuple[str, str], ...] = (
    *[("kill", "template")] * 3,
    *[("kill", "blog")] * 3,
    ("kill", "sequence"),
    *[("kill", "dispatcher")] * 2,
    *[("kill", "relay")] * 2,
    *[("kill", "gateway")] * 2,
    ("kill", "mail"),
    ("kill_emulator", "emulator"),
    ("stop", "template"),
    ("stop", "blog"),
    ("freeze", "template"),
    ("freeze", "blog"),
    ("restart", "postgres"),
    ("crash", "postgres"),
    ("crash_backend", "postgres"),
    *[("drop_connections", "postgres")] * 2,
    ("delay_hints", "relay"),
    ("refuse_hints", "hints"),
    ("replay_hints", "replays"),
    *[("change_faults", "emulator")] * 2,
    ("halt_everything", "switches"),
    ("halt_echo", "switches"),
    ("halt_blog", "switches"),
    *[("ask_for_batch", "people")] * 3,
    ("cancel_batch", "people"),
    ("ask_for_sequence", "people"),
    *[("cancel", "people")] * 2,
    *[("retry", "people")] * 3,
)
FAULTS = ("429", "500", "503", "truncated", "malformed_json", "empty")
FAILING = 0.2
SLOW_MS = 600
_MOST_SLOW = 0.1
_PAUSE_S = (0.4, 2.0)
_LASTS_S = {
    "freeze": (1.0, 3.0),
    "delay_hints": (1.0, 4.0),
    "refuse_hints": (2.0, 5.0),
    "halt_everything": (3.0, 5.0),
    "halt_echo": (3.0, 6.0),
    "halt_blog": (3.0, 6.0),
}

TOPICS = (
    "Rastreabilidade e UDI em implantes",
    "Torneamento suíço de parafusos pediculares",
    "Metrologia com CMM na aceitação de implantes",
    "Sala limpa ISO classe 7 na montagem de instrumentos",
    "Eletropolimento de implantes de titânio",
    "Qualificação de fornecedores de dispositivos médicos",
    "Titânio grau 23 em implantes dentários",
    "Validação de processos de limpeza de implantes",
)


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong, `at_s` seconds after the start, for `lasts_s` seconds (0: a moment)."""

    at_s: float
    what: str
    target: str
    lasts_s: float = 0.0
    seed: int = 0
    rates: dict[str, float] = field(default_factory=dict)


def troubles(seed: int, duration_s: float) -> list[Trouble]:
    """The schedule: the model fails from the beginning, the rest follows every 0.4 to 2 s."""
    chance = random.Random(f"troubles {seed}")
    drawn = [Trouble(0.0, "change_faults", "emulator", seed=seed, rates=_rates(chance))]
    deck: list[tuple[str, str]] = []
    at_s = chance.uniform(*_PAUSE_S)
    while at_s < duration_s:
        if not deck:
            deck = chance.sample(DECK, len(DECK))
        what, target = deck.pop()
        lasts_s = chance.uniform(*_LASTS_S.get(what, (0.0, 0.0)))
        drawn.append(Trouble(round(at_s, 2), what, target, lasts_s, chance.randrange(2**31), _rates(chance)))
        at_s += chance.uniform(*_PAUSE_S)
    return drawn


def _rates(chance: random.Random) -> dict[str, float]:
    """A fifth of the calls fails, in a mixture of ways; some others are slow."""
    weights = [chance.random() for _ in FAULTS]
    share = FAILING / sum(weights)
    failing = {fault: round(weight * share, 4) for fault, weight in zip(FAULTS, weights, strict=True)}
    return failing | {"slow": round(chance.uniform(0, _MOST_SLOW), 4)}


@dataclass(frozen=True)
class Wish:
    """A job that a person asks for."""

    person: str
    job_type: str
    payload: dict[str, Any]


def echo_wishes(seed: int) -> Iterator[Wish]:
    """Echo jobs without end: short and long, with and without calls; some fail for a while, a few for good."""
    chance = random.Random(f"echo {seed}")
    while True:
        payload = _echo_payload(chance)
        # Sales has small limits, so that limits are reached while everything fails.
        yield Wish("sales" if chance.random() < 0.15 else "marketing", "echo", payload)


def _echo_payload(chance: random.Random) -> dict[str, Any]:
    steps = chance.randint(1, 6)
    payload: dict[str, Any] = {
        "steps": steps,
        "sleep_ms": chance.choice([0, 20, 100, 300]),
        "calls_per_step": chance.choice([0, 0, 1, 2]),
    }
    match chance.random():
        case fate if fate < 0.15:
            at_step, times = chance.randint(1, steps), chance.randint(1, 2)
            payload["fail"] = {"kind": "retryable", "at_step": at_step, "times": times}
        case fate if fate < 0.18:
            payload["fail"] = {"kind": "permanent", "at_step": chance.randint(1, steps), "times": 1000}
        case fate if fate < 0.20:
            payload["steps"] = 0
        case _:
            pass
    return payload


def blog_wishes(seed: int) -> Iterator[Wish]:
    """Blog jobs without end, several on the same topic, so that they want the same address."""
    chance = random.Random(f"blog {seed}")
    while True:
        level = "deep" if chance.random() < 0.15 else "light"
        yield Wish("marketing", "blog_generate", {"topic": chance.choice(TOPICS), "researchLevel": level})


def batch_jobs(seed: int) -> list[dict[str, Any]]:
    """The jobs of a batch, each of which may wait for an earlier one; at the end, perhaps, a blog job."""
    chance = random.Random(f"batch {seed}")
    jobs: list[dict[str, Any]] = []
    for place in range(chance.randint(2, 5)):
        after = chance.choice([None, *range(place)])
        jobs.append({"job_type": "echo", "payload": _echo_payload(chance), "after": after})
    if chance.random() < 0.3:
        payload = {"topic": chance.choice(TOPICS), "researchLevel": "light"}
        jobs.append({"job_type": "blog_generate", "payload": payload, "after": len(jobs) - 1})
    return [{"id": str(UUID(int=chance.getrandbits(128), version=4)), **job} for job in jobs]


def sequence_payload(seed: int) -> dict[str, Any]:
    """A series of two posts, which may have to be written in order."""
    chance = random.Random(f"sequence {seed}")
    in_order = chance.random() < 0.5
    return {"topic": chance.choice(TOPICS), "count": 2, "researchLevel": "light", "in_order": in_order}

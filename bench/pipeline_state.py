"""The state of a pipeline in the size that is asked for: evidence with its sources, as the research stage keeps it."""

import json
import random
from typing import Any

PARTS = 8
_SENTENCE = (
    "the validation of a sterile barrier and the traceability of each titanium implant belong to risk management; an"
    " audit of the supplier by the notified body asks for records of cleaning, passivation, surface roughness, fatigue"
    " and biocompatibility under ISO 13485, MDR and RDC 665: a fabricação, a medição e a conformidade do dispositivo"
    " cirúrgico para a coluna são registradas com o lote, o operador, a máquina e o resultado de cada inspeção"
)
_WORDS = _SENTENCE.split()


def state(size: int, seed: int) -> dict[str, list[dict[str, Any]]]:
    """`part_0` to `part_7`, together about `size` bytes of JSON."""
    source = random.Random(seed)
    return {f"part_{number}": part(size // PARTS, source) for number in range(PARTS)}


def part(size: int, source: random.Random) -> list[dict[str, Any]]:
    """A list of quotes with where they are from, `size` bytes of JSON or up to a few words more."""
    quotes: list[dict[str, Any]] = []
    left = size
    while left > 0:
        quote: dict[str, Any] = {"id": f"e{len(quotes) + 1}", "quote": ""}
        if left > 400:  # a short one has no source
            quote |= {
                "url": f"https://example.test/articles/{source.getrandbits(48):x}",
                "title": _text(source, 60),
                "fetched_at": f"2026-03-{source.randint(1, 28):02}T12:{source.randint(0, 59):02}:00+00:00",
                "score": round(source.random(), 3),
            }
        quote["quote"] = _text(source, min(left, 700) - len(json.dumps(quote)))
        quotes.append(quote)
        left -= len(json.dumps(quote)) + 2
    return quotes


def _text(source: random.Random, length: int) -> str:
    words: list[str] = []
    while length > 0:
        words.append(source.choice(_WORDS))
        length -= len(words[-1]) + 1
    return " ".join(words)

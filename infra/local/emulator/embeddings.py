"""Embeddings without a model: hashed concepts, words and character trigrams, so that similar texts are near each other.

They know the translations and synonyms of `concepts.yaml` and no others; misspelt words are near by their trigrams.
Like the original, the full vector has 3072 dimensions and length 1, and a shorter one is its beginning, not normalised.
"""

import math
import zlib

from infra.local.emulator.concepts import concepts_in
from infra.local.emulator.google_errors import GoogleError
from infra.local.emulator.language import content_stems, fold

FULL_DIMENSIONS = 3072
# Each feature falls into these prefixes, so that a vector cut short still tells texts apart.
_PREFIXES = (128, 768, FULL_DIMENSIONS)
_CONCEPT_WEIGHT = 2.0
_WORD_WEIGHT = 1.0
_TRIGRAM_WEIGHT = 0.25


def embed(text: str, dimensions: int | None = None) -> list[float]:
    """The vector of a text.

    Raises:
        GoogleError: 400 when the number of dimensions is not between 1 and 3072.
    """
    size = FULL_DIMENSIONS if dimensions is None else dimensions
    if not 1 <= size <= FULL_DIMENSIONS:
        raise GoogleError(400, f"outputDimensionality must be between 1 and {FULL_DIMENSIONS}.")
    vector = [0.0] * FULL_DIMENSIONS
    for feature, weight in _features(text).items():
        for prefix in _PREFIXES:
            hashed = zlib.crc32(f"{prefix}:{feature}".encode())
            vector[(hashed >> 1) % prefix] += weight if hashed & 1 else -weight
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [round(value / length, 8) for value in vector[:size]]


def _features(text: str) -> dict[str, float]:
    counts: dict[str, float] = {}
    concepts, other = concepts_in(content_stems(text))
    for name, words, weight in (("c", concepts, _CONCEPT_WEIGHT), ("w", other, _WORD_WEIGHT)):
        for word in words:
            counts[f"{name}:{word}"] = counts.get(f"{name}:{word}", 0.0) + weight
    folded = f" {' '.join(fold(text).split())} "
    for start in range(len(folded) - 2):
        trigram = f"t:{folded[start : start + 3]}"
        counts[trigram] = counts.get(trigram, 0.0) + _TRIGRAM_WEIGHT
    # The square root keeps a word that is repeated often from drowning the others.
    return {feature: math.sqrt(count) for feature, count in counts.items()} or {"empty": 1.0}

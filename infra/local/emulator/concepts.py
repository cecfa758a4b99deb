"""What a text is about, whatever the language: the concepts of `concepts.yaml` that it names."""

from functools import lru_cache
from pathlib import Path

import yaml

from infra.local.emulator.language import content_stems

_FILE = Path(__file__).with_name("concepts.yaml")
_LONGEST_NAME = 3


def concepts_in(stems: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The concepts that a text's stems name, with repetitions, and the stems that are part of no name.

    Where names overlap the longer one counts: a clean room is no room that is clean.
    """
    names = _names()
    found: list[str] = []
    other: list[str] = []
    start = 0
    while start < len(stems):
        for length in range(min(_LONGEST_NAME, len(stems) - start), 0, -1):
            concept = names.get(stems[start : start + length])
            if concept is not None:
                found.append(concept)
                start += length
                break
        else:
            other.append(stems[start])
            start += 1
    return found, other


@lru_cache(maxsize=1)
def _names() -> dict[tuple[str, ...], str]:
    """Stems of each name → the first name of its concept."""
    concepts = [line.split(", ") for line in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]
    return {content_stems(name): names[0] for names in concepts for name in names if content_stems(name)}

"""The emulator's own words: themes of this field and phrases between facts, from `phrases.<language>.yaml`."""

import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from infra.local.emulator.language import Language, content_stems, fold

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Theme:
    """A side of the field that evidence can be about, with what can be said around it."""

    name: str
    order: int
    tag: str
    stems: frozenset[str]
    headings: list[str]
    purposes: list[str]
    leads: list[str]
    advice: list[str]
    questions: list[str]
    queries: list[str]
    scene: str


@dataclass(frozen=True)
class Phrases:
    """Everything of one language."""

    themes: list[Theme]
    general: dict[str, Any]

    def scores(self, text: str) -> dict[str, float]:
        """How much of a text belongs to each theme."""
        counts = Counter(content_stems(text))
        # A root counts, because a theme is recognised by any of its words.
        return {theme.name: sum(counts[stem] ** 0.5 for stem in theme.stems) for theme in self.themes}

    def theme(self, name: str) -> Theme:
        """The theme of that name."""
        return next(theme for theme in self.themes if theme.name == name)

    def theme_of(self, *texts: str) -> Theme:
        """The theme of texts, the first counting most; the first theme when they say nothing."""
        total: defaultdict[str, float] = defaultdict(float)
        for weight, text in zip((3.0, *[1.0] * len(texts)), texts, strict=False):
            for name, score in self.scores(text).items():
                total[name] += weight * score
        return self.theme(max(total, key=lambda name: total[name]))

    def ranked_themes(self, text: str) -> list[Theme]:
        """Themes that occur in a text, the strongest first."""
        scores = self.scores(text)
        return sorted((theme for theme in self.themes if scores[theme.name]), key=lambda theme: -scores[theme.name])


class Picker:
    """Chooses phrases so that none is used twice, neither here nor in the text written before."""

    def __init__(self, seed: int, written: str = "") -> None:
        self._seed = seed
        self._written = fold(written)
        self._used: set[str] = set()

    def pick(self, *banks: Sequence[str]) -> str | None:
        """An unused phrase of the first bank that has one; None when all are used up."""
        for bank in banks:
            start = zlib.crc32(f"{self._seed}:{bank[0] if bank else ''}".encode()) % max(1, len(bank))
            for phrase in (*bank[start:], *bank[:start]):
                if phrase not in self._used and fold(phrase)[:60] not in self._written:
                    self._used.add(phrase)
                    return phrase
        return None

    def rotated(self, bank: Sequence[str]) -> list[str]:
        """The bank from another starting point, without marking anything as used."""
        start = zlib.crc32(f"{self._seed}:{bank[0]}".encode()) % len(bank)
        return [*bank[start:], *bank[:start]]


@lru_cache(maxsize=2)
def load_phrases(language: Language) -> Phrases:
    """The phrases of a language."""
    table = yaml.safe_load((_FOLDER / f"phrases.{language}.yaml").read_text(encoding="utf-8"))
    themes = [
        Theme(name=name, stems=frozenset(content_stems(entry.pop("words"))), **entry)
        for name, entry in table["themes"].items()
    ]
    return Phrases(sorted(themes, key=lambda theme: theme.order), table["general"])

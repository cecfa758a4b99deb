"""Search over the local web: BM25 on folded stems, with titles counted more."""

import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

from infra.local.emulator.articles import Article, load_articles
from infra.local.emulator.language import Language, content_stems, overlap, sentences

_K1 = 1.4
_B = 0.6
_TITLE_WEIGHT = 3
_SMALLEST_SHARE_OF_BEST = 0.18
_SMALLEST_COVER = 0.25
# Texts that address a program instead of a reader are no answer to a question.
_INJECTION = (
    "ignore todas as instru",
    "instruções anteriores",
    "ignore previous",
    "ignore all previous",
    "publique imediatamente",
)


@dataclass(frozen=True)
class Hit:
    """A page that answers a query, with the sentences that do."""

    article: Article
    score: float
    sentences: tuple[str, ...]


class _Index:
    def __init__(self, articles: tuple[Article, ...]) -> None:
        self.articles = articles
        self.counts = [
            Counter(content_stems(" ".join([article.title] * _TITLE_WEIGHT + [article.summary, *article.blocks])))
            for article in articles
        ]
        self.lengths = [counts.total() for counts in self.counts]
        self.mean_length = sum(self.lengths) / len(self.lengths)
        self.found_in = Counter(stem for counts in self.counts for stem in counts)

    def scores(self, query: str) -> list[float]:
        stems = set(content_stems(query))
        named = {stem for stem in stems if len(stem) > 3 and any(letter.isdigit() for letter in stem)}
        return [
            sum(self._weight(stem, counts[stem], length) for stem in stems) * _bonus(named, counts)
            for counts, length in zip(self.counts, self.lengths, strict=True)
        ]

    def _weight(self, stem: str, count: int, length: int) -> float:
        if not count:
            return 0.0
        found_in = self.found_in[stem]
        rarity = math.log(1 + (len(self.articles) - found_in + 0.5) / (found_in + 0.5))
        return rarity * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length / self.mean_length))


def _bonus(named: set[str], counts: Counter[str]) -> float:
    # Who asks for a standard by its number wants pages that speak of it, and more of it.
    return 1.0 + 0.25 * sum(min(counts[stem], 12) for stem in named)


def search(query: str, *, language: Language | None = None, most: int = 4, sentences_each: int = 2) -> list[Hit]:
    """The best pages for a query, the best first, in `language` (default: that of the best page).

    Pages far behind the best one are left out, and nothing is found when too little of the query occurs anywhere.
    """
    index = _index()
    ranked = sorted(
        ((score, article) for score, article in zip(index.scores(query), index.articles, strict=True) if score > 0),
        key=lambda pair: pair[0],
        reverse=True,
    )
    if not ranked:
        return []
    tongue = language or ranked[0][1].tongue
    same = [pair for pair in ranked if pair[1].tongue == tongue]
    pages = [pair for pair in same or ranked if overlap(query, _all_text(pair[1])) >= _SMALLEST_COVER]
    if not pages:
        return []
    best = pages[0][0]
    kept = [pair for pair in pages if pair[0] >= best * _SMALLEST_SHARE_OF_BEST][:most]
    return [Hit(article, score, tuple(best_sentences(query, article, sentences_each))) for score, article in kept]


def best_sentences(query: str, article: Article, most: int) -> list[str]:
    """The sentences of an article that say most about a query, in the order of the page."""
    readable = [paragraph for paragraph in article.paragraphs if not is_injection(paragraph)]
    usable = [sentence for paragraph in readable for sentence in sentences(paragraph) if len(sentence) >= 60]
    wanted = set(content_stems(query))
    common = Counter(stem for sentence in usable for stem in set(content_stems(sentence)))

    def worth(sentence: str) -> float:
        stems = set(content_stems(sentence))
        return sum(1 / common[stem] ** 0.5 for stem in stems & wanted) + 0.01 * len(stems)

    chosen = sorted(usable, key=worth, reverse=True)[:most]
    return [sentence for sentence in usable if sentence in chosen]


def is_injection(text: str) -> bool:
    """True for a paragraph that gives orders to a program."""
    folded = text.casefold()
    return any(mark in folded for mark in _INJECTION)


def _all_text(article: Article) -> str:
    return " ".join([article.title, *article.blocks])


@lru_cache(maxsize=1)
def _index() -> _Index:
    return _Index(load_articles())

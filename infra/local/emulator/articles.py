"""The small local web's articles: Markdown files with a head, read once."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml

from infra.local.emulator.language import Language, language_of

_FOLDER = Path(__file__).with_name("articles")


@dataclass(frozen=True)
class Article:
    """One page of the local web."""

    host: str
    path: str
    title: str
    byline: str
    date: date
    language: str
    section: str
    summary: str
    blocks: tuple[str, ...]

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{self.host}{self.path}"

    @property
    def tongue(self) -> Language:
        """The language that it is written in."""
        return language_of(self.language)

    @property
    def paragraphs(self) -> list[str]:
        """Its text without headings."""
        return [block for block in self.blocks if not block.startswith("## ")]


@lru_cache(maxsize=1)
def load_articles() -> tuple[Article, ...]:
    """All articles, in the order of their files."""
    return tuple(_read(path) for path in sorted(_FOLDER.glob("*.md")))


def _read(path: Path) -> Article:
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    blocks = tuple(" ".join(block.split()) for block in body.split("\n\n") if block.strip())
    return Article(**yaml.safe_load(head), blocks=blocks)

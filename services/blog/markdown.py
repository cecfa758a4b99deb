"""The article as Markdown: numbered references after each cited sentence, links into the site, a list of references.

A model's words are plain text here. Whatever in them would be Markdown or HTML is escaped, and addresses are taken out:
the only links are those that this module writes.
"""

import re
from dataclasses import dataclass

from pydantic import BaseModel

from services.blog.article import Article, Part, Sentence
from shared.content.brand import Brand, Language, SiteLink
from shared.research.citations import Reference, number_references
from shared.research.markup import as_paragraph, escaped, link, readable_day
from shared.research.report import ResearchReport

_ADDRESS = re.compile(r"\(?\b(?:https?://|www\.)\S+|\bmailto:\S+", re.IGNORECASE)
_SENTENCE_END = re.compile(r"([.!?…]+[\"”')]*)$")
_ACCESSED: dict[Language, str] = {"pt-BR": "Acesso em", "en": "Accessed"}
_REFERENCES: dict[Language, str] = {"pt-BR": "Referências", "en": "References"}


class Assembled(BaseModel):
    """The finished text, its references in order, and how many links into the site it has."""

    content: str
    references: list[Reference]
    links: int


@dataclass(slots=True)
class _Links:
    """Links into the site that still look for their words in the text."""

    language: Language
    waiting: list[SiteLink]
    placed: int = 0

    def into(self, text: str) -> str:
        """`text` with the first words that a waiting link knows made into that link; at most one a sentence."""
        for page in self.waiting:
            for words in page.anchors.for_language(self.language):
                match = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE)
                if match:
                    self.waiting.remove(page)
                    self.placed += 1
                    return f"{text[: match.start()]}[{match[0]}]({page.path}){text[match.end() :]}"
        return text

    def rest(self) -> str:
        """Sentences with the links that found no words of their own."""
        sentences = [page.sentence.for_language(self.language) for page in self.waiting]
        self.placed += len(sentences)
        self.waiting = []
        return " ".join(sentences)


def assemble(article: Article, research: ResearchReport, brand: Brand) -> Assembled:
    """The article without its title, as Markdown. Sections that have lost all their sentences are left out."""
    language = research.language
    references, numbers = number_references(
        article.cited_ids(), research.by_id, company_title=brand.reference_title.for_language(language)
    )
    links = _Links(language, list(brand.site_links))
    blocks: list[str] = []
    for part in article.parts:
        if part.sentences:
            blocks += _part(part, numbers, links)
    blocks.append(links.rest())
    if references:
        blocks.append(f"## {_REFERENCES[language]}")
        blocks.append("\n".join(_reference(reference, language) for reference in references))
    return Assembled(content="\n\n".join(filter(None, blocks)) + "\n", references=references, links=links.placed)


def plain(text: str) -> str:
    """`text` with addresses taken out and everything escaped that Markdown or HTML would read as more than text."""
    return escaped(_ADDRESS.sub("", text))


def _part(part: Part, numbers: dict[str, int], links: _Links) -> list[str]:
    heading = [f"## {plain(part.heading)}"] if part.heading else []
    paragraphs = (
        " ".join(_sentence(sentence, numbers, links) for sentence in paragraph) for paragraph in part.paragraphs
    )
    return [*heading, *(as_paragraph(paragraph) for paragraph in paragraphs)]


def _sentence(sentence: Sentence, numbers: dict[str, int], links: _Links) -> str:
    text = links.into(plain(sentence.text))
    marks = "".join(f"[{number}]" for number in sorted({numbers[key] for key in sentence.evidence_ids}))
    if not marks:
        return text
    return _SENTENCE_END.sub(rf" {marks}\1", text) if _SENTENCE_END.search(text) else f"{text} {marks}"


def _reference(reference: Reference, language: Language) -> str:
    if reference.url is None:
        return f"{reference.number}. {plain(reference.title)}."
    where = ", ".join(filter(None, [escaped(reference.site or ""), readable_day(reference.published, language)]))
    parts = [
        f"{reference.number}. {link(reference.title, reference.url)}.",
        f"{where}." if where else "",
        f"{_ACCESSED[language]} {readable_day(reference.accessed, language)}." if reference.accessed else "",
    ]
    return " ".join(filter(None, parts))

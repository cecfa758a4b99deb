"""The article while it is made: parts of paragraphs of sentences, each sentence with the evidence that it cites."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from pydantic import BaseModel

from services.blog.answers import WrittenParagraph
from shared.plain import one_line
from shared.research.evidence import Evidence

INTRODUCTION = "introduction"
CONCLUSION = "conclusion"
HEADLINE = "headline"


class Sentence(BaseModel):
    """One sentence. `checked`: not yet, held against its evidence as written, or after it was rewritten."""

    text: str
    evidence_ids: list[str] = []
    checked: Literal["no", "held", "rewritten"] = "no"


class Part(BaseModel):
    """Introduction, a section or conclusion. Reviews and findings call it by `name`; an introduction has no heading."""

    name: str
    heading: str = ""
    purpose: str = ""
    evidence_ids: list[str] = []
    paragraphs: list[list[Sentence]] = []

    @property
    def sentences(self) -> list[Sentence]:
        """All sentences in order."""
        return [sentence for paragraph in self.paragraphs for sentence in paragraph]

    @property
    def words(self) -> int:
        """Words of heading and text."""
        return count_words(self.heading) + sum(count_words(sentence.text) for sentence in self.sentences)

    def as_text(self) -> str:
        """Heading and paragraphs as plain text, for prompts."""
        paragraphs = [" ".join(sentence.text for sentence in paragraph) for paragraph in self.paragraphs]
        return "\n\n".join(filter(None, [self.heading, *paragraphs]))

    def with_sentences(self, sentences: Iterable[Sentence | None]) -> "Part":
        """The part with each sentence replaced in order; None takes it out, and an empty paragraph with it."""
        following = iter(sentences)
        paragraphs = [[new for _ in paragraph if (new := next(following)) is not None] for paragraph in self.paragraphs]
        return self.model_copy(update={"paragraphs": [paragraph for paragraph in paragraphs if paragraph]})


class Headline(BaseModel):
    """What stands around the article."""

    title: str
    excerpt: str
    seo_title: str
    seo_description: str
    tags: list[str]


class Article(BaseModel):
    """The whole article. Sections keep their place when they have lost all their sentences."""

    introduction: Part
    sections: list[Part]
    conclusion: Part
    headline: Headline

    @property
    def parts(self) -> list[Part]:
        """Introduction, sections, conclusion."""
        return [self.introduction, *self.sections, self.conclusion]

    @property
    def words(self) -> int:
        """Words of headings and text, without references and links that assembly adds."""
        return sum(part.words for part in self.parts)

    def cited_ids(self) -> Iterator[str]:
        """Evidence ids in the order in which they are cited."""
        for part in self.parts:
            for sentence in part.sentences:
                yield from sentence.evidence_ids

    def as_text(self) -> str:
        """The article as plain text, for prompts."""
        return "\n\n".join(part.as_text() for part in self.parts)

    def without_repeats(self) -> "Article":
        """The article without sentences that it has already said in the same words."""
        said: set[str] = set()

        def is_new(sentence: Sentence) -> bool:
            words = sentence.text.casefold().strip(" .!?")
            known = words in said
            said.add(words)
            return not known

        parts = [
            part.with_sentences([sentence if is_new(sentence) else None for sentence in part.sentences])
            for part in self.parts
        ]
        return self.with_parts({part.name: part for part in parts})

    def with_parts(self, parts: Mapping[str, Part]) -> "Article":
        """The article with the named parts replaced."""
        return self.model_copy(
            update={
                "introduction": parts.get(INTRODUCTION, self.introduction),
                "sections": [parts.get(section.name, section) for section in self.sections],
                "conclusion": parts.get(CONCLUSION, self.conclusion),
            }
        )


def section_name(number: int) -> str:
    """How section `number` (from 1) is called."""
    return f"section {number}"


def count_words(text: str) -> int:
    """Words as an editor counts them: what stands between white space and has a letter or a digit."""
    return sum(any(character.isalnum() for character in word) for word in text.split())


def paragraphs_from(written: Iterable[WrittenParagraph], evidence: Mapping[str, Evidence]) -> list[list[Sentence]]:
    """A model's paragraphs as ours: plain text, and only ids of evidence that exists."""
    paragraphs = [
        [
            Sentence(text=text, evidence_ids=known_ids(sentence.evidence_ids, evidence))
            for sentence in paragraph.sentences
            if (text := as_sentence(sentence.text))
        ]
        for paragraph in written
    ]
    return [paragraph for paragraph in paragraphs if paragraph]


def as_sentence(text: str) -> str:
    """A model's sentence as plain text that begins with a capital letter."""
    plain = one_line(text)
    return plain[:1].upper() + plain[1:]


def known_ids(ids: Iterable[str], evidence: Mapping[str, Evidence]) -> list[str]:
    """The ids that exist, each once, in order."""
    return list(dict.fromkeys(cleaned for given in ids if (cleaned := given.strip().strip("[]")) in evidence))

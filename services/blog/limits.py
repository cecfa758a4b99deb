"""The limits of a blog post (lengths, counts), how to measure them, and how to keep to them without cutting words."""

import re

from services.blog.article import Article
from shared.content.brand_analyst import Check
from shared.content.span import Span
from shared.plain import one_line

_CLAUSE_ENDS = re.compile(r"(?=\s?[:;,.–—|]\s)|(?=\s[-(])")
# Words that a text cannot end on.
_DANGLING = frozenset(
    [
        *(
            "a",
            "as",
            "o",
            "os",
            "à",
            "às",
            "ao",
            "aos",
            "e",
            "é",
            "ou",
            "um",
            "uma",
            "de",
            "do",
            "da",
            "dos",
            "das",
            "no",
        ),
        *("na", "nos", "nas", "em", "com", "sem", "por", "para", "pelo", "pela", "sobre", "entre", "que", "se", "como"),
        *("seu", "sua", "seus", "suas", "mais", "the", "an", "and", "or", "of", "in", "on", "at", "to", "for", "with"),
        *("by", "from", "is", "are", "that", "which", "your", "how"),
    ]
)


TITLE_CHARS = Span(50, 70)
EXCERPT_CHARS = Span(80, 300)
SEO_TITLE_CHARS = Span(20, 59)
SEO_DESCRIPTION_CHARS = Span(150, 160)
WORDS = Span(800, 1_500)
SECTIONS = Span(3, 5)
LINKS = Span(2, 3)


def fitted(text: str, span: Span) -> str | None:
    """`text` within `span` characters, ending where a clause ends; None when that cannot be done without new words."""
    text = one_line(text).strip(" \"'“”")
    if span.holds(len(text)):
        return text
    if len(text) < span.least:
        return None
    ends = [match.start() for match in _CLAUSE_ENDS.finditer(text) if match.start() <= span.most]
    at_clause = [text[:end].rstrip() for end in ends]
    fits = [clause for clause in at_clause if span.holds(len(clause)) and not _dangles(clause)]
    return fits[-1] if fits else None


def shortened(text: str, most: int) -> str:
    """`text` cut after a whole word within `most` characters, not ending on a word such as "of" or "para"."""
    text = one_line(text)
    words = one_line(text, max_chars=most).split(" ") if len(text) > most else text.split(" ")
    while len(words) > 1 and len(text) > most and _dangles(words[-1]):
        words.pop()
    return " ".join(words).rstrip(",;:–—- ") if len(text) > most else text


def limit_checks(article: Article, links: int) -> list[Check]:
    """Each limit with what was measured, as the review and the draft's metadata show it."""
    headline = article.headline
    filled = sum(bool(section.sentences) for section in article.sections)
    measured = [
        ("title length", TITLE_CHARS, len(headline.title), "characters"),
        ("SEO title length", SEO_TITLE_CHARS, len(headline.seo_title), "characters"),
        ("SEO description length", SEO_DESCRIPTION_CHARS, len(headline.seo_description), "characters"),
        ("article length", WORDS, article.words, "words"),
        ("sections", SECTIONS, filled, "sections"),
        ("internal links", LINKS, links, "links"),
    ]
    return [
        Check(name=name, ok=span.holds(count), detail=f"{count} {unit}; {span.least} to {span.most} wanted")
        for name, span, count, unit in measured
    ]


def _dangles(text: str) -> bool:
    return text.rpartition(" ")[2].lower().strip("(,;:") in _DANGLING

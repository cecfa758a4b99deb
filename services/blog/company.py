"""The company's own records as evidence: brand facts and catalogue entries that bear on the topic."""

import unicodedata
from collections.abc import Iterable

from pydantic import BaseModel

from services.blog.payload import BlogRequest, ResearchRequest
from shared.content.brand import Brand, Language
from shared.plain import one_line
from shared.research.evidence import Evidence
from shared.research.report import Question

_MAX_FACTS = 10
_MAX_PRODUCTS = 5
_SHORTEST_WORD = 4
_STEM = 6
_IN_THE_CATALOGUE: dict[Language, str] = {
    "pt-BR": "O catálogo da Lifetrek Medical inclui:",
    "en": "The catalogue of Lifetrek Medical includes:",
}


class Product(BaseModel):
    """A row of the product catalogue."""

    name: str
    description: str
    category: str


def research_question(request: BlogRequest | ResearchRequest, products: Iterable[Product], brand: Brand) -> Question:
    """What to research for a request, with what the company knows already."""
    return Question(
        topic=request.topic,
        audience=request.audience,
        angle=request.wishes,
        level=request.research_level,
        language=request.language,
        known=company_facts(request, products, brand),
    )


def company_facts(request: BlogRequest | ResearchRequest, products: Iterable[Product], brand: Brand) -> list[Evidence]:
    """Facts C… of the brand and products P… of the catalogue that bear on the request, and those for any article."""
    about = _folded(" ".join([request.topic, request.wishes, *request.keywords]))
    title = brand.reference_title.for_language(request.language)
    ranked = sorted(
        brand.facts, key=lambda fact: (fact.id not in brand.always, -sum(_folded(word) in about for word in fact.about))
    )
    chosen = {
        fact.id
        for fact in ranked[:_MAX_FACTS]
        if fact.id in brand.always or any(_folded(word) in about for word in fact.about) or "supplier" in fact.about
    }
    if request.research_level == "none":  # they are all that the article can stand on
        chosen = {fact.id for fact in brand.facts}
    facts = [(fact.id, fact.text(request.language)) for fact in brand.facts if fact.id in chosen]
    facts += [
        (f"P{number}", text) for number, text in enumerate(_bearing_on(about, products, request.language), start=1)
    ]
    return [Evidence(id=key, origin="company", quote=text, statement=text, title=title) for key, text in facts]


def _bearing_on(about: str, products: Iterable[Product], language: Language) -> list[str]:
    """A sentence on each product that shares words with the request, the closest first."""
    wanted = _stems(about)
    scored = [(len(wanted & _stems(_folded(f"{item.name} {item.category}"))), item) for item in products]
    closest = sorted((pair for pair in scored if pair[0]), key=lambda pair: (-pair[0], pair[1].name))[:_MAX_PRODUCTS]
    return [one_line(_sentence_about(item, language), max_chars=400) for _, item in closest]


def _sentence_about(product: Product, language: Language) -> str:
    """What the catalogue says of a product. A first sentence that only repeats the name is left out."""
    first, _, rest = product.description.partition(". ")
    says_more = _stems(_folded(first)) - _stems(_folded(product.name))
    return f"{_IN_THE_CATALOGUE[language]} {product.name}. {product.description if says_more else rest}"


def _stems(folded: str) -> set[str]:
    """Beginnings of words, so that singular and plural, and often both languages, meet."""
    return {word[:_STEM] for word in folded.split() if len(word) >= _SHORTEST_WORD}


def _folded(text: str) -> str:
    """Lower case without accents; what is no letter or digit becomes a space."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(kept.split())

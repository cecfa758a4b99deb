"""What a good article is: the criteria of the review, and what the reviewer is given to read."""

from typing import Any

from services.blog.answers import Strategy
from services.blog.article import HEADLINE, Article
from services.blog.limits import limit_checks
from services.blog.markdown import Assembled
from services.blog.payload import BlogRequest
from shared.content.brand import Brand
from shared.content.brand_analyst import Check, Criterion, Review
from shared.research.report import ResearchReport

LEAST_SHARE_HELD = 0.7

RUBRIC = (
    Criterion(
        name="usefulness",
        asks="The audience learns something definite that it can use in its work: what to check, ask, decide or do.",
        weight=20,
    ),
    Criterion(
        name="evidence",
        asks="Claims rest on the quotes behind their references; several sources carry it; nothing is overstated.",
        weight=20,
    ),
    Criterion(
        name="brand voice",
        asks="Sounds like the voice asked for: precise, calm, no superlatives, no advertising tone outside the end.",
        weight=15,
    ),
    Criterion(
        name="structure",
        asks="Title and introduction promise what the article keeps; sections build on each other; no repetition; "
        "a clear next step at the end.",
        weight=15,
    ),
    Criterion(
        name="language",
        asks="Correct, idiomatic and easy to read in the language asked for; terms of the field used rightly.",
        weight=10,
    ),
    Criterion(
        name="compliance",
        asks="No clinical or efficacy claims, no certificates that the company does not hold, no promises to patients.",
        weight=10,
    ),
)


def review_inputs(
    request: BlogRequest,
    strategy: Strategy,
    article: Article,
    assembled: Assembled,
    research: ResearchReport,
    brand: Brand,
) -> dict[str, Any]:
    """The inputs of the review prompt. The evidence is that which the references stand for, under their numbers."""
    evidence = research.by_id
    brief = {
        "topic": request.topic,
        "audience": request.audience,
        "pain point": request.pain_point,
        "desired outcome": request.desired_outcome,
        "angle": strategy.angle,
        "keywords": ", ".join(strategy.seo_keywords),
    }
    headline = article.headline
    return {
        "what": "A blog article for the company's site",
        "brief": "\n".join(f"{name}: {value}" for name, value in brief.items() if value),
        "draft": f"# {headline.title}\n\n{headline.excerpt}\n\n{assembled.content}",
        "evidence": [
            {"reference": reference.number, "quote": evidence[key].quote}
            for reference in assembled.references
            for key in reference.evidence_ids
        ],
        "parts": "\n".join([HEADLINE, *(part.name for part in article.parts)]),
        "voice": brand.personas[request.voice].voice,
        "language": request.language,
    }


def measured(article: Article, assembled: Assembled, share_held: float) -> list[Check]:
    """The limits, with the share of citations that held."""
    held = Check(
        name="citations that held as written",
        ok=share_held >= LEAST_SHARE_HELD,
        detail=f"{share_held:.0%}; at least {LEAST_SHARE_HELD:.0%} wanted",
    )
    return [*limit_checks(article, assembled.links), held]


def feedback_by_part(review: Review, article: Article) -> dict[str, str]:
    """What to change in which part. A review that names no part sends all sections back; empty parts go back anyway."""
    names = {HEADLINE, *(part.name for part in article.parts)}
    feedback: dict[str, list[str]] = {}
    for change in review.changes:
        if (name := change.part.strip().casefold()) in names:
            feedback.setdefault(name, []).append(change.change)
    general = [change.change for change in review.changes if change.part.strip().casefold() not in names]
    if not feedback:
        wish = [*general, review.summary]
        feedback = {section.name: wish for section in article.sections}
    for part in article.parts:
        if not part.sentences:
            feedback.setdefault(part.name, []).append("Everything in it was unsupported. Write it from its evidence.")
    return {name: "\n".join(wishes) for name, wishes in feedback.items()}

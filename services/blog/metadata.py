"""What is told about a draft beside its text: how good it is, what it stands on, what it cost, who made it."""

from typing import Any

from services.blog.banner import SIZE
from services.blog.checks import CitationTally
from services.blog.state import BlogState
from shared.model.spending import Spending
from shared.research.evidence import Evidence
from shared.research.report import ResearchReport


def draft_metadata(state: BlogState, spending: Spending) -> dict[str, Any]:
    """The JSON of `blog_posts.metadata`."""
    request, research, draft = state["request"], state["research"], state["draft"]
    reviews = state.get("reviews", [])
    width, height = SIZE
    return {
        "topic": request.topic,
        "category": request.category,
        "persona": request.voice,
        "quality_score": reviews[-1].score,
        "reviews": [review.model_dump(mode="json") for review in reviews],
        "words": state["article"].words,
        "citations": citations_json(state),
        "findings": [finding.model_dump(mode="json") for finding in state.get("findings", [])],
        "sources": [reference.model_dump(mode="json") for reference in draft.references],
        "evidence": [
            evidence_json(research.by_id[key], reference.number)
            for reference in draft.references
            for key in reference.evidence_ids
        ],
        "research": research_summary(research),
        "strategy": {
            "angle": state["strategy"].angle,
            "outline": [section.model_dump(mode="json") for section in state["strategy"].sections],
        },
        "brainstorming": {
            "session_id": request.brainstorming_session_id or None,
            "context": request.brainstorming_context or None,
        },
        "banner": {**state["banner"].model_dump(mode="json"), "width": width, "height": height},
        "cost_usd": spending.cost_usd,
        "cost_by_stage": spending.by_stage,
        "models": spending.models,
        "seconds": state.get("seconds", {}),
    }


def citations_json(state: BlogState) -> dict[str, float]:
    """The tally of citations with the share that held as written."""
    tally = state.get("citations", CitationTally())
    return {**tally.model_dump(), "share": tally.share}


def evidence_json(item: Evidence, reference: int) -> dict[str, Any]:
    """One quote with the number of the reference that stands for it."""
    return {"id": item.id, "reference": reference, "origin": item.origin, "quote": item.quote, "url": item.url}


def research_summary(research: ResearchReport) -> dict[str, Any]:
    """How the research went, without the quotes."""
    return research.model_dump(
        mode="json",
        include={"level", "questions", "queries", "sources", "problems", "rounds", "is_sufficient", "gap"},
    )

"""From a plan to the jobs that write its posts: what each gets, when it is due, and which one it waits for."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.sequence.payload import SequenceRequest
from services.sequence.plan import SequencePlan

_MOST_CONTEXT_CHARS = 20_000
_MOST_KEYWORDS = 20
_MOST_KEYWORD_CHARS = 80
_FOR_EACH_POST = {
    *("target_audience", "pain_point", "desired_outcome", "language", "research_level", "persona", "profile_type"),
    *("cta_action", "proof_points", "brainstorming_session_id"),
}


def batch_id_of(job_id: UUID) -> UUID:
    """The batch of a sequence job: the same in every attempt."""
    return uuid5(job_id, "batch")


def post_id_of(job_id: UUID, index: int) -> UUID:
    """The job that writes post `index` (from 0) of a sequence job's series."""
    return uuid5(job_id, str(index))


def shared_brief(request: SequenceRequest, plan: SequencePlan) -> dict[str, Any]:
    """What all posts get: the wishes of the request that hold for each, and the series that they belong to."""
    wishes = request.model_dump(mode="json", include=_FOR_EACH_POST, exclude_defaults=True)
    series = {"title": plan.title, "narrative": plan.narrative, "topics": [post.topic for post in plan.posts]}
    return wishes | {"series": series}


def job_entries(job_id: UUID, asked_at: datetime, request: SequenceRequest, plan: SequencePlan) -> list[dict[str, Any]]:
    """The jobs as `enqueue_batch` takes them."""
    entries: list[dict[str, Any]] = []
    for index, post in enumerate(plan.posts):
        due_at = due_time(request, asked_at, index)
        entries.append(
            {
                "id": str(post_id_of(job_id, index)),
                "job_type": post.kind,
                "payload": {
                    "topic": post.topic,
                    "angle": post.angle,
                    "keywords": _keywords(request, plan, index),
                    "brainstorming_context": _context(request, plan, index),
                    "position": {"number": index + 1, "of": len(plan.posts)},
                },
                "scheduled_for": due_at.isoformat() if due_at else None,
                "after": index - 1 if request.in_order and index else None,
            }
        )
    return entries


def due_time(request: SequenceRequest, asked_at: datetime, index: int) -> datetime | None:
    """When post `index` is due; None: at once."""
    if request.first_at is None and not request.every_days:
        return None
    return (request.first_at or asked_at) + timedelta(days=index * request.every_days)


def _keywords(request: SequenceRequest, plan: SequencePlan, index: int) -> list[str]:
    """The post's own; those asked for are all the first post's when no post has taken them up."""
    own = [keyword.strip()[:_MOST_KEYWORD_CHARS] for keyword in plan.posts[index].keywords if keyword.strip()]
    taken = {keyword.casefold() for post in plan.posts for keyword in post.keywords}
    left = [keyword for keyword in request.keywords if keyword.casefold() not in taken] if index == 0 else []
    return list(dict.fromkeys(own + left))[:_MOST_KEYWORDS]


def _context(request: SequenceRequest, plan: SequencePlan, index: int) -> str:
    """The post's place in the series, in words that every content kind understands as ideas from before."""
    post, earlier = plan.posts[index], plan.posts[:index]
    told = "; ".join(item.topic for item in earlier)
    lines = [
        f'Post {index + 1} of {len(plan.posts)} in the series "{plan.title}". {plan.narrative}',
        f"This post adds: {post.adds}",
        f"Earlier posts have told: {told}. Build on them and do not repeat them." if told else "",
        f"Tone: {request.tone}" if request.tone else "",
        request.brainstorming_context,
    ]
    return "\n".join(filter(None, lines))[:_MOST_CONTEXT_CHARS]

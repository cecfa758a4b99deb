"""The jobs of a series: what each gets, and that the blog pipeline understands it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.blog.payload import BlogRequest
from services.sequence.posts import batch_id_of, job_entries, post_id_of, shared_brief
from shared.engine.payload import parse_payload
from tests.services.sequence.plans import TOPICS, planned, requested

JOB = UUID("7b0c6f6e-5c5b-4c0e-9d9c-0f6a3ad0c0de")
ASKED_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def entries(**payload: Any) -> list[dict[str, Any]]:
    return job_entries(JOB, ASKED_AT, requested(**payload), planned())


def test_ids_are_made_from_the_job():
    assert [entry["id"] for entry in entries()] == [str(post_id_of(JOB, index)) for index in range(3)]
    assert len({batch_id_of(JOB), *(post_id_of(JOB, index) for index in range(10))}) == 11


def test_posts_are_due_at_once_unless_a_time_is_asked_for():
    assert [entry["scheduled_for"] for entry in entries()] == [None] * 3


def test_posts_are_spread_over_days_from_the_time_asked_for():
    spread = [entry["scheduled_for"] for entry in entries(startAt="2026-12-01T09:00:00Z", everyDays=7)]
    assert spread == ["2026-12-01T09:00:00+00:00", "2026-12-08T09:00:00+00:00", "2026-12-15T09:00:00+00:00"]
    since_asked = [entry["scheduled_for"] for entry in entries(every_days=0.5)]
    assert since_asked[:2] == [ASKED_AT.isoformat(), "2026-11-23T00:00:00+00:00"]


def test_posts_wait_for_each_other_when_that_is_asked_for():
    assert [entry["after"] for entry in entries()] == [None] * 3
    assert [entry["after"] for entry in entries(inOrder=True)] == [None, 0, 1]


def test_a_blog_job_takes_its_part_of_the_series():
    request = requested(
        targetAudience="compras",
        language="en",
        persona="technical_expert",
        ctaAction="call us",
        keywords=["UDI"],
        tone="calm",
        brainstormingContext="the contrary",
        brainstormingSessionId="chat-7",
    )
    plan = planned()
    brief = shared_brief(request, plan)
    posts = [
        parse_payload(BlogRequest, brief | entry["payload"]) for entry in job_entries(JOB, ASKED_AT, request, plan)
    ]
    assert [post.topic for post in posts] == list(TOPICS)
    assert {(post.audience, post.language, post.voice, post.cta_action) for post in posts} == {
        ("compras", "en", "technical_expert", "call us")
    }
    assert [post.keywords for post in posts] == [["lote", "UDI"], ["lote"], ["lote"]]
    assert {post.brainstorming_session_id for post in posts} == {"chat-7"}
    second = posts[1].brainstorming_context
    for expected in ("Post 2 of 3", plan.title, plan.narrative, plan.posts[1].adds, TOPICS[0], "calm", "the contrary"):
        assert expected in second
    assert TOPICS[2] not in second


def test_the_brief_names_the_series():
    series = shared_brief(requested(), planned())["series"]
    assert series == {"title": "Do lote ao registro", "narrative": "Do que é ao que se pede.", "topics": list(TOPICS)}

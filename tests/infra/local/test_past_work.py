"""The past work of a new local stack: within the rules for content, and found as inspiration."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.seed import seed
from infra.local.seed.past_work import read_past_work
from shared.content.brand import load_brand
from shared.content.claims import forbidden_claim
from tests.conftest import TestDatabases
from tests.infra.local.gateway.process import RunningGateway, fresh_gateway

CAROUSELS, POSTS = read_past_work()["carousels"], read_past_work()["posts"]
LONGEST = {"hook": (60, 120), "content": (70, 140), "cta": (60, 120)}


def key(piece: dict[str, Any]) -> str:
    return piece["key"]


@pytest.fixture(scope="module")
async def gateway(databases: TestDatabases) -> Any:
    with fresh_gateway(databases) as gateway:
        await seed(gateway.database_url, gateway.url, gateway.state_dir)
        yield gateway


def sentences(piece: dict[str, Any]) -> Iterator[str]:
    texts = [piece["topic"], piece["caption"], piece.get("proof_points", "")]
    for slide in piece.get("slides", []):
        texts += [slide["headline"], slide["body"]]
    for text in texts:
        yield from re.split(r"(?<=[.?!])\s+", text)


@pytest.mark.parametrize("carousel", CAROUSELS, ids=key)
def test_a_carousel_keeps_the_rules_for_its_slides_and_caption(carousel):
    roles = [slide["role"] for slide in carousel["slides"]]
    assert 5 <= len(roles) <= 7
    assert roles == ["hook", *["content"] * (len(roles) - 2), "cta"]
    for slide in carousel["slides"]:
        headline, body = LONGEST[slide["role"]]
        assert len(slide["headline"]) <= headline
        assert len(slide["body"]) <= body, slide
    assert 3 <= carousel["caption"].count("#") <= 5


@pytest.mark.parametrize("post", POSTS, ids=key)
def test_a_post_lists_the_hashtags_of_its_caption(post):
    assert post["hashtags"] == re.findall(r"#(\w+)", post["caption"])


@pytest.mark.parametrize("piece", [*CAROUSELS, *POSTS], ids=key)
def test_nothing_claims_what_a_regulated_maker_must_not(piece):
    assert [sentence for sentence in sentences(piece) if forbidden_claim(sentence, load_brand())] == []


def test_it_is_there_as_approved_work_of_people(gateway: RunningGateway):
    for table, pieces in (("linkedin_carousels", CAROUSELS), ("instagram_posts", POSTS)):
        found = gateway.execute(
            f"select topic, status, quality_score >= 70, ai_generated or job_id is not null from public.{table}"
        )
        assert sorted(found) == sorted((piece["topic"], "approved", True, False) for piece in pieces)


async def test_a_second_run_leaves_what_people_changed(gateway: RunningGateway):
    gateway.execute("update public.linkedin_carousels set status = 'draft' where language = 'en'")
    await seed(gateway.database_url, gateway.url, gateway.state_dir)
    assert gateway.execute("select status, count(*) from public.linkedin_carousels group by 1 order by 1") == [
        ("approved", 3),
        ("draft", 1),
    ]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("torno suico bucha guia", "Quando uma peça pede torno suíço"),
        ("UDI laser", "Marcação a laser de fibra para UDI"),
    ],
)
def test_it_is_found_as_inspiration(gateway: RunningGateway, query: str, title: str):
    found = gateway.execute(
        "select title from public.search_assets(%s) where source in ('linkedin_carousels', 'instagram_posts')", query
    )
    assert (title,) in found

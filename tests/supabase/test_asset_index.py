"""The index of assets follows its sources, and asks for embeddings where they are missing."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

from tests.conftest import ActAs
from tests.supabase.assets import Assets

CreateUser = Callable[..., Awaitable[UUID]]


@pytest.fixture
def assets(connection: AsyncConnection[Any]) -> Assets:
    return Assets(connection)


async def test_each_source_has_its_rows(assets):
    await assets.product("Placa")
    await assets.product("Haste", "products")
    await assets.company_asset("facility", "Ilustração: sala limpa. Na fábrica: duas.")
    await assets.file("equipe/torneiro_no-torno.jpg")
    await assets.post("UDI", "published", 84)
    assert await assets.indexed() == {
        ("product_catalog", "product", "Placa"),
        ("products", "product", "Haste"),
        ("company_assets", "facility", "sala limpa"),
        ("storage", "team", "torneiro no torno"),
        ("blog_posts", "past_work", "UDI"),
    }


async def test_what_has_nothing_to_show_is_not_in_it(assets):
    await assets.product("Sem foto", picture=None)
    await assets.root.execute("insert into company_assets (type, url) values ('logo', '')")
    await assets.file("equipe/lista.pdf")
    await assets.file("qualquer/foto.png")
    await assets.file("jobs/1/equipe.png", bucket="content")
    assert await assets.indexed() == set()


@pytest.mark.parametrize(
    ("status", "quality", "shown"),
    [
        ("published", 70, True),
        ("approved", 91.5, True),
        ("accepted", "88", True),
        ("draft", 99, False),
        ("scheduled", 99, False),
        ("approved", 69.9, False),
        ("approved", None, False),
        ("approved", "good", False),
    ],
)
async def test_earlier_work_is_in_it_when_approved_and_good(assets, status, quality, shown):
    await assets.post("Eletropolimento", status, quality)
    assert bool(await assets.indexed()) == shown
    assert (await assets.found("eletropolimento") == ["Eletropolimento"]) == shown


async def test_a_change_is_found_at_once_and_by_its_new_words_alone(assets):
    await assets.product("Placa")
    await assets.root.execute("update product_catalog set name = 'Fresa'")
    assert await assets.found("fresa") == ["Fresa"]
    assert await assets.found("placa") == []


async def test_what_is_gone_or_no_longer_shown_leaves_the_index(assets):
    await assets.product("Placa")
    await assets.product("Haste", picture="h.png")
    await assets.root.execute("update product_catalog set image_url = null where name = 'Placa'")
    assert {title for *_, title in await assets.indexed()} == {"Haste"}
    await assets.root.execute("delete from product_catalog")
    assert await assets.indexed() == set()


async def test_an_approved_post_enters_and_a_withdrawn_one_leaves(assets):
    await assets.post("UDI", "draft", 84)
    await assets.root.execute("update blog_posts set status = 'approved'")
    assert await assets.found("udi") == ["UDI"]
    await assets.root.execute("update blog_posts set status = 'draft'")
    assert await assets.found("udi") == []


async def test_a_new_text_loses_the_embedding_and_a_new_picture_does_not(assets):
    await assets.product("Placa")
    await assets.product("Haste")
    await assets.embed_all()
    await assets.root.execute("update product_catalog set image_url = 'https://x.test/new.png' where name = 'Haste'")
    await assets.root.execute("update product_catalog set description = 'De titânio' where name = 'Placa'")
    assert await assets.embedded() == {"Haste"}
    assert await assets.one("select url from asset_index where title = 'Haste'") == "https://x.test/new.png"


async def test_an_embedding_of_another_text_is_refused(assets):
    await assets.product("Placa")
    with pytest.raises(psycopg.errors.CheckViolation):
        await assets.root.execute(
            "update asset_index set embedding = array_fill(1::real, '{768}')::vector, embedding_model = 'm',"
            " embedding_fingerprint = 'of another text'"
        )


async def test_embeddings_that_were_there_before_stay(assets):
    await assets.root.execute("insert into product_catalog (name, embedding) values ('Placa', '[1, 2, 3]')")
    await assets.root.execute("update product_catalog set image_url = 'https://x.test/p.png'")
    assert await assets.one("select embedding::text from product_catalog") == "[1,2,3]"


async def test_many_changes_of_a_person_ask_for_one_job_a_few_seconds_later(
    assets, as_user: ActAs, create_user: CreateUser
):
    marketing = await create_user("marketing")
    for name in ("Placa", "Haste", "Fresa"):
        async with as_user(assets.root, marketing, "marketing"):
            await assets.product(name)
    assert await assets.jobs() == [(marketing, "queued")]
    wait = "select extract(epoch from scheduled_for - created_at)::float from jobs where kind = 'index_assets'"
    assert 4 < await assets.one(wait) < 10


async def test_what_a_service_writes_asks_in_the_name_of_the_first_administrator(assets, create_user: CreateUser):
    admin = await create_user("admin")
    await assets.root.execute("insert into admin_users values (%s)", (admin,))
    async with assets.root.transaction():
        await assets.root.execute("set local role service_role")
        await assets.file("equipe/a.png")
    assert await assets.jobs() == [(admin, "queued")]


async def test_nobody_is_asked_for_where_there_is_nobody_and_for_a_seed(assets, create_user: CreateUser):
    async with assets.root.transaction():
        await assets.root.execute("set local role service_role")
        await assets.file("equipe/a.png")
    await assets.root.execute("insert into admin_users values (%s)", (await create_user("admin"),))
    await assets.product("Placa")
    assert await assets.jobs() == []


async def test_a_change_without_a_new_text_asks_for_nothing(assets, as_user: ActAs, create_user: CreateUser):
    await assets.product("Placa")
    await assets.embed_all()
    marketing = await create_user("marketing")
    async with as_user(assets.root, marketing, "marketing"):
        await assets.root.execute("update product_catalog set name = name, image_url = 'https://x.test/q.png'")
    assert await assets.jobs() == []


async def test_a_refused_job_costs_nobody_the_change(assets, as_user: ActAs, create_user: CreateUser):
    await assets.root.execute("update job_kinds set enabled = false where name = 'index_assets'")
    marketing = await create_user("marketing")
    async with as_user(assets.root, marketing, "marketing"):
        await assets.product("Placa")
    assert await assets.found("placa") == ["Placa"]
    assert await assets.jobs() == []


async def test_the_jobs_refresh_finds_what_the_triggers_missed(assets):
    await assets.product("Placa")
    await assets.product("Haste")
    await assets.root.execute("set session_replication_role = replica")
    await assets.root.execute("delete from product_catalog where name = 'Haste'")
    await assets.product("Fresa")
    await assets.root.execute("reset session_replication_role")
    assert await assets.one("select refresh_asset_index()") == 2
    assert {title for *_, title in await assets.indexed()} == {"Placa", "Fresa"}
    assert await assets.one("select refresh_asset_index()") == 0


async def test_what_a_source_had_before_it_was_watched_is_found(assets):
    add = "insert into instagram_posts (topic, status, quality_score) values (%s, %s, %s)"
    await assets.root.execute("set session_replication_role = replica")
    await assets.root.execute(add, ("UDI", "approved", 80))
    await assets.root.execute("reset session_replication_role")
    await assets.root.execute("select engine.watch_assets('instagram_posts')")
    await assets.root.execute("select engine.watch_assets('instagram_posts')")
    await assets.root.execute(add, ("TPLO", "accepted", 70))
    assert {title for *_, title in await assets.indexed()} == {"UDI", "TPLO"}


def test_the_existing_rows_are_in_the_index_after_the_migration(upgraded_url: str):
    with psycopg.connect(upgraded_url, autocommit=True) as connection:
        assert titles(connection) == {"lm", *(f"Eletropolimento nº {n}" for n in (10, 13, 15, 18, 20))}
        connection.execute(
            "update linkedin_carousels set status = 'approved', quality_score = 90 where topic = 'Tópico 3'"
        )
        connection.execute("update product_catalog set image_url = 'https://x.test/1.png' where name = 'Parafuso 1'")
        found = connection.execute("select title, source from search_assets('topico 3')").fetchall()
        assert ("Tópico 3", "linkedin_carousels") in found
        assert "Parafuso 1" in titles(connection)


def titles(connection: Connection[Any]) -> set[str]:
    return {row[0] for row in connection.execute("select title from asset_index").fetchall()}

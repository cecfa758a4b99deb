"""Calls that the database refuses for the moment: the job is told to wait, and no money moves."""

import pytest
from psycopg import AsyncConnection

from shared.engine.errors import EnginePaused, ModelPutOff, ModelUnavailable
from shared.engine.job import Lease
from shared.model.gateway import JobModels
from shared.model.retries import CallPolicy
from tests.shared.model.books import Books, Jobs
from tests.shared.model.examples import TITLE, Title, assert_books_are_true
from tests.shared.model.provider import Provider

PATIENT = CallPolicy(request_timeout_s=20, deadline_s=30, max_tries=6, base_s=0.01, cap_s=0.02)


async def test_a_provider_that_is_down_for_five_tries_is_left_alone_and_the_job_put_off(
    provider: Provider, lease: Lease, books: Books
) -> None:
    await provider.rates(**{"503": 1.0})
    with pytest.raises(ModelPutOff) as caught:
        await provider.models(lease, policy=PATIENT).text(TITLE, Title)
    assert 9 < caught.value.after_s <= 15
    assert await books.statuses() == ["failed"] * 5
    await assert_books_are_true(books, provider)


async def test_other_jobs_then_fail_fast_and_ask_nothing(provider: Provider, jobs: Jobs, lease: Lease) -> None:
    await provider.rates(**{"503": 1.0})
    with pytest.raises(ModelPutOff):
        await provider.models(lease, policy=PATIENT).text(TITLE, Title)
    asked = (await provider.meter()).requests
    with pytest.raises(ModelPutOff):
        await provider.models(await jobs.claimed(), policy=PATIENT).text(TITLE, Title)
    assert (await provider.meter()).requests == asked


async def test_an_engaged_kill_switch_ends_the_attempt_before_any_request(
    models: JobModels, provider: Provider, connection: AsyncConnection
) -> None:
    await connection.execute("select public.set_kill_switch('*', true, 'For the test.')")
    with pytest.raises(EnginePaused):
        await models.text(TITLE, Title)
    assert (await provider.meter()).requests == 0


async def test_a_try_after_a_failure_finds_the_switch_engaged(
    provider: Provider, lease: Lease, connection: AsyncConnection
) -> None:
    await provider.rates(**{"503": 1.0})
    with pytest.raises(ModelUnavailable):
        await provider.models(lease).text(TITLE, Title)
    await connection.execute("select public.set_kill_switch('*', true, 'For the test.')")
    asked = (await provider.meter()).requests
    with pytest.raises(EnginePaused):
        await provider.models(lease).text(TITLE, Title)
    assert (await provider.meter()).requests == asked

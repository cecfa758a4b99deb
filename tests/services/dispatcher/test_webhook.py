"""What the dispatcher makes of webhooks: ours, the dashboard's, doubled, forged and broken ones."""

import random
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest

from shared.engine.store import JobStore
from tests.services.dispatcher.conftest import PREVIOUS, SECRET, NotedDelivery
from tests.shared.engine.jobs import Jobs, eventually

URL = "/webhooks/jobs"


def hint(*ids: UUID, kind: str = "echo", service: str = "template") -> dict[str, Any]:
    records = [{"id": str(job_id), "kind": kind, "service": service} for job_id in ids]
    return {
        "type": "INSERT",
        "table": "jobs",
        "schema": "public",
        "record": records[0],
        "old_record": None,
        "records": records,
    }


async def test_a_hint_is_delivered(dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs) -> None:
    job_id = await jobs.enqueue()
    response = await dispatcher.post(URL, json=hint(job_id))
    assert (response.status_code, response.json()) == (202, {"accepted": 1})
    await eventually(lambda: delivery.jobs)
    assert [(job.id, job.kind, job.service) for job in delivery.jobs] == [(job_id, "echo", "template")]


async def test_the_dashboards_own_webhook_is_understood(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs
) -> None:
    job_id = await jobs.enqueue({"topic": "anything"})
    row = await jobs.row(job_id)
    record = {column: str(value) if value is not None else None for column, value in row.items()}
    body = {"type": "INSERT", "table": "jobs", "schema": "public", "record": record, "old_record": None}
    assert (await dispatcher.post(URL, json=body)).status_code == 202
    await eventually(lambda: [job.id for job in delivery.jobs] == [job_id])


async def test_a_deletion_names_no_job(dispatcher_without_database: httpx.AsyncClient) -> None:
    body = {"type": "DELETE", "table": "jobs", "schema": "public", "record": None, "old_record": {"id": str(uuid4())}}
    response = await dispatcher_without_database.post(URL, json=body)
    assert (response.status_code, response.json()) == (202, {"accepted": 0})


async def test_two_thousand_ids_in_one_hint_are_all_delivered_in_order(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs
) -> None:
    ids = await jobs.enqueue_many(2000)
    await dispatcher.post(URL, json=hint(*ids))
    await eventually(lambda: len(delivery.jobs) == 2000)
    assert {job.id for job in delivery.jobs} == set(ids)
    waits = [job.scheduled_for for job in delivery.jobs]
    assert waits == sorted(waits)


async def test_fifty_doubles_out_of_order_are_told_apart_by_nothing(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs
) -> None:
    ids = await jobs.enqueue_many(3)
    doubles = ids * 50
    random.Random(1).shuffle(doubles)
    for job_id in doubles:
        assert (await dispatcher.post(URL, json=hint(job_id))).status_code == 202
    await eventually(lambda: {job.id for job in delivery.jobs} == set(ids))
    # The same wait each time: HttpDelivery and the names of Cloud Tasks make one request of it.
    assert len({(job.id, job.scheduled_for) for job in delivery.jobs}) == 3


async def test_a_late_hint_for_a_job_that_is_over_leads_nowhere(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs
) -> None:
    late, fresh = await jobs.enqueue(), await jobs.enqueue()
    await jobs.cancel(late)
    await dispatcher.post(URL, json=hint(late, uuid4(), fresh))
    await eventually(lambda: delivery.jobs)
    assert [job.id for job in delivery.jobs] == [fresh]


async def test_a_forged_kind_with_a_valid_secret_changes_nothing(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs
) -> None:
    job_id = await jobs.enqueue()
    await dispatcher.post(URL, json=hint(job_id, kind="lead_enrich", service="http://evil.test"))
    await eventually(lambda: delivery.jobs)
    assert [(job.kind, job.service) for job in delivery.jobs] == [("echo", "template")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-webhook-secret": SECRET}, 202),
        ({"x-webhook-secret": PREVIOUS}, 202),
        ({"authorization": f"Bearer {SECRET}"}, 202),
        ({"authorization": f"bearer {PREVIOUS}"}, 202),
        ({}, 401),
        ({"x-webhook-secret": ""}, 401),
        ({"x-webhook-secret": SECRET[:-1]}, 401),
        ({"x-webhook-secret": SECRET + "x"}, 401),
        ({"x-webhook-secret": "forged"}, 401),
        ({"x-webhook-secret": "façade".encode()}, 401),
        ({"authorization": SECRET}, 401),
        ({"authorization": f"Basic {SECRET}"}, 401),
    ],
)
@pytest.mark.parametrize("path", [URL, "/sweep"])
async def test_only_a_valid_secret_opens(
    dispatcher_without_database: httpx.AsyncClient, path: str, headers: dict[str, Any], status: int
) -> None:
    client = dispatcher_without_database
    client.headers.pop("x-webhook-secret")
    response = await client.post(path, json=hint(uuid4()), headers=headers)
    assert response.status_code == (503 if path == "/sweep" and status == 202 else status)
    if status == 401:
        assert response.json()["error"] == "unauthorized"
        assert SECRET not in response.text


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[]", "invalid_shape"),
        (b"null", "invalid_shape"),
        (b'"jobs"', "invalid_shape"),
        (b"{}", "wrong_table"),
        (b'{"table": "users", "record": {"id": "x"}}', "wrong_table"),
        (b'{"table": "jobs", "schema": "auth", "record": {"id": "x"}}', "wrong_table"),
        (b'{"table": "jobs"}', "invalid_id"),
        (b'{"table": "jobs", "type": "INSERT", "record": null}', "invalid_id"),
        (b'{"table": "jobs", "record": {"id": 7}}', "invalid_id"),
        (b'{"table": "jobs", "record": {"id": "1; drop table jobs"}}', "invalid_id"),
        (b'{"table": "jobs", "record": [1]}', "invalid_id"),
        (b'{"table": "jobs", "records": {"id": 1}}', "invalid_shape"),
        (b'{"table": "jobs", "records": [{"id": "11111111-2222-3333-4444-555555555555"}, {}]}', "invalid_id"),
    ],
)
async def test_what_is_no_hint_is_refused_with_a_reason(
    dispatcher_without_database: httpx.AsyncClient, body: bytes, error: str
) -> None:
    response = await dispatcher_without_database.post(URL, content=body)
    assert (response.status_code, response.json()["error"]) == (422, error)
    assert "Send {" in response.json()["message"]


@pytest.mark.parametrize("announced", [True, False])
async def test_more_than_one_mebibyte_is_refused(
    dispatcher_without_database: httpx.AsyncClient, announced: bool
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64:
            sent += 1
            yield b" " * 65536

    content = b" " * (1024 * 1024 + 1) if announced else endless()
    response = await dispatcher_without_database.post(URL, content=content)
    assert (response.status_code, response.json()["error"]) == (413, "too_large")
    assert sent <= 18


async def test_a_hint_of_almost_one_mebibyte_is_read(dispatcher_without_database: httpx.AsyncClient) -> None:
    body = orjson.dumps(hint(*(uuid4() for _ in range(12_000))))
    assert 900_000 < len(body) <= 1024 * 1024
    assert (await dispatcher_without_database.post(URL, content=body)).json() == {"accepted": 12_000}


async def test_a_hint_is_answered_at_once_while_the_database_is_slow(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await jobs.enqueue()
    await dispatcher.post(URL, json=hint(job_id))
    await eventually(lambda: delivery.jobs)
    async with jobs.connection.transaction():
        await jobs.connection.execute("lock table public.jobs in access exclusive mode")
        begun = time.monotonic()
        responses = [await dispatcher.post(URL, json=hint(job_id)) for _ in range(20)]
        assert time.monotonic() - begun < 1
    assert {response.status_code for response in responses} == {202}


async def test_many_hints_are_looked_up_together(
    dispatcher: httpx.AsyncClient, delivery: NotedDelivery, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_ups = 0
    look_up = JobStore.due

    async def counted(store: JobStore, ids: Any) -> Any:
        nonlocal look_ups
        look_ups += 1
        return await look_up(store, ids)

    monkeypatch.setattr(JobStore, "due", counted)
    ids = await jobs.enqueue_many(100)
    for job_id in ids:
        await dispatcher.post(URL, json=hint(job_id))
    await eventually(lambda: len(delivery.jobs) == 100)
    assert look_ups < 100

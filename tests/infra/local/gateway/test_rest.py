"""The front end's contract on `jobs`, and the part of PostgREST that is served, under row level security."""

# To the client's types, rows are JSON of any shape.
# pyright: reportOptionalSubscript=false, reportIndexIssue=false, reportCallIssue=false, reportArgumentType=false
# pyright: reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from postgrest import APIError
from postgrest.types import CountMethod, ReturnMethod
from supabase import Client

from tests.infra.local.gateway.process import RunningGateway

_COLUMNS = (
    "id, job_type, status, payload, result, error, checkpoint_data, created_at, started_at, completed_at, user_id"
)


@pytest.fixture(autouse=True)
def no_jobs_before(gateway: RunningGateway) -> None:
    gateway.execute("delete from public.jobs")


@pytest.fixture
def marketing(gateway: RunningGateway) -> Client:
    return gateway.as_person("marketing")


def _job(gateway: RunningGateway, role: str = "marketing", **changes: object) -> dict:
    job = {"user_id": str(gateway.people[role]), "job_type": "echo", "payload": {"steps": 1}, "status": "queued"}
    return job | changes


def test_the_front_end_inserts_a_job_and_reads_it_back(gateway: RunningGateway, marketing: Client) -> None:
    inserted = marketing.table("jobs").insert(_job(gateway, payload={"topic": "Aço 316L — «sim»", "n": 1.5})).execute()
    job = inserted.data[0]
    assert (job["status"], job["payload"]) == ("queued", {"topic": "Aço 316L — «sim»", "n": 1.5})
    read = marketing.table("jobs").select(_COLUMNS).eq("id", job["id"]).single().execute().data
    assert set(read) == set(_COLUMNS.split(", "))
    assert read["user_id"] == str(gateway.people["marketing"])
    assert read["created_at"] == job["created_at"]


def test_pages_of_jobs_come_with_the_exact_count(gateway: RunningGateway, marketing: Client) -> None:
    marketing.table("jobs").insert([_job(gateway, payload={"n": n}) for n in range(45)]).execute()

    def page(first: int) -> tuple[list[Any], int | None]:
        query = marketing.table("jobs").select(_COLUMNS, count=CountMethod.exact).order("created_at", desc=True)
        answer = query.eq("status", "queued").ilike("job_type", "%ECHO%").range(first, first + 19).execute()
        return answer.data, answer.count

    rows, count = page(0)
    assert (len(rows), count) == (20, 45)
    assert [len(page(first)[0]) for first in (20, 40)] == [20, 5]
    assert [row["created_at"] for row in rows] == sorted((row["created_at"] for row in rows), reverse=True)
    with pytest.raises(APIError) as refused:
        page(60)
    assert refused.value.code == "PGRST103"
    assert marketing.table("jobs").select("id", count=CountMethod.exact, head=True).execute().count == 45


def test_range_header_pages_too(gateway: RunningGateway, marketing: Client) -> None:
    marketing.table("jobs").insert([_job(gateway) for _ in range(5)]).execute()
    headers = gateway.headers(gateway.token("marketing")) | {"range-unit": "items", "prefer": "count=exact"}
    answer = gateway.http.get(f"{gateway.url}/rest/v1/jobs?select=id", headers=headers | {"range": "1-2"})
    assert (answer.status_code, answer.headers["content-range"], len(answer.json())) == (206, "1-2/5", 2)
    answer = gateway.http.get(f"{gateway.url}/rest/v1/jobs?select=id", headers=headers)
    assert (answer.status_code, answer.headers["content-range"]) == (200, "0-4/5")
    answer = gateway.http.get(f"{gateway.url}/rest/v1/jobs?select=id&id=eq.{uuid4()}", headers=headers)
    assert (answer.status_code, answer.headers["content-range"], answer.json()) == (200, "*/0", [])
    assert gateway.http.get(f"{gateway.url}/rest/v1/jobs", headers=headers | {"range": "5-2"}).status_code == 416


def test_each_filter_finds_what_it_should(gateway: RunningGateway) -> None:
    gateway.execute("delete from public.products")
    table = gateway.service().table("products")
    rows = [
        {"name": "A, B", "category": "x", "metadata": {"n": 1}},
        {"name": 'say "hi"', "category": None, "metadata": {"n": 2, "m": 3}},
        {"name": "100%", "category": "Y", "metadata": None},
        {"name": "(parenthesis)", "category": "null", "metadata": None},
    ]
    table.insert(rows).execute()
    products = gateway.anonymous().table("products")

    def names(query) -> set[str]:
        return {row["name"][0] for row in query.execute().data}

    assert names(products.select("name").eq("name", "A, B")) == {"A"}
    assert names(products.select("name").neq("category", "x")) == {"1", "("}
    assert names(products.select("name").in_("name", ["A, B", 'say "hi"', "(parenthesis)"])) == {"A", "s", "("}
    assert names(products.select("name").in_("name", [])) == set()
    assert names(products.select("name").is_("category", None)) == {"s"}
    assert names(products.select("name").not_.is_("category", None)) == {"A", "1", "("}
    assert names(products.select("name").eq("category", "null")) == {"("}
    assert names(products.select("name").ilike("category", "y")) == {"1"}
    assert names(products.select("name").like("category", "y")) == set()
    assert names(products.select("name").ilike("name", "*PAREN*")) == {"("}
    assert names(products.select("name").not_.in_("name", ["100%"])) == {"A", "s", "("}
    assert names(products.select("name").contains("metadata", {"n": 2})) == {"s"}
    assert names(products.select("name").gt("name", "A").lte("name", "s")) == {"A"}
    assert names(products.select("name").gte("created_at", "2020-01-01").lt("created_at", "2100-01-01")) == set("As1(")
    ordered = products.select("title:name").order("category", nullsfirst=True).order("name", desc=True).limit(2)
    assert ordered.execute().data[0] == {"title": 'say "hi"'}


def test_rows_are_changed_removed_and_merged_by_their_key(gateway: RunningGateway) -> None:
    admin = gateway.as_person("admin")
    config = admin.table("app_config")
    config.upsert({"key": "k1", "value": "1"}).execute()
    config.upsert([{"key": "k1", "value": "2"}, {"key": "k2", "value": "3"}]).execute()
    config.upsert({"key": "k2", "value": "ignored"}, ignore_duplicates=True).execute()
    rows = config.select("key,value").in_("key", ["k1", "k2"]).order("key").execute().data
    assert rows == [{"key": "k1", "value": "2"}, {"key": "k2", "value": "3"}]
    assert config.update({"value": "4"}).eq("key", "k1").execute().data[0]["value"] == "4"
    assert config.update({"value": "4"}, returning=ReturnMethod.minimal).eq("key", "k2").execute().data == []
    with pytest.raises(APIError, match="requires a WHERE clause"):
        config.update({"value": "5"}).execute()
    with pytest.raises(APIError, match="requires a WHERE clause"):
        config.delete().execute()
    assert len(config.delete().in_("key", ["k1", "k2"]).execute().data) == 2
    with pytest.raises(APIError) as refused:
        config.insert([{"key": "k3"}, {"key": "k3"}]).execute()
    assert refused.value.code == "23505"


def test_people_see_and_touch_their_own_jobs_alone(gateway: RunningGateway, marketing: Client) -> None:
    job = marketing.table("jobs").insert(_job(gateway)).execute().data[0]
    sales = gateway.as_person("sales")
    assert sales.table("jobs").select("id").execute().data == []
    assert len(gateway.as_person("admin").table("jobs").select("id").execute().data) == 1
    for client in (sales, marketing):
        with pytest.raises(APIError) as refused:
            client.table("jobs").update({"status": "completed"}).eq("id", job["id"]).execute()
        assert refused.value.code == "42501"
        with pytest.raises(APIError):
            client.table("jobs").delete().eq("id", job["id"]).execute()
    with pytest.raises(APIError) as refused:
        sales.table("jobs").insert(_job(gateway, "marketing")).execute()
    assert refused.value.code == "42501"
    assert gateway.execute("select status from public.jobs") == [("queued",)]


def test_nobody_in_particular_gets_401_and_a_person_403(gateway: RunningGateway) -> None:
    for bearer, status in ((None, 401), (gateway.token("sales"), 403)):
        answer = gateway.http.patch(
            f"{gateway.url}/rest/v1/jobs?id=eq.{uuid4()}", headers=gateway.headers(bearer), json={"status": "completed"}
        )
        assert (answer.status_code, answer.json()["code"]) == (status, "42501")


def test_functions_are_called_by_named_arguments(gateway: RunningGateway, marketing: Client) -> None:
    job = marketing.table("jobs").insert(_job(gateway)).execute().data[0]
    cancelled = marketing.rpc("cancel_job", {"job_id": job["id"]}).execute().data
    assert (cancelled["id"], cancelled["status"]) == (job["id"], "cancelled")
    retried = marketing.rpc("retry_job", {"job_id": job["id"]}).execute().data
    assert retried["status"] == "queued"
    enqueued = marketing.rpc("enqueue_job", {"job_type": "echo", "payload": {"steps": 2}}).execute().data
    assert enqueued["payload"] == {"steps": 2}
    with pytest.raises(APIError) as refused:
        gateway.as_person("sales").rpc("cancel_job", {"job_id": job["id"]}).execute()
    assert refused.value.code == "PT404"
    with pytest.raises(APIError) as refused:
        marketing.rpc("sweep_jobs", {"max_jobs": 1}).execute()
    assert refused.value.code == "42501"


def test_a_worker_can_use_the_engine_over_http(gateway: RunningGateway, marketing: Client) -> None:
    job = marketing.table("jobs").insert(_job(gateway)).execute().data[0]
    service = gateway.service()
    [claimed] = service.rpc("claim_job", {"job_id": job["id"], "worker": "test"}).execute().data
    lease = {"job_id": job["id"], "token": claimed["lease_token"]}
    held = {"held": True, "cancelled": False, "paused": False}
    assert service.rpc("heartbeat_job", lease).execute().data == held
    service.rpc("checkpoint_job", lease | {"data": {"a": 1}}).execute()
    with pytest.raises(APIError) as refused:
        service.rpc("complete_job", lease | {"token": str(uuid4()), "result": {}}).execute()
    assert refused.value.code == "PT409"
    service.rpc("complete_job", lease | {"result": {"done": True}}).execute()
    read = marketing.table("jobs").select("status,result,checkpoint_data").single().execute().data
    assert read == {"status": "completed", "result": {"done": True}, "checkpoint_data": {"a": 1}}


def test_status_of_an_error_is_the_one_that_the_function_raised(gateway: RunningGateway) -> None:
    headers = gateway.headers(gateway.token("marketing"))

    def post(path: str, body: object) -> httpx.Response:
        return gateway.http.post(f"{gateway.url}/rest/v1/{path}", headers=headers, json=body)

    assert post("rpc/cancel_job", {"job_id": str(uuid4())}).status_code == 404
    unknown = post("jobs", _job(gateway, job_type="make_coffee"))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "PT422")
    assert "make_coffee" in unknown.json()["message"]
    assert "echo" in unknown.text
    assert post("jobs", _job(gateway, payload={"text": "x" * 300_000})).status_code == 413
    assert post("jobs", _job(gateway, user_id="not-a-uuid")).json()["code"] == "22P02"
    assert post("jobs", _job(gateway, payload={"text": "a\0b"})).status_code == 400
    assert post("rpc/no_such_function", {}).json()["code"] == "PGRST202"
    assert post("rpc/cancel_job", {"job": "x"}).json()["code"] == "PGRST202"
    assert post("rpc/cancel_job", {"job_id": "x"}).json()["code"] == "22P02"
    assert post("rpc/cancel_job", []).json()["code"] == "PGRST102"


def test_reading_by_get_cannot_write(gateway: RunningGateway, marketing: Client) -> None:
    job = marketing.table("jobs").insert(_job(gateway)).execute().data[0]
    headers = gateway.headers(gateway.token("marketing"))
    answer = gateway.http.get(f"{gateway.url}/rest/v1/rpc/cancel_job?job_id={job['id']}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (405, "25006")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("select=nope", "42703"),
        ("nope=eq.1", "42703"),
        ("order=nope", "42703"),
        ("id=eq.1", "22P02"),
        ("id=1", "PGRST100"),
        ("id=fts.x", "PGRST100"),
        ("id=is.maybe", "PGRST100"),
        ("id=in.1,2", "PGRST100"),
        ("or=(id.eq.1,id.eq.2)", "PGRST100"),
        ("payload->>topic=eq.x", "PGRST100"),
        ("select=payload->topic", "PGRST100"),
        ("select=id::text", "PGRST100"),
        ("select=id,users(*)", "PGRST100"),
        ("select=count()", "PGRST100"),
        ("select=*,", "PGRST100"),
        ("select=x%25s:id,y%25(a)s:id", "PGRST100"),
        ('select="id', "PGRST100"),
        ("select=id;drop table jobs", "PGRST100"),
        ('select="id from jobs; --"', "42703"),
        ("order=id.sideways", "PGRST100"),
        ("limit=-1", "PGRST100"),
        ("limit=ten", "PGRST100"),
        ("offset=99999999999999999999", "PGRST100"),
        ("status=eq.a%00b", "22P05"),
    ],
)
def test_what_is_not_served_is_refused_clearly(gateway: RunningGateway, query: str, code: str) -> None:
    answer = gateway.http.get(f"{gateway.url}/rest/v1/jobs?{query}", headers=gateway.headers(gateway.token("sales")))
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert answer.json().keys() == {"code", "message", "details", "hint"}


def test_hostile_values_stay_values(gateway: RunningGateway, marketing: Client) -> None:
    marketing.table("jobs").insert(_job(gateway)).execute()
    for value in ("' or '1'='1", "queued' --", "%s", "%(p0)s", "\\", '"', "a,b", "{}", "$1", "💥"):
        assert marketing.table("jobs").select("id").eq("status", value).execute().data == []
        assert marketing.table("jobs").select("id").in_("status", [value, "x"]).execute().data == []
    assert len(gateway.execute("select 1 from public.jobs")) == 1


@pytest.mark.parametrize("table", ["nope", "pg_authid", "users", "auth.users", 'jobs"; drop table jobs; --', "job%s"])
def test_only_tables_of_the_public_schema_are_there(gateway: RunningGateway, table: str) -> None:
    answer = gateway.http.get(f"{gateway.url}/rest/v1/{table}", headers=gateway.headers(gateway.keys.service_key))
    assert (answer.status_code, answer.json()["code"]) == (404, "PGRST205")


def test_other_schemas_and_formats_are_refused(gateway: RunningGateway) -> None:
    url, headers = f"{gateway.url}/rest/v1/jobs", gateway.headers(gateway.keys.service_key)
    for changes, code in [
        ({"accept-profile": "auth"}, "PGRST106"),
        ({"accept": "text/csv"}, "PGRST107"),
        ({"accept": "application/vnd.pgrst.array+json;nulls=stripped"}, "PGRST107"),
    ]:
        answer = gateway.http.get(url, headers=headers | changes)
        assert (answer.status_code, answer.json()["code"]) == (406, code)
    for prefer in ("max-affected=1", "return=everything", "nonsense"):
        assert gateway.http.get(url, headers=headers | {"prefer": prefer}).status_code == 400


def test_one_object_means_exactly_one(gateway: RunningGateway, marketing: Client) -> None:
    assert marketing.table("jobs").select("id").maybe_single().execute() is None
    with pytest.raises(APIError) as refused:
        marketing.table("jobs").select("id").single().execute()
    assert refused.value.code == "PGRST116"
    marketing.table("jobs").insert([_job(gateway), _job(gateway)]).execute()
    with pytest.raises(APIError, match="single JSON object"):
        marketing.table("jobs").select("id").single().execute()


def test_a_refused_insert_leaves_nothing(gateway: RunningGateway, marketing: Client) -> None:
    good, bad = _job(gateway), _job(gateway, job_type="make_coffee")
    with pytest.raises(APIError):
        marketing.table("jobs").insert([good, bad]).execute()
    headers = gateway.headers(gateway.token("marketing")) | {
        "prefer": "return=representation",
        "accept": "application/vnd.pgrst.object+json",
    }
    answer = gateway.http.post(f"{gateway.url}/rest/v1/jobs", headers=headers, json=[good, good])
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST116")
    assert gateway.execute("select 1 from public.jobs") == []


def test_inserting_without_reading_back_needs_no_right_to_read(gateway: RunningGateway) -> None:
    with psycopg.connect(gateway.database_url, autocommit=True) as connection:
        connection.execute("create table if not exists public.mailbox (id serial primary key, message text)")
        connection.execute("revoke all on public.mailbox from anon; grant insert on public.mailbox to anon")
    mailbox = gateway.anonymous().table("mailbox")
    mailbox.insert({"message": "hello"}, returning=ReturnMethod.minimal).execute()
    with pytest.raises(APIError) as refused:
        mailbox.insert({"message": "hello"}).execute()
    assert refused.value.code == "42501"
    assert len(gateway.execute("select 1 from public.mailbox")) == 1


def test_broken_bodies_get_clear_answers(gateway: RunningGateway) -> None:
    url, headers = f"{gateway.url}/rest/v1/jobs", gateway.headers(gateway.token("marketing"))
    for body in ("", "{", "5", '"text"', "[1]", '[{"job_type": "echo"}, {"payload": {}}]'):
        answer = gateway.http.post(url, headers=headers, content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "PGRST102"), body
    answer = gateway.http.post(url, headers=headers, json={"nope": 1})
    assert (answer.status_code, answer.json()["code"]) == (400, "42703")
    assert gateway.http.post(url, headers=headers, json=[]).status_code == 201
    assert gateway.http.post(f"{url}?id=eq.1", headers=headers, json=_job(gateway)).status_code == 400


def test_a_page_of_the_front_end_may_ask_from_another_origin(gateway: RunningGateway) -> None:
    headers = {
        "origin": "http://localhost:3000",
        "access-control-request-method": "POST",
        "access-control-request-headers": "apikey,authorization,content-type,prefer",
    }
    answer = gateway.http.options(f"{gateway.url}/rest/v1/jobs", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"

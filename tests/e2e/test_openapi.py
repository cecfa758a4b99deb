"""Every service's endpoints as its OpenAPI description has them: guarded, and never beaten by a strange request."""

import importlib
import json
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok

from infra.local.identity import token_url, worker_settings
from infra.local.services import discover
from tests.running_stack import RunningStack

OPEN = {"/healthz", "/readyz"}
EXAMPLES = 20


@pytest.fixture(scope="module")
def apps(stack: RunningStack) -> dict[str, FastAPI]:
    """Each service's application, for its description; those that answer are the stack's."""
    description = stack.description
    environment = {
        "DATABASE_URL": description["database_url"],
        "SUPABASE_URL": description["supabase_url"],
        "SUPABASE_SERVICE_KEY": description["service_key"],
        "WEBHOOK_SECRET": description["webhook_secret"],
        "WORKER_URLS": "{}",
        **worker_settings(description["supabase_url"], "http://worker.example"),
    }
    with mock.patch.dict(os.environ, environment):
        return {name: importlib.import_module(f"services.{name}.app").create_app() for name in discover()}


def credentials(stack: RunningStack, service: str, scheme: str) -> dict[str, str]:
    """Headers that satisfy a security scheme."""
    if scheme == "identity_token":
        token = httpx.get(
            token_url(stack["supabase_url"]),
            params={"audience": stack.url(service), "format": "full"},
            headers={"metadata-flavor": "Google"},
        )
        return {"Authorization": f"Bearer {token.text}"}
    return {
        "webhook_secret": {"x-webhook-secret": stack["webhook_secret"]},
        "webhook_secret_as_bearer": {"Authorization": f"Bearer {stack['webhook_secret']}"},
    }[scheme]


def operations(app: FastAPI) -> Iterator[APIOperation]:
    for result in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()


@pytest.mark.parametrize("service", discover())
def test_every_route_is_described_and_names_its_errors_and_its_guard(apps: dict[str, FastAPI], service: str):
    app = apps[service]
    paths = app.openapi()["paths"]
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes} == set(paths)
    assert len(routes) == len(app.routes)
    for path, verbs in paths.items():
        for verb, said in verbs.items():
            assert path in OPEN or (said["security"] and "401" in said["responses"]), f"{verb} {path}"


@pytest.mark.parametrize("service", discover())
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp4"},
                                     {"x-webhook-secret": "x"}, {"cookie": "session=x"}])  # fmt: skip
def test_nothing_but_health_answers_strangers(
    stack: RunningStack, apps: dict[str, FastAPI], service: str, headers: dict[str, str]
):
    for path, verbs in apps[service].openapi()["paths"].items():
        for verb in verbs:
            answer = httpx.request(verb, stack.url(service) + path, headers=headers)
            assert (answer.status_code in {401, 403}) == (path not in OPEN), f"{verb} {path}: {answer.status_code}"
            assert path in OPEN or set(answer.json()) == {"error", "message"}


@pytest.mark.parametrize("service", discover())
@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc", "/", "/.env", "/metrics"])
def test_strangers_learn_nothing_about_the_service(stack: RunningStack, service: str, path: str):
    answer = httpx.get(stack.url(service) + path)
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found", "message": "Not Found"})


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("service", discover())
def test_no_request_breaks_a_service(stack: RunningStack, apps: dict[str, FastAPI], service: str, mode: GenerationMode):
    """Requests as described, and others: each is answered as the description says, and errors have one shape."""
    for operation in operations(apps[service]):
        takes_something = {"parameters", "requestBody"} & set(operation.definition.raw)
        if mode is GenerationMode.NEGATIVE and not takes_something:
            continue  # there is nothing to get wrong
        schemes = [name for each in operation.definition.raw.get("security", []) for name in each]
        headers = credentials(stack, service, schemes[0]) if schemes else {}
        probe(operation, mode, stack.url(service), headers, EXAMPLES if takes_something else 1)


def probe(operation: APIOperation, mode: GenerationMode, url: str, headers: dict[str, str], examples: int) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def every_request_is_answered(case: Case) -> None:
        answer = case.call_and_validate(base_url=url, headers=headers, session=session)
        assert answer.status_code < 500 or answer.status_code == 503
        if answer.status_code >= 400 and case.method != "HEAD":
            body: dict[str, Any] = json.loads(answer.content)
            assert set(body) == {"error", "message"}

    with requests.Session() as session:
        every_request_is_answered()

"""The gateway as metadata server and as issuer: what a worker's check makes of its tokens."""

import asyncio

import pytest

from infra.local.identity import DISPATCHER_ACCOUNT, KEYS_PATH, issuer_of, token_url
from shared.auth import Callers, NotIdentified, SigningKeys
from tests.infra.local.gateway.process import RunningGateway

FLAVOR = {"metadata-flavor": "Google"}
AUDIENCE = "http://127.0.0.1:8101"


def callers(gateway: RunningGateway, audience: str) -> Callers:
    keys = SigningKeys(gateway.url + KEYS_PATH)
    return Callers(keys, issuer=issuer_of(gateway.url), audience=audience, invokers=[DISPATCHER_ACCOUNT])


def test_its_tokens_are_good_for_the_worker_that_they_are_made_for(gateway: RunningGateway):
    answer = gateway.http.get(token_url(gateway.url), params={"audience": AUDIENCE, "format": "full"}, headers=FLAVOR)
    assert (answer.status_code, answer.headers["metadata-flavor"]) == (200, "Google")
    caller = asyncio.run(callers(gateway, AUDIENCE).identify(answer.text))
    assert caller.email == DISPATCHER_ACCOUNT
    with pytest.raises(NotIdentified):
        asyncio.run(callers(gateway, "http://127.0.0.1:8102").identify(answer.text))


@pytest.mark.parametrize("headers", [{}, {"metadata-flavor": "google"}, FLAVOR | {"origin": "https://a.example"},
                                     FLAVOR | {"x-forwarded-for": "10.0.0.1"}])  # fmt: skip
def test_a_page_in_a_browser_gets_no_token(gateway: RunningGateway, headers: dict[str, str]):
    answer = gateway.http.get(token_url(gateway.url), params={"audience": AUDIENCE}, headers=headers)
    assert answer.status_code == 403
    assert "eyJ" not in answer.text


@pytest.mark.parametrize("audience", [None, "", "x" * 600])
def test_a_token_is_for_somebody(gateway: RunningGateway, audience: str | None):
    params = {} if audience is None else {"audience": audience}
    assert gateway.http.get(token_url(gateway.url), params=params, headers=FLAVOR).status_code == 400


def test_the_private_key_is_the_owners_alone(gateway: RunningGateway):
    key = gateway.state_dir / "identity_key.pem"
    assert key.stat().st_mode & 0o077 == 0
    [public] = gateway.http.get(gateway.url + KEYS_PATH).json()["keys"]
    assert set(public) <= {"kty", "n", "e", "kid", "alg", "use", "key_ops"}

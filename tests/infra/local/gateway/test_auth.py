"""Sign-in as the front end does it, and every way in which it must be refused."""

import time
from urllib.parse import urljoin

import httpx
import jwt
import pytest
from supabase import AuthApiError

from infra.local.gateway.keys import load_or_create
from infra.local.gateway.tokens import Tokens
from tests.infra.local.gateway.process import PASSWORD, RunningGateway


def test_right_password_signs_in(gateway: RunningGateway) -> None:
    client = gateway.anonymous()
    answer = client.auth.sign_in_with_password({"email": "Marketing@lifetrek.test", "password": PASSWORD})
    assert answer.user is not None
    assert answer.session is not None
    assert answer.user.id == str(gateway.people["marketing"])
    assert answer.user.app_metadata == {"role": "marketing"}
    assert answer.session.expires_in == 3600
    assert client.auth.get_user().user == client.auth.get_user(answer.session.access_token).user  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("sales@lifetrek.test", "wrong"),
        ("nobody@lifetrek.test", PASSWORD),
        ("' or true --", PASSWORD),
        ("null\0byte@lifetrek.test", PASSWORD),
    ],
)
def test_wrong_credentials_are_all_refused_alike(gateway: RunningGateway, email: str, password: str) -> None:
    with pytest.raises(AuthApiError, match="Invalid login credentials") as refused:
        gateway.anonymous().auth.sign_in_with_password({"email": email, "password": password})
    assert (refused.value.status, refused.value.code) == (400, "invalid_credentials")


def test_unconfirmed_and_banned_people_cannot_sign_in(gateway: RunningGateway) -> None:
    for change, code in [
        ("email_confirmed_at = null", "email_not_confirmed"),
        ("banned_until = now() + interval '1 day'", "user_banned"),
        ("deleted_at = now()", "invalid_credentials"),
    ]:
        gateway.execute(f"update auth.users set {change} where email = 'sales@lifetrek.test'")
        with pytest.raises(AuthApiError) as refused:
            gateway.signed_in("sales")
        assert refused.value.code == code
        gateway.execute(
            "update auth.users set email_confirmed_at = now(), banned_until = null, deleted_at = null"
            " where email = 'sales@lifetrek.test'"
        )


def test_guessing_is_slowed_down_for_that_address_alone(gateway: RunningGateway) -> None:
    client = gateway.anonymous()
    codes = []
    for _ in range(11):
        with pytest.raises(AuthApiError) as refused:
            client.auth.sign_in_with_password({"email": "guessed@lifetrek.test", "password": "guess"})
        codes.append((refused.value.status, refused.value.code))
    assert codes == [(400, "invalid_credentials")] * 10 + [(429, "over_request_rate_limit")]
    assert gateway.signed_in("marketing").auth.get_session() is not None


def test_access_token_verifies_with_the_published_keys(gateway: RunningGateway) -> None:
    token = gateway.token("marketing")
    key = jwt.PyJWKClient(urljoin(gateway.url, "/auth/v1/.well-known/jwks.json")).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["ES256"], audience="authenticated", issuer=f"{gateway.url}/auth/v1")
    assert claims["sub"] == str(gateway.people["marketing"])
    assert claims["role"] == "authenticated"
    assert claims["app_metadata"] == {"role": "marketing"}
    assert claims["email"] == "marketing@lifetrek.test"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["session_id"]


def test_client_reads_the_claims_by_itself(gateway: RunningGateway) -> None:
    answer = gateway.signed_in("admin").auth.get_claims()
    assert answer is not None
    assert answer["claims"].get("sub") == str(gateway.people["admin"])


def test_refresh_gives_a_new_pair_and_the_old_token_soon_ends_the_session(gateway: RunningGateway) -> None:
    client = gateway.signed_in("sales")
    first = client.auth.get_session()
    assert first is not None
    second = client.auth.refresh_session().session
    assert second is not None
    assert second.refresh_token != first.refresh_token
    # A second try with the same token right away is a lost answer …
    assert gateway.anonymous().auth.refresh_session(first.refresh_token).session is not None
    # … later it is a thief.
    gateway.execute("update auth.refresh_tokens set updated_at = updated_at - interval '1 minute' where revoked")
    with pytest.raises(AuthApiError, match="Already Used"):
        gateway.anonymous().auth.refresh_session(first.refresh_token)
    with pytest.raises(AuthApiError, match="Not Found"):
        gateway.anonymous().auth.refresh_session(second.refresh_token)


def test_refresh_tokens_are_not_kept_in_clear(gateway: RunningGateway) -> None:
    session = gateway.signed_in("sales").auth.get_session()
    assert session is not None
    assert gateway.execute("select 1 from auth.refresh_tokens where token = %s", session.refresh_token) == []


def test_signing_out_ends_the_session(gateway: RunningGateway) -> None:
    client, other = gateway.signed_in("marketing"), gateway.signed_in("marketing")
    session = client.auth.get_session()
    assert session is not None
    client.auth.sign_out({"scope": "local"})
    with pytest.raises(AuthApiError, match="Not Found"):
        gateway.anonymous().auth.refresh_session(session.refresh_token)
    with pytest.raises(AuthApiError) as refused:
        gateway.anonymous().auth.get_user(session.access_token)
    assert refused.value.code == "session_not_found"
    assert other.auth.get_user() is not None


def test_forged_tokens_are_refused_everywhere(gateway: RunningGateway, tmp_path) -> None:
    genuine = gateway.token("sales")
    claims = jwt.decode(genuine, options={"verify_signature": False})
    keys = gateway.keys
    public = keys.jwks()["keys"][0]

    def signed(changes: dict, key: object = keys.private_key, algorithm: str = "ES256") -> str:
        return jwt.encode(claims | changes, key, algorithm, headers={"kid": public["kid"]})  # type: ignore[arg-type]

    stranger = load_or_create(tmp_path).private_key
    header, payload, signature = genuine.split(".")
    forged = {
        "another key": signed({}, stranger),
        "no signature": jwt.encode(claims, "", "none"),
        "public key as a secret": signed({}, public["x"] + public["y"], "HS256"),
        "expired": signed({"exp": int(time.time()) - 60}),
        "no expiry": jwt.encode({k: v for k, v in claims.items() if k != "exp"}, keys.private_key, "ES256"),
        "another issuer": signed({"iss": "http://elsewhere.test/auth/v1"}),
        "another audience": signed({"aud": "storage:read"}),
        "service role": signed({"role": "service_role"}),
        "superuser": signed({"role": "postgres"}),
        "signed URL": Tokens(keys, f"{gateway.url}/auth/v1").sign_object(
            purpose="storage:read", object_path="a/b", expires_in_s=60
        ),
        "changed payload": f"{header}.{payload[:-4]}AAAA.{signature}",
        "not a token": "hello",
    }
    for name, token in forged.items():
        headers = gateway.headers(token)
        statuses = [
            gateway.http.get(f"{gateway.url}/rest/v1/jobs?select=id", headers=headers).status_code,
            gateway.http.get(f"{gateway.url}/storage/v1/bucket", headers=headers).status_code,
            gateway.http.get(f"{gateway.url}/auth/v1/user", headers=headers).status_code,
        ]
        assert statuses == [401, 401, 403], name


@pytest.mark.parametrize("path", ["/rest/v1/jobs", "/auth/v1/user", "/auth/v1/token?grant_type=password"])
@pytest.mark.parametrize("api_key", [None, "", "wrong", "ключ"])
def test_without_the_api_key_nobody_gets_further(gateway: RunningGateway, path: str, api_key: str | None) -> None:
    headers = httpx.Headers() if api_key is None else httpx.Headers({"apikey": api_key}, encoding="utf-8")
    answer = gateway.http.post(f"{gateway.url}{path}", headers=headers, json={})
    if answer.status_code != 405:
        assert answer.status_code == 401
        assert "API key" in answer.json()["message"]


def test_broken_requests_get_clear_answers(gateway: RunningGateway) -> None:
    headers = gateway.headers()

    def post(grant: str, body: bytes) -> httpx.Response:
        return gateway.http.post(f"{gateway.url}/auth/v1/token?grant_type={grant}", headers=headers, content=body)

    assert post("password", b"{").json()["code"] == "bad_json"
    assert post("password", b"[]").json()["code"] == "bad_json"
    assert post("password", b"{}").json()["code"] == "validation_failed"
    assert post("magic", b"{}").status_code == 400
    assert post("password", b"x" * 70_000).status_code == 413


def test_keys_stay_the_same_and_are_private(gateway: RunningGateway) -> None:
    again = load_or_create(gateway.state_dir)
    assert (again.anon_key, again.service_key) == (gateway.keys.anon_key, gateway.keys.service_key)
    assert again.jwks() == gateway.keys.jwks()
    assert (gateway.state_dir / "keys.json").stat().st_mode & 0o077 == 0
    claims = jwt.decode(gateway.keys.service_key, options={"verify_signature": False})
    assert claims["role"] == "service_role"

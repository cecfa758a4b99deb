"""Pages are fetched from the public web alone, within limits; everything else is a reason."""

from typing import Any

import pytest

from shared.research.fetch import MAX_BYTES, USER_AGENT, FetchError, PageFetcher, open_fetcher
from tests.shared.research.conftest import ARTICLE, NameService, WebSite


async def reason_for(url: str, site: WebSite | None = None, names: NameService | None = None, **options: Any) -> str:
    """Why `url` is not fetched."""
    static_hosts = site.static_hosts if site else {}
    ca_file = site.ca_file if site else None
    async with open_fetcher(
        static_hosts=static_hosts, ca_file=ca_file, lookup=names or NameService(), **options
    ) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(url)
    assert caught.value.message
    return caught.value.reason


async def fetch(site: WebSite, path: str) -> Any:
    async with open_fetcher(static_hosts=site.static_hosts, ca_file=site.ca_file, lookup=NameService()) as fetcher:
        return await fetcher.fetch(site.url(path))


async def test_a_page_comes_with_its_address_type_and_time(site: WebSite):
    page = await fetch(site, "/article#top")
    assert (page.url, page.content_type, page.charset) == (site.url("/article"), "text/html", "utf-8")
    assert page.body.decode() == ARTICLE
    assert page.fetched_at.tzinfo is not None


async def test_a_compressed_page_is_unpacked(site: WebSite):
    assert (await fetch(site, "/gzipped")).body.decode() == ARTICLE


async def test_requests_carry_our_name_and_nothing_else_about_us(site: WebSite, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    await fetch(site, "/article")
    [request] = site.requests
    assert request.headers["User-Agent"] == USER_AGENT
    assert not {"Cookie", "Authorization", "Referer"} & set(request.headers)


async def test_redirects_are_followed_to_the_final_address(site: WebSite):
    assert (await fetch(site, "/hops/5")).url == site.url("/hops/0")


@pytest.mark.parametrize("path", ["/hops/6", "/loop"])
async def test_more_than_five_redirects_are_too_many(site: WebSite, path: str):
    assert await reason_for(site.url(path), site) == "too_many_redirects"
    assert len(site.requests) == 6


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//example.com/",
        "/relative",
        "https://",
        "https://user@example.com/",
        "https://user:secret@example.com/",
        "https://example.com:8443/",
        "https://example.com:80/",
        "https://exa mple.com:x/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com@127.0.0.1/",
        "https://127.0.0.1%2f@example.com/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "",
        "https://example.com/" + "x" * 2_100,
    ],
)
async def test_an_address_that_is_no_plain_https_address_is_not_even_looked_up(url: str):
    names = NameService(example_com=["8.8.8.8"])
    assert await reason_for(url, names=names) == "bad_url"
    assert names.lookups == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "169.254.169.254",
        "10.1.2.3",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[fd00::1]",
        "[fe80::1%25eth0]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
        "[64:ff9b::a9fe:a9fe]",
        "１２７.0.0.1",
        "127。0。0。1",
    ],
)
async def test_a_numeric_host_that_is_not_public_is_refused(host: str):
    assert await reason_for(f"https://{host}/") == "address_refused"


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "localhost",
        "localhost.",
        "ⓛocalhost",
    ],
)
async def test_other_spellings_of_this_machine_lead_nowhere(host: str):
    async with open_fetcher(static_hosts={}, timeout_s=5) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(f"https://{host}/")
    assert caught.value.reason in {"address_refused", "unreachable", "bad_url"}


@pytest.mark.parametrize(
    "addresses",
    [
        "127.0.0.1",
        "169.254.169.254",
        "192.168.0.10",
        "::1",
        "::ffff:127.0.0.1",
        "fd00::1",
        "8.8.8.8 127.0.0.1",
        "2606:4700::1 10.0.0.1",
    ],
)
async def test_a_name_with_any_address_that_is_not_public_is_refused(addresses: str):
    names = NameService(inside_example=[addresses])
    assert await reason_for("https://inside.example/", names=names) == "address_refused"


async def test_an_unknown_name_is_unreachable():
    assert await reason_for("https://nowhere.example/") == "unreachable"


@pytest.mark.parametrize(
    "where",
    ["https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "//10.0.0.7/", "https://inside.example/"],
)
async def test_a_redirect_into_the_house_is_refused(site: WebSite, where: str):
    names = NameService(inside_example=["10.0.0.7"])
    assert await reason_for(site.url(f"/to?where={where}"), site, names) == "address_refused"


@pytest.mark.parametrize(
    "where",
    [
        "http://example.com/",
        "http://169.254.169.254/computeMetadata/v1/",
        "file:///etc/passwd",
        "data:text/html,x",
        "https://a:b@example.com/",
        "https://example.com:22/",
        "",
    ],
)
async def test_a_redirect_to_something_else_than_https_is_refused(site: WebSite, where: str):
    names = NameService(example_com=["8.8.8.8"])
    assert await reason_for(site.url(f"/to?where={where}"), site, names) == "bad_url"
    assert names.lookups == []


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch):
    """A name that changes its address between check and connection gains nothing: there is one lookup for both."""
    connected: list[str] = []

    async def connect(addr_infos: list[Any], **_: Any) -> Any:
        connected.extend(info[4][0] for info in addr_infos)
        raise OSError("no network in tests")

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    names = NameService(rebinding_example=["8.8.4.4", "127.0.0.1"])
    async with open_fetcher(static_hosts={}, lookup=names) as fetcher:
        assert await _reason(fetcher, "https://rebinding.example/") == "unreachable"
        assert (names.lookups, connected) == (["rebinding.example"], ["8.8.4.4"])
        assert await _reason(fetcher, "https://rebinding.example/") == "address_refused"
    assert connected == ["8.8.4.4"]


async def _reason(fetcher: PageFetcher, url: str) -> str:
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(url)
    return caught.value.reason


@pytest.mark.parametrize("path", ["/large", "/endless", "/bomb"])
async def test_what_is_larger_than_the_cap_is_not_read_to_its_end(site: WebSite, path: str):
    assert await reason_for(site.url(path), site) == "too_large"


async def test_a_page_just_within_the_cap_is_read(site: WebSite):
    assert len((await fetch(site, "/exact")).body) == MAX_BYTES


@pytest.mark.parametrize("path", ["/silent", "/stalled", "/dripping"])
async def test_an_answer_that_never_ends_runs_into_the_time_limit(site: WebSite, path: str):
    assert await reason_for(site.url(path), site, timeout_s=0.5) == "too_slow"


async def test_a_flood_of_headers_is_not_read(site: WebSite):
    assert await reason_for(site.url("/flood"), site) == "unreachable"


@pytest.mark.parametrize("path", ["/brotli", "/zstd", "/deflate", "/twice", "/torn"])
async def test_a_body_that_cannot_be_unpacked_is_refused(site: WebSite, path: str):
    assert await reason_for(site.url(path), site) == "bad_encoding"


@pytest.mark.parametrize("kind", ["application/pdf", "image/png", "application/json", "text/javascript"])
async def test_what_is_no_page_is_refused(site: WebSite, kind: str):
    assert await reason_for(site.url(f"/type/{kind}"), site) == "wrong_type"


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/xhtml+xml"])
async def test_pages_and_plain_text_are_read(site: WebSite, kind: str):
    assert (await fetch(site, f"/type/{kind}")).content_type == kind


@pytest.mark.parametrize("status", [204, 401, 404, 429, 500])
async def test_any_answer_but_200_is_a_reason(site: WebSite, status: int):
    assert await reason_for(site.url(f"/status/{status}"), site) == "status"


async def test_a_certificate_of_another_authority_is_not_accepted(site: WebSite):
    async with open_fetcher(static_hosts=site.static_hosts, lookup=NameService()) as fetcher:
        assert await _reason(fetcher, site.url("/article")) == "unreachable"
    assert site.requests == []

"""Files as the front end and the workers keep them, and what must not get in or out."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from storage3.exceptions import StorageApiError
from storage3.types import FileOptions

from infra.local.gateway.tokens import Tokens
from tests.infra.local.gateway.process import RunningGateway

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

# Two buckets of the tests' own. In `desk`, a signed-in person has the folder that is called like their user id.
_POLICIES = """
insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('desk', 'desk', false, 1048576, '{image/*,text/plain,text/html,image/svg+xml}'),
  ('wall', 'wall', true, null, null);
create policy "own folder: see" on storage.objects for select to authenticated
  using (bucket_id = 'desk' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy "own folder: add" on storage.objects for insert to authenticated
  with check (bucket_id = 'desk' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy "own folder: change" on storage.objects for update to authenticated
  using (bucket_id = 'desk' and (storage.foldername(name))[1] = (select auth.uid())::text);
create policy "own folder: remove" on storage.objects for delete to authenticated
  using (bucket_id = 'desk' and (storage.foldername(name))[1] = (select auth.uid())::text);
"""


@pytest.fixture(scope="module", autouse=True)
def buckets(gateway: RunningGateway) -> None:
    with psycopg.connect(gateway.database_url, autocommit=True) as connection:
        connection.execute(_POLICIES)


@pytest.fixture
def folder(gateway: RunningGateway) -> str:
    """The marketing person's own folder in `desk`."""
    return str(gateway.people["marketing"])


def _png(upsert: str = "false") -> FileOptions:
    return {"content-type": "image/png", "upsert": upsert}


def test_what_was_uploaded_comes_back(gateway: RunningGateway, folder: str) -> None:
    desk = gateway.as_person("marketing").storage.from_("desk")
    answer = desk.upload(f"{folder}/drawing one.png", PNG, _png())
    assert answer.full_path == f"desk/{folder}/drawing one.png"
    assert desk.download(f"{folder}/drawing one.png") == PNG
    info = desk.info(f"{folder}/drawing one.png")
    assert (info["size"], info["content_type"]) == (len(PNG), "image/png")
    assert desk.exists(f"{folder}/drawing one.png")
    assert not desk.exists(f"{folder}/drawing two.png")


def test_metadata_of_an_upload_is_kept(gateway: RunningGateway) -> None:
    wall = gateway.service().storage.from_("wall")
    wall.upload("meta.png", PNG, {**_png(), "cache-control": "60", "metadata": {"jobId": "7"}})
    info = wall.info("meta.png")
    assert info["metadata"] == {"jobId": "7"}
    assert info["cache_control"] == "max-age=60"


def test_second_upload_is_refused_unless_it_replaces(gateway: RunningGateway, folder: str) -> None:
    desk = gateway.as_person("marketing").storage.from_("desk")
    desk.upload(f"{folder}/once.txt", b"first", {"content-type": "text/plain"})
    with pytest.raises(StorageApiError, match="already exists") as refused:
        desk.upload(f"{folder}/once.txt", b"second", {"content-type": "text/plain"})
    assert (refused.value.code, refused.value.status) == ("Duplicate", "409")
    desk.upload(f"{folder}/once.txt", b"second", {"content-type": "text/plain", "upsert": "true"})
    assert desk.download(f"{folder}/once.txt") == b"second"
    desk.update(f"{folder}/once.txt", b"third", {"content-type": "text/plain"})
    assert desk.download(f"{folder}/once.txt") == b"third"


def test_replaced_and_removed_contents_leave_the_disk(gateway: RunningGateway) -> None:
    def files() -> set:
        return {path for path in (gateway.state_dir / "storage").rglob("*") if path.is_file()}

    before = files()
    wall = gateway.service().storage.from_("wall")
    with ThreadPoolExecutor(8) as threads:  # eight writers of one object at once
        list(threads.map(lambda n: _upload_plainly(gateway, "wall/hot.txt", f"version {n}".encode()), range(8)))
    assert wall.download("hot.txt").startswith(b"version ")
    assert len(files() - before) == 1
    wall.remove(["hot.txt"])
    assert files() == before


def _upload_plainly(gateway: RunningGateway, path: str, content: bytes, **headers: str) -> httpx.Response:
    """Without a form, as `curl --data-binary` does, and without the client's own checks."""
    sent = gateway.headers(gateway.keys.service_key) | {"content-type": "text/plain", "x-upsert": "true"} | headers
    return gateway.http.post(f"{gateway.url}/storage/v1/object/{path}", headers=sent, content=content, timeout=20)


def test_people_do_not_meet_in_each_others_folders(gateway: RunningGateway, folder: str) -> None:
    marketing = gateway.as_person("marketing").storage.from_("desk")
    marketing.upload(f"{folder}/private.png", PNG, _png())
    for other in (gateway.as_person("sales"), gateway.anonymous()):
        desk = other.storage.from_("desk")
        with pytest.raises(StorageApiError, match="not found"):
            desk.download(f"{folder}/private.png")
        with pytest.raises(StorageApiError, match="not found"):
            desk.create_signed_url(f"{folder}/private.png", 60)
        with pytest.raises(StorageApiError, match="row-level security") as refused:
            desk.upload(f"{folder}/planted.png", PNG, _png())
        assert refused.value.status == "403"
        assert desk.list(folder) == []
        assert desk.remove([f"{folder}/private.png"]) == []
        with pytest.raises(StorageApiError, match="row-level security"):
            desk.upload(f"{folder}/private.png", b"\x89PNG changed", _png("true"))
    assert marketing.download(f"{folder}/private.png") == PNG


def test_a_folder_is_listed_level_by_level(gateway: RunningGateway, folder: str) -> None:
    desk = gateway.as_person("marketing").storage.from_("desk")
    for name in ("a.png", "b.png", "Cc.png", "deep/x.png", "deep/er/y.png", "100%_z.png".replace("%", "")):
        desk.upload(f"{folder}/tree/{name}", PNG, _png())
    entries = desk.list(f"{folder}/tree")
    assert [entry["name"] for entry in entries] == ["100_z.png", "Cc.png", "a.png", "b.png", "deep"]
    assert entries[-1]["id"] is None
    assert entries[0]["metadata"]["mimetype"] == "image/png"
    names = [entry["name"] for entry in desk.list(f"{folder}/tree", {"limit": 2, "offset": 1})]
    assert names == ["Cc.png", "a.png"]
    assert [entry["name"] for entry in desk.list(f"{folder}/tree", {"search": "c"})] == ["Cc.png"]
    assert [entry["name"] for entry in desk.list(f"{folder}/tree/deep/")] == ["er", "x.png"]
    newest = desk.list(f"{folder}/tree", {"sortBy": {"column": "created_at", "order": "desc"}, "limit": 2})
    assert "100_z.png" in {entry["name"] for entry in newest}
    assert desk.list("nowhere") == []


def test_removed_moved_and_copied_objects_are_where_they_should_be(gateway: RunningGateway, folder: str) -> None:
    desk = gateway.as_person("marketing").storage.from_("desk")
    desk.upload(f"{folder}/work/one.png", PNG, _png())
    desk.copy(f"{folder}/work/one.png", f"{folder}/work/two.png")
    desk.move(f"{folder}/work/one.png", f"{folder}/work/three.png")
    assert [entry["name"] for entry in desk.list(f"{folder}/work")] == ["three.png", "two.png"]
    assert desk.download(f"{folder}/work/two.png") == desk.download(f"{folder}/work/three.png") == PNG
    removed = desk.remove([f"{folder}/work/two.png", f"{folder}/work/none.png"])
    assert [row["name"] for row in removed] == [f"{folder}/work/two.png"]
    assert desk.download(f"{folder}/work/three.png") == PNG
    with pytest.raises(StorageApiError, match="not found"):
        desk.move(f"{folder}/work/two.png", f"{folder}/work/four.png")
    with pytest.raises(StorageApiError, match="row-level security"):
        desk.move(f"{folder}/work/three.png", "elsewhere/three.png")


def test_public_urls_open_for_everybody_and_only_there(gateway: RunningGateway, folder: str) -> None:
    gateway.service().storage.from_("wall").upload("press/kit one.png", PNG, _png())
    url = gateway.anonymous().storage.from_("wall").get_public_url("press/kit one.png")
    answer = gateway.http.get(url)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, PNG, "image/png")
    assert answer.headers["cache-control"] == "max-age=3600"
    assert gateway.http.get(url, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert gateway.http.head(url).headers["content-length"] == str(len(PNG))
    assert "attachment" in gateway.http.get(url + "?download=kit.png").headers["content-disposition"]
    gateway.as_person("marketing").storage.from_("desk").upload(f"{folder}/p.png", PNG, _png())
    assert (
        gateway.http.get(gateway.anonymous().storage.from_("desk").get_public_url(f"{folder}/p.png")).status_code == 404
    )
    assert gateway.http.get(f"{gateway.url}/storage/v1/object/public/wall/none.png").json()["error"] == "not_found"


def test_signed_urls_open_one_object_for_a_time(gateway: RunningGateway, folder: str) -> None:
    desk = gateway.as_person("marketing").storage.from_("desk")
    for name in ("signed.png", "other.png"):
        desk.upload(f"{folder}/{name}", PNG, _png())
    url = desk.create_signed_url(f"{folder}/signed.png", 60)["signedURL"]
    assert url is not None
    assert gateway.http.get(url).content == PNG
    assert gateway.http.get(url.replace("signed.png", "other.png")).status_code == 400
    assert gateway.http.get(url[:-8]).status_code == 400
    assert gateway.http.get(urlsplit(url)._replace(query="").geturl()).status_code == 400
    access_token = gateway.token("marketing")
    assert gateway.http.get(urlsplit(url)._replace(query=f"token={access_token}").geturl()).status_code == 400
    both = desk.create_signed_urls([f"{folder}/signed.png", f"{folder}/none.png"], 60)
    assert [bool(entry["error"]) for entry in both] == [False, True]
    with pytest.raises(StorageApiError, match="expiresIn"):
        desk.create_signed_url(f"{folder}/signed.png", 0)


def test_signed_url_ends(gateway: RunningGateway) -> None:
    gateway.service().storage.from_("wall").upload("short.png", PNG, _png())
    tokens = Tokens(gateway.keys, f"{gateway.url}/auth/v1")
    past = tokens.sign_object(purpose="storage:read", object_path="wall/short.png", expires_in_s=-60)
    answer = gateway.http.get(f"{gateway.url}/storage/v1/object/sign/wall/short.png?token={past}")
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidJWT")


def test_size_and_type_limits_of_the_bucket_hold(gateway: RunningGateway, folder: str) -> None:
    desk = gateway.as_person("marketing").storage.from_("desk")
    for size in (1024 * 1024 + 1, 3 * 1024 * 1024):
        with pytest.raises(StorageApiError, match="maximum allowed size") as refused:
            desk.upload(f"{folder}/large.png", b"\0" * size, _png())
        assert refused.value.status == "413"
    desk.upload(f"{folder}/full.png", b"\0" * (1024 * 1024), _png())
    for mime_type in ("application/pdf", "application/x-msdownload", "image", "image/", ""):
        answer = gateway.http.post(
            f"{gateway.url}/storage/v1/object/desk/{folder}/typed",
            headers=gateway.headers(gateway.token("marketing")),
            files={"file": ("typed", b"content", mime_type)},
        )
        assert (answer.status_code, answer.json()["error"]) == (415, "invalid_mime_type"), mime_type
    assert not desk.exists(f"{folder}/large.png")
    assert not desk.exists(f"{folder}/typed")


def test_body_without_a_length_is_limited_too(gateway: RunningGateway) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(60):
            yield b"\0" * 1024 * 1024

    answer = gateway.http.post(
        f"{gateway.url}/storage/v1/object/wall/endless.bin",
        headers=gateway.headers(gateway.keys.service_key),
        content=endless(),
        timeout=30,
    )
    assert (answer.status_code, answer.json()["statusCode"]) == (413, "413")


@pytest.mark.parametrize(
    "name",
    [
        "../escape.txt",
        "a/../../escape.txt",
        "a/./b.txt",
        "%2e%2e/escape.txt",
        "a/%2e%2e%2fescape.txt",
        "/absolute.txt",
        "//absolute.txt",
        "a//b.txt",
        "a/",
        "null%00byte.txt",
        "back%5Cslash.txt",
        "colon%3Cscript%3E.txt",
        "acento-%C3%A7.txt",
        "%FF%FE.txt",
        "x" * 1100,
        ".",
        "..",
    ],
)
def test_hostile_names_are_refused(gateway: RunningGateway, name: str) -> None:
    before = sorted(gateway.state_dir.rglob("*"))
    status, body = _raw_upload(gateway, f"/storage/v1/object/wall/{name}")
    assert status == 400, body
    assert json.loads(body)["error"] == "InvalidKey"
    assert [path for path in sorted(gateway.state_dir.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


def _raw_upload(gateway: RunningGateway, path: str) -> tuple[int, bytes]:
    """With the path as it is: HTTP clients tidy it up."""
    where = urlsplit(gateway.url)
    with socket.create_connection((where.hostname, where.port or 80), 20) as connection:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {gateway.keys.service_key}\r\n"
            "content-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
        )
        connection.sendall(head.encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head_, _, body = answer.partition(b"\r\n\r\n")
    return int(head_.split()[1]), body


def test_long_and_odd_but_legal_names_work(gateway: RunningGateway) -> None:
    wall = gateway.service().storage.from_("wall")
    for name in ("d/" * 400 + "deep.png", "x" * 1000 + ".png", "a b (1) [no]".replace("[no]", "&=+,;@$!'*.png")):
        wall.upload(name, PNG, _png())
        assert wall.download(name) == PNG


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [("page.html", "text/html"), ("drawing.svg", "image/svg+xml"), ("page.xhtml", "application/xhtml+xml")],
)
def test_uploaded_pages_cannot_run_scripts(gateway: RunningGateway, name: str, mime_type: str) -> None:
    wall = gateway.service().storage.from_("wall")
    wall.upload(name, b"<script>alert(1)</script>", {"content-type": mime_type})
    answer = gateway.http.get(wall.get_public_url(name))
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_download_name_cannot_smuggle_headers(gateway: RunningGateway) -> None:
    gateway.service().storage.from_("wall").upload("plain.png", PNG, _png("true"))
    answer = gateway.http.get(
        f"{gateway.url}/storage/v1/object/public/wall/plain.png", params={"download": 'a"\r\nset-cookie: x=ç'}
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


def test_buckets_are_the_services_business(gateway: RunningGateway) -> None:
    service = gateway.service().storage
    service.create_bucket("fresh", options={"public": True, "file_size_limit": 10, "allowed_mime_types": ["image/png"]})
    bucket = service.get_bucket("fresh")
    assert (bucket.public, bucket.file_size_limit, bucket.allowed_mime_types) == (True, 10, ["image/png"])
    assert {"desk", "wall", "fresh"} <= {bucket.id for bucket in service.list_buckets()}
    with pytest.raises(StorageApiError, match="already exists"):
        service.create_bucket("fresh")
    with pytest.raises(StorageApiError, match="maximum allowed size"):
        service.from_("fresh").upload("big.png", PNG, _png())
    with pytest.raises(StorageApiError, match="Bucket not found"):
        service.get_bucket("missing")
    with pytest.raises(StorageApiError, match="Bucket not found"):
        service.from_("missing").upload("x.png", PNG, _png())
    marketing = gateway.as_person("marketing").storage
    assert marketing.list_buckets() == []
    with pytest.raises(StorageApiError, match="row-level security"):
        marketing.create_bucket("mine")
    for name in ("", "..", "a/b", "ç", "x" * 101, " a"):
        with pytest.raises(StorageApiError):
            service.create_bucket(name)


def test_broken_requests_get_clear_answers(gateway: RunningGateway) -> None:
    headers = gateway.headers(gateway.keys.service_key)
    url = f"{gateway.url}/storage/v1"
    for answer in (
        gateway.http.post(f"{url}/object/list/wall", headers=headers, content="{"),
        gateway.http.post(f"{url}/object/list/wall", headers=headers, json=[]),
        gateway.http.post(f"{url}/object/list/wall", headers=headers, json={"prefix": "a\0b"}),
        gateway.http.post(f"{url}/object/list/wall", headers=headers, json={"prefix": "", "limit": 10**9}),
        gateway.http.post(
            f"{url}/object/list/wall", headers=headers, json={"sortBy": {"column": "owner; drop table x"}}
        ),
        gateway.http.request("DELETE", f"{url}/object/wall", headers=headers, json={"prefixes": "all"}),
        gateway.http.post(f"{url}/object/wall/f.txt", headers=headers, files={"not_a_file": (None, "x")}),
        gateway.http.post(f"{url}/object/wall/f.txt", headers=headers | {"x-metadata": "%%"}, content=b"x"),
        gateway.http.post(f"{url}/object/sign/wall/f.txt", headers=headers, json={"expiresIn": "soon"}),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.json().keys() == {"statusCode", "error", "message"}


def test_readers_always_see_a_whole_version(gateway: RunningGateway) -> None:
    """While one object is written over and over, each read is one of the versions."""
    url = f"{gateway.url}/storage/v1/object/public/wall/busy.txt"
    _upload_plainly(gateway, "wall/busy.txt", b"0" * 100_000)
    deadline = time.monotonic() + 1.0
    with ThreadPoolExecutor(2) as threads:

        def write() -> None:
            for n in range(1, 10):
                _upload_plainly(gateway, "wall/busy.txt", str(n).encode() * 100_000)

        writing = threads.submit(write)
        while not writing.done() or time.monotonic() > deadline:
            content = gateway.http.get(url).content
            assert len(content) == 100_000
            assert len(set(content)) == 1
            if writing.done():
                break
        writing.result()

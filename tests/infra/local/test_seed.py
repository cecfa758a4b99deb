"""What somebody finds who has just started the stack for the first time."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from infra.local.seed import User, seed
from infra.local.seed.catalog import read_catalog
from infra.local.seed.draw import ASSETS, ILLUSTRATIONS, LOGOS, draw
from tests.conftest import TestDatabases
from tests.infra.local.gateway.process import RunningGateway, fresh_gateway


@pytest.fixture(scope="module")
def gateway(databases: TestDatabases) -> Iterator[RunningGateway]:
    """A gateway on a database that nobody has filled yet."""
    with fresh_gateway(databases) as gateway:
        yield gateway


@pytest.fixture(scope="module")
async def people(gateway: RunningGateway) -> dict[str, User]:
    users = await seed(gateway.database_url, gateway.url, gateway.state_dir)
    return {user.role: user for user in users}


def test_three_people_can_sign_in_with_their_passwords(gateway: RunningGateway, people: dict[str, User]) -> None:
    assert people.keys() == {"admin", "marketing", "sales"}
    assert len({user.password for user in people.values()}) == 3
    for role, user in people.items():
        client = gateway.anonymous()
        answer = client.auth.sign_in_with_password({"email": user.email, "password": user.password})
        assert answer.user is not None
        assert (answer.user.id, answer.user.app_metadata["role"]) == (user.id, role)


def test_only_the_administrator_is_one(gateway: RunningGateway, people: dict[str, User]) -> None:
    assert gateway.execute("select user_id::text from public.admin_users") == [(people["admin"].id,)]


def test_passwords_are_kept_for_their_owner_alone(gateway: RunningGateway, people: dict[str, User]) -> None:
    path = gateway.state_dir / "users.json"
    assert path.stat().st_mode & 0o077 == 0
    kept = json.loads(path.read_text())
    assert [User(**user) for user in kept] == list(people.values())


def test_every_picture_of_the_catalogue_is_a_png_that_anybody_may_see(
    gateway: RunningGateway, people: dict[str, User]
) -> None:
    urls = [url for (url,) in gateway.execute("select url from public.company_assets")]
    urls += [url for (url,) in gateway.execute("select image_url from public.products where image_url is not null")]
    assert len(set(urls)) == 15
    for url in set(urls):
        answer = gateway.http.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
        assert len(answer.content) < 100 * 1024


def test_catalogue_is_there_for_visitors_to_read(gateway: RunningGateway, people: dict[str, User]) -> None:
    visitor = gateway.anonymous()
    rows = visitor.table("product_catalog").select("name,category,description").execute().data
    assert len(rows) == len(read_catalog()["products"])
    categories = {row["category"] for row in rows}  # type: ignore[index,call-overload]
    assert {"Coluna", "Trauma", "Crânio", "Odontologia", "Veterinária", "Instrumentos cirúrgicos"} <= categories


async def test_a_second_run_changes_nothing(gateway: RunningGateway, people: dict[str, User]) -> None:
    tables = ("auth.users", "public.products", "public.product_catalog", "public.company_assets", "storage.objects")
    before = [gateway.execute(f"select count(*) from {table}") for table in tables]
    gateway.execute("update public.products set name = 'Renomeado' where category = 'Coluna'")
    again = await seed(gateway.database_url, gateway.url, gateway.state_dir)
    assert {user.role: user for user in again} == people
    assert [gateway.execute(f"select count(*) from {table}") for table in tables] == before
    assert gateway.execute("select name from public.products where category = 'Coluna'") == [("Renomeado",)]


def test_every_picture_is_listed_and_every_listed_picture_is_there() -> None:
    listed = {Path(asset["file"]).stem for asset in read_catalog()["assets"]}
    assert listed == {*LOGOS, *ILLUSTRATIONS} == {path.stem for path in ASSETS.glob("*.png")}


@pytest.mark.parametrize("name", ["logo-lm", "torno-suico"])
def test_stored_pictures_are_what_the_code_draws(name: str) -> None:
    stored = Image.open(ASSETS / f"{name}.png").convert("RGB").resize((400, 300))
    drawn = draw(name).convert("RGB").resize((400, 300))
    # 256 colours, or another version of Pillow, differ a little everywhere; another drawing differs a lot somewhere.
    difference = ImageStat.Stat(ImageChops.difference(stored, drawn))
    assert max(difference.mean) < 3
    assert max(high for _, high in difference.extrema) < 60

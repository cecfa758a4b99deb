from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from shared.engine.catalog import CATALOG_FILE, Catalog, load_catalog


def catalog_with(**changes: Any) -> dict[str, Any]:
    kinds = yaml.safe_load(CATALOG_FILE.read_text())["kinds"]
    kinds["echo"] |= changes
    return {"kinds": kinds}


def test_the_catalogue_is_sound_and_every_enabled_kind_has_a_service() -> None:
    catalog = load_catalog()
    folders = {path.parent.name for path in Path("services").glob("*/__init__.py")}
    assert {kind.service for kind in catalog.kinds.values() if kind.enabled} <= folders


def test_the_front_ends_names_lead_to_kinds() -> None:
    aliases = load_catalog().aliases
    names = ("blog_generate", "blog_generation", "carousel_generate", "generate_linkedin_carousel", "research", "blog")
    assert [aliases[name] for name in names] == ["blog", "blog", "carousel", "carousel", "deep_research", "blog"]


def test_a_service_takes_as_many_jobs_as_its_widest_kind() -> None:
    blog = load_catalog().services["blog"]
    assert (set(blog.kinds), blog.concurrency) == ({"blog", "deep_research"}, 4)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"aliases": ["blog_generate"]}, "names both"),
        ({"aliases": ["blog"]}, "names both"),
        ({"aliases": ["Echo!"]}, "pattern"),
        ({"lease_s": 0}, "lease_s"),
        ({"concurrency": 0}, "concurrency"),
        ({"retry_cap_s": 0.5}, "retry_cap_s"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_catalogue_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Catalog.model_validate(catalog_with(**changes))

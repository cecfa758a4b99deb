"""The README tells the truth about the repository."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = [path.parent.name for path in sorted(ROOT.glob("services/*/app.py"))]
README = (ROOT / "README.md").read_text()


def test_every_file_on_the_way_of_a_job_exists():
    way = README.split("## The life of a job", 1)[1].split("\n## ", 1)[0]
    listed = re.findall(r"^\d+\. `([^`]+)`", way, re.MULTILINE)
    assert len(listed) >= 10
    assert [name for name in listed if not (ROOT / name).is_file()] == []


def test_every_path_that_is_named_exists():
    named = {
        name
        for name in re.findall(r"`((?:shared|services|supabase|infra|tests|bench)/[^`<]*)`", README)
        if not (ROOT / name).exists()
    }
    assert named == set()


def test_every_make_target_that_is_named_exists():
    targets = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in re.findall(r"make ([a-z]+)\b", README):
        if target not in {"and", "no"}:
            assert f"make {target}" in targets


@pytest.mark.parametrize("extra", [*SERVICES, "local", "dev"])
def test_every_service_and_the_stack_have_an_extra(extra: str):

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extra in project["optional-dependencies"]

"""Rules of this repository that no ready-made linter knows; run by `make check`."""

import argparse
import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "common.py"}
DIGEST = re.compile(r"^# dependencies of pyproject\.toml: (\w+)$", re.MULTILINE)
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [path for name in listed.splitlines() if (path := ROOT / name).is_file()]


def dependency_digest() -> str:
    """A digest of what pyproject.toml asks for: the part that the lock has to follow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [project["requires-python"], project["dependencies"], sorted(project["optional-dependencies"].items())]
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def stamp_lock() -> None:
    """Writes into the lock which pyproject.toml it belongs to."""
    lock = ROOT / "requirements.lock"
    body = DIGEST.sub("", lock.read_text()).lstrip("\n")
    lock.write_text(f"# dependencies of pyproject.toml: {dependency_digest()}\n{body}")


def module_sizes() -> Iterator[str]:
    """Modules and migrations stay small enough to read, and are named for what they do."""
    for path in _tracked("*.py", "*.sql"):
        lines = len(path.read_text().splitlines())
        if lines > MAX_LINES:
            yield f"{path.relative_to(ROOT)}: {lines} lines; the limit is {MAX_LINES}. Split it by what it does."
        if path.name in FORBIDDEN_NAMES:
            yield f"{path.relative_to(ROOT)}: the name says nothing. Name it for what is in it."


def lock_in_step() -> Iterator[str]:
    """The lock belongs to this pyproject.toml, pins with hashes, and names no address."""
    text = (ROOT / "requirements.lock").read_text()
    stamp = DIGEST.search(text)
    if stamp is None or stamp[1] != dependency_digest():
        yield "requirements.lock: not in step with pyproject.toml. Run `make lock`."
    if re.search(r"https?://|^\s*--(?:extra-)?index-url|^\s*--find-links|\s@\s", text, re.MULTILINE):
        yield "requirements.lock: names an address. Pins and hashes only."
    pins = {canonicalize_name(name): version for name, version in PIN.findall(text)}
    blocks = re.split(r"\n(?=\S)", text)
    unhashed = [block.split()[0] for block in blocks if PIN.match(block) and "--hash=" not in block]
    yield from (f"requirements.lock: no hash for {pin}." for pin in unhashed)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (Requirement(line) for group in groups for line in group):
        version = pins.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"requirements.lock: pins {requirement.name} to {version}, not {requirement.specifier}."


def no_registry_addresses() -> Iterator[str]:
    """No file names a package registry's host."""
    hosts = re.compile("|".join(("pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", r"deb\." + "debian")))
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if hosts.search(text):
            yield f"{path.relative_to(ROOT)}: names a package registry's address."


def main() -> int:
    """Prints every broken rule; the exit code tells whether there was one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stamp-lock", action="store_true", help="mark requirements.lock as made from pyproject.toml")
    if parser.parse_args().stamp_lock:
        stamp_lock()
        return 0
    broken = [finding for rule in (module_sizes, lock_in_step, no_registry_addresses) for finding in rule()]
    print("\n".join(broken) or "sizes, names, lock and addresses: fine")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""Which services the stack can run."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from infra.local.errors import UnknownServiceError

ROOT = Path(__file__).parents[2]
DISPATCHER = "dispatcher"


def discover(root: Path = ROOT) -> list[str]:
    """Folders under `services/` that can be started: the dispatcher, and those that the catalogue sends jobs to."""
    catalog = yaml.safe_load((root / "shared" / "catalog.yaml").read_text())
    named = dict.fromkeys([DISPATCHER, *(kind["service"] for kind in catalog["kinds"].values())])
    return [name for name in named if (root / "services" / name / "app.py").is_file()]


def choose(wanted: Sequence[str] | None, available: Sequence[str]) -> list[str]:
    """The available services, or only the wanted ones of them. Raises UnknownServiceError."""
    if wanted is None:
        return list(available)
    unknown = sorted(set(wanted) - set(available))
    if unknown:
        raise UnknownServiceError(f"no such service: {', '.join(unknown)}; there are: {', '.join(available)}")
    return [name for name in available if name in wanted]

"""Every job type, typed and checked: `shared/catalog.yaml` as Python values."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

CATALOG_FILE = Path(__file__).parents[1] / "catalog.yaml"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class JobKind(BaseModel):
    """One job type. The comments in `catalog.yaml` say what each field means; times are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    service: Name
    aliases: tuple[Name, ...] = ()
    enabled: bool
    lease_s: float = Field(ge=3)
    max_attempts: PositiveInt
    retry_base_s: float = Field(ge=0)
    retry_cap_s: float = Field(ge=0)
    concurrency: PositiveInt
    daily_quota: int | None = Field(ge=0)
    notify_after_s: float | None = Field(ge=0)
    stages: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """A worker service: the kinds it works off, and how many jobs one instance takes at a time."""

    name: str
    kinds: tuple[str, ...]
    concurrency: int


class Catalog(BaseModel):
    """All kinds by canonical name. Names and aliases are unique together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: Mapping[Name, JobKind]

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        owner = {name: name for name in self.kinds}
        for name, kind in self.kinds.items():
            for alias in kind.aliases:
                if alias in owner:
                    raise ValueError(f'"{alias}" names both {owner[alias]} and {name}')
                owner[alias] = name
            if kind.retry_cap_s < kind.retry_base_s:
                raise ValueError(f"{name}: retry_cap_s is below retry_base_s")
        return self

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Canonical name by every name that a job type may be asked for with."""
        return {name: name for name in self.kinds} | {
            alias: name for name, kind in self.kinds.items() for alias in kind.aliases
        }

    @cached_property
    def services(self) -> Mapping[str, Service]:
        """Services by name.

        An instance has one capacity for all of its kinds, since they share its memory: the largest `concurrency`
        among them. The worker refuses more, and deliveries never exceed it.
        """
        members: defaultdict[str, list[str]] = defaultdict(list)
        for name, kind in self.kinds.items():
            members[kind.service].append(name)
        return {
            service: Service(service, tuple(names), max(self.kinds[name].concurrency for name in names))
            for service, names in members.items()
        }


def load_catalog(path: Path = CATALOG_FILE) -> Catalog:
    """Reads the catalogue. Raises `pydantic.ValidationError` that names the field when the file is wrong."""
    return Catalog.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))

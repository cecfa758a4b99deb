"""The company's facts, voice, colours and limits, read from `brand.yaml` and checked."""

import re
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Language = Literal["pt-BR", "en"]
Persona = Literal["company", "technical_expert", "salesperson"]
ClaimKind = Literal["clinical", "efficacy", "certificate"]

_BRAND_FILE = Path(__file__).with_name("brand.yaml")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Localised(_Frozen):
    """One text in both languages."""

    pt_br: str = Field(alias="pt-BR")
    en: str

    def for_language(self, language: Language) -> str:
        """The text in `language`."""
        return self.pt_br if language == "pt-BR" else self.en


class LocalisedWords(_Frozen):
    """Words in both languages."""

    pt_br: list[str] = Field(alias="pt-BR")
    en: list[str]

    def for_language(self, language: Language) -> list[str]:
        """The words in `language`."""
        return self.pt_br if language == "pt-BR" else self.en


class PersonaVoice(_Frozen):
    """How one kind of author speaks, signs and looks."""

    leads: str
    author: Localised
    voice: str


class BrandFact(_Frozen):
    """One fact about the company. `about`: topics, in both languages, by which it is found."""

    id: str = Field(pattern=r"^C\d+$")
    about: list[str]
    pt_br: str = Field(alias="pt-BR")
    en: str

    def text(self, language: Language) -> str:
        """The fact as a sentence in `language`."""
        return self.pt_br if language == "pt-BR" else self.en


class SiteLink(_Frozen):
    """A page of the site that articles may link to."""

    path: str = Field(pattern=r"^/[a-z0-9/-]*$")
    anchors: LocalisedWords
    sentence: Localised


class Certificates(_Frozen):
    """What the company holds, and the patterns by which a claim to something else is found."""

    held: list[str]
    watched: str
    speakers: str
    verbs: str


class Brand(_Frozen):
    """All of `brand.yaml`."""

    name: str
    essence: Localised
    reference_title: Localised
    colours: dict[str, str]
    fonts: dict[str, str | list[int]]
    photographs: str
    personas: dict[Persona, PersonaVoice]
    facts: list[BrandFact]
    always: list[str]
    site_links: list[SiteLink]
    forbidden_claims: dict[ClaimKind, list[str]]
    certificates: Certificates

    @model_validator(mode="after")
    def _ids_are_unique_and_known(self) -> "Brand":
        ids = [fact.id for fact in self.facts]
        if len(ids) != len(set(ids)):
            raise ValueError("brand.yaml: a fact id is used twice")
        if unknown := set(self.always) - set(ids):
            raise ValueError(f"brand.yaml: `always` names unknown facts {sorted(unknown)}")
        return self

    @cached_property
    def forbidden_patterns(self) -> list[tuple[ClaimKind, re.Pattern[str]]]:
        """The compiled patterns of `forbidden_claims`, with the kind of claim that each finds."""
        return [
            (kind, re.compile(pattern, re.IGNORECASE))
            for kind, patterns in self.forbidden_claims.items()
            for pattern in patterns
        ]


@cache
def load_brand() -> Brand:
    """The brand, read once a process. Raises pydantic's ValidationError when the file is wrong."""
    return Brand.model_validate(yaml.safe_load(_BRAND_FILE.read_text(encoding="utf-8")))

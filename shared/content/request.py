"""What every request for content takes, however it is spelled: the front end's camelCase or snake_case, null or empty.

The front end sends more keys than are used (`style`, `format`); those are let through, not refused.
"""

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.content.brand import Language, Persona
from shared.plain import one_line

_SHORT = 300
_LONG = 2_000
_BRAINSTORMING = 20_000
_MAX_KEYWORDS = 20
_LANGUAGES = {"pt": "pt-BR", "pt-br": "pt-BR", "en": "en", "en-us": "en", "en-gb": "en"}
_PERSONAS = {"company_page": "company", "page": "company", "expert": "technical_expert", "sales": "salesperson"}
_USUAL_READERS = {
    "pt-BR": "Engenheiros, compradores e gestores da qualidade de fabricantes de dispositivos médicos e odontológicos",
    "en": "Engineers, buyers and quality managers at makers of medical and dental devices",
}


def _one_line(value: Any) -> Any:
    return one_line(value) if isinstance(value, str) else value


def _text_or_empty(value: Any) -> Any:
    """Null as empty; a list or an object, as the chat hands over, as its JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[Any]", value)):
        value = "; ".join(cast("list[str]", value))
    elif isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return _one_line(value)


def list_of_words(value: Any) -> Any:
    """A list as it is; "a, b; c" as the front end's text field gives it; null as empty."""
    if value is None:
        return []
    if isinstance(value, str):
        value = value.replace(";", ",").split(",")
    if not isinstance(value, list):
        return value
    cleaned = [_one_line(item) for item in cast("list[Any]", value)]
    return list(dict.fromkeys(item for item in cleaned if item != ""))


def _known_language(value: Any) -> Any:
    if value is None or value == "":
        return "pt-BR"
    return _LANGUAGES.get(value.strip().replace("_", "-").lower(), value) if isinstance(value, str) else value


def word_or(default: str | None) -> Callable[[Any], Any]:
    """Reads "Technical Expert" as "technical_expert", null and empty as `default`."""

    def read(value: Any) -> Any:
        if value is None:
            return default
        if isinstance(value, str):
            return one_line(value).lower().replace(" ", "_").replace("-", "_") or default
        return value

    return read


def _known_persona(value: Any) -> Any:
    word = word_or(None)(value)
    return _PERSONAS.get(word, word) if isinstance(word, str) else word


ShortText = Annotated[str, BeforeValidator(_text_or_empty), Field(max_length=_SHORT)]
LongText = Annotated[str, BeforeValidator(_text_or_empty), Field(max_length=_LONG)]
Topic = Annotated[str, BeforeValidator(_one_line), Field(min_length=3, max_length=_SHORT)]
Keyword = Annotated[str, Field(min_length=1, max_length=80)]
Keywords = Annotated[list[Keyword], BeforeValidator(list_of_words), Field(max_length=_MAX_KEYWORDS)]


class ContentRequest(BaseModel):
    """Base of the payloads of content."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)

    target_audience: ShortText = ""
    pain_point: LongText = ""
    desired_outcome: LongText = ""
    angle: LongText = ""
    keywords: Keywords = []
    brainstorming_context: Annotated[str, BeforeValidator(_text_or_empty), Field(max_length=_BRAINSTORMING)] = ""
    brainstorming_session_id: ShortText = ""
    language: Annotated[Language, BeforeValidator(_known_language)] = "pt-BR"

    @property
    def audience(self) -> str:
        """Who is to read it; the company's usual readers when nobody is named."""
        return self.target_audience or _USUAL_READERS[self.language]

    @property
    def wishes(self) -> str:
        """Angle, problem, outcome and brainstorming in one text, for the search for evidence."""
        return "\n".join(filter(None, [self.angle, self.pain_point, self.desired_outcome, self.brainstorming_context]))


class DraftRequest(ContentRequest):
    """Base of the payloads of kinds that write a draft."""

    research_level: Annotated[Literal["none", "light", "deep"], BeforeValidator(word_or("light"))] = "light"
    persona: Annotated[Persona | None, BeforeValidator(_known_persona)] = None
    profile_type: Annotated[Literal["company", "salesperson"] | None, BeforeValidator(_known_persona)] = None
    cta_action: ShortText = ""
    proof_points: LongText = ""

    @property
    def voice(self) -> Persona:
        """The persona that writes: the one asked for, else the one of the profile, else the company page."""
        return self.persona or self.profile_type or "company"

"""What may be asked for: the payload of the kind `sequence`."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from shared.content.request import DraftRequest, LongText, ShortText, list_of_words
from shared.engine.catalog import load_catalog

CONTENT_KINDS = ("blog", "carousel", "instagram")

_FEWEST_CHARS = 3

Kinds = Annotated[list[str], BeforeValidator(list_of_words)]


def _aware(value: datetime) -> datetime:
    """A time without a zone is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


class SequenceRequest(DraftRequest):
    """What the series is about (at least one of `topic`, `goal` and `brief`), how many posts, of which kinds and when.

    All that a post takes as well (audience, voice, language, research level …) holds for each of them. `start_at` is
    when the first is written, `every_days` the days from one to the next. `in_order`: none is written before the one
    before it is finished.
    """

    topic: ShortText = ""
    goal: LongText = ""
    brief: LongText = ""
    tone: ShortText = ""
    count: int = Field(default=3, ge=1, le=10)
    kinds: Kinds = Field(default=["blog"], max_length=len(CONTENT_KINDS))
    start_at: datetime | None = None
    every_days: float = Field(default=0, ge=0, le=90)
    in_order: bool = False

    @field_validator("kinds")
    @classmethod
    def _kinds_can_be_made(cls, kinds: list[str]) -> list[str]:
        """Canonical names, each once."""
        catalog = load_catalog()
        possible = [name for name in CONTENT_KINDS if catalog.kinds[name].enabled]
        chosen = list(dict.fromkeys(catalog.aliases.get(kind.lower(), kind) for kind in kinds)) or ["blog"]
        if wrong := [kind for kind in chosen if kind not in possible]:
            raise ValueError(f"a sequence cannot be made of {', '.join(wrong)}; possible: {', '.join(possible)}")
        return chosen

    @field_validator("count", "every_days", "in_order", mode="before")
    @classmethod
    def _null_is_left_out(cls, value: Any, info: Any) -> Any:
        return cls.model_fields[info.field_name].default if value is None else value

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if len(self.subject) < _FEWEST_CHARS:
            raise ValueError("say what the series is about: topic, goal or brief")
        return self

    @property
    def subject(self) -> str:
        """What the series is about, in one text."""
        return "\n".join(filter(None, [self.topic, self.goal, self.brief]))

    @property
    def first_at(self) -> datetime | None:
        """When the first post is due; None: at once."""
        return _aware(self.start_at) if self.start_at else None

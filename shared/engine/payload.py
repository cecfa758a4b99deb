"""Payloads of jobs: strict models in, errors that a person can act on out."""

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared.engine.errors import InvalidPayload


class Payload(BaseModel):
    """Base of a kind's payload: camelCase and snake_case keys, nothing unknown, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)


P = TypeVar("P", bound=BaseModel)


def parse_payload(model: type[P], payload: Mapping[str, Any]) -> P:
    """The payload as `model`. Raises `InvalidPayload` naming each wrong field and its rule."""
    try:
        return model.model_validate_json(orjson.dumps(payload))  # JSON mode: a list fills a tuple, a string a date
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'payload'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise InvalidPayload("The request is not valid. " + "; ".join(problems) + ".") from None

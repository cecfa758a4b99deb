"""A pipeline's state as readable JSON, and back.

JSON values stay as they are and tuples become lists. Pydantic models of this product keep their type, so that a
resumed pipeline finds what it left: `{"$model": "services.blog.state:Outline", …the fields…}`. LangGraph's `Send` is
kept as well. Anything else is refused with its place in the state, rather than saved as something nobody can read.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, ValidationError

_MODEL = "$model"
_SEND = "$send"
_INTERRUPT = "$interrupt"
_TAGS = frozenset({_MODEL, _SEND, _INTERRUPT})
_OUR_PACKAGES = ("services.", "shared.")


class StateNotSaveable(TypeError):
    """The pipeline's state holds something that has no readable JSON; the message says where and what to do."""


class StateNotReadable(ValueError):
    """The saved state names a model that is gone or has changed since."""


def encode(value: Any, place: str) -> Any:  # noqa: PLR0911  one case a type
    """`value` as JSON. `place` names it in errors, such as `state.evidence`. Raises `StateNotSaveable`."""
    match value:
        case None | bool() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise StateNotSaveable(f"{place} is {value}, which JSON does not have.")
            return value
        case str():
            return _encode_text(value, place)
        case BaseModel():
            return _encode_model(value, place)
        case Send():
            return {_SEND: value.node, "arg": encode(value.arg, f"{place}.arg")}
        case Interrupt():
            return {_INTERRUPT: value.id, "value": encode(value.value, f"{place}.value")}
        case Mapping():
            return _encode_mapping(cast("Mapping[Any, Any]", value), place)
        case list() | tuple():
            items = cast("Sequence[Any]", value)
            return [encode(item, f"{place}[{index}]") for index, item in enumerate(items)]
        case _:
            raise StateNotSaveable(
                f"{place} is a {type(value).__name__}, which has no readable JSON. Keep it in a pydantic model under"
                " services/ or shared/, store its JSON form, or leave it out of the state."
            )


def decode(value: Any) -> Any:
    """What `encode` was given. Raises `StateNotReadable` when a model does not exist or fit any more."""
    if isinstance(value, list):
        return [decode(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    mapping = cast("dict[str, Any]", value)
    if _MODEL in mapping:
        return _decode_model(mapping)
    if _SEND in mapping:
        return Send(mapping[_SEND], decode(mapping["arg"]))
    if _INTERRUPT in mapping:
        return Interrupt(decode(mapping["value"]), id=mapping[_INTERRUPT])
    return {key: decode(item) for key, item in mapping.items()}


def _encode_text(text: str, place: str) -> str:
    if "\x00" in text or not _is_unicode(text):
        raise StateNotSaveable(f"{place} holds a NUL or half a surrogate pair, which Postgres refuses. Clean it first.")
    return str(text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode_mapping(mapping: Mapping[Any, Any], place: str) -> dict[str, Any]:
    for key in mapping:
        if not isinstance(key, str) or key in _TAGS:
            raise StateNotSaveable(f"{place} has the key {key!r}; keys are texts, other than {sorted(_TAGS)}.")
    return {key: encode(item, f"{place}.{key}") for key, item in mapping.items()}


def _encode_model(model: BaseModel, place: str) -> dict[str, Any]:
    cls = type(model)
    if not cls.__module__.startswith(_OUR_PACKAGES) or "<locals>" in cls.__qualname__:
        raise StateNotSaveable(
            f"{place} is a {cls.__module__}.{cls.__qualname__}. Only pydantic models defined at the top of a module"
            " under services/ or shared/ are kept; turn it into one of them or into plain values."
        )
    # Through encode() once more: a field may hold what Postgres refuses.
    fields = encode(model.model_dump(mode="json"), place)
    return {_MODEL: f"{cls.__module__}:{cls.__qualname__}", **fields}


def _decode_model(saved: dict[str, Any]) -> BaseModel:
    module, _, name = str(saved[_MODEL]).partition(":")
    fields = {key: item for key, item in saved.items() if key != _MODEL}
    if not module.startswith(_OUR_PACKAGES):
        raise StateNotReadable(f"{module} is not one of ours")
    try:
        cls: Any = importlib.import_module(module)
        for part in name.split("."):
            cls = getattr(cls, part)
        if not (isinstance(cls, type) and issubclass(cls, BaseModel)):
            raise StateNotReadable(f"{module}:{name} is not a pydantic model")
        return cls.model_validate_json(orjson.dumps(fields))
    except (ImportError, AttributeError, ValidationError) as error:
        raise StateNotReadable(f"{module}:{name}: {error}") from error

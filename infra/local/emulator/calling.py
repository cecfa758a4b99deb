"""Function calls: which declared function to call, with which arguments."""

import json
import uuid
from typing import Any

from infra.local.emulator.google_errors import GoogleError
from infra.local.emulator.language import overlap
from infra.local.emulator.wire import FunctionDeclaration, GenerateRequest
from infra.local.emulator.writing.compose import compose_json

_DESCRIBED = 0.5
_THOUGHT_SIGNATURE = "ZW11bGF0b3I="  # "emulator": real ones are opaque and must be sent back as they are

Json = dict[str, Any]


def function_call(request: GenerateRequest) -> Json | None:
    """The part that asks for a call, or None when the model answers itself.

    A call is made when the mode is ANY, or when the last turn names a function or says what one does. The answer to a
    function's result is text.
    """
    functions = _allowed(request)
    if not functions or request.function_mode == "NONE":
        return None
    if request.function_responses and request.function_mode != "ANY":
        return None
    chosen = _named(functions, request.last_text)
    if chosen is None and request.function_mode == "ANY":
        chosen = max(functions, key=lambda declared: overlap(request.last_text, _words(declared)))
    if chosen is None:
        return None
    arguments = compose_json(chosen.parameters, request.last_text)
    call = {"name": chosen.name, "args": arguments, "id": uuid.uuid4().hex[:8]}
    return {"functionCall": call, "thoughtSignature": _THOUGHT_SIGNATURE}


def result_text(request: GenerateRequest) -> str:
    """What the functions answered, as text."""
    said: list[str] = []
    for response in request.function_responses:
        payload = response.get("response")
        said.append(f"{response.get('name', '')}: {json.dumps(payload, ensure_ascii=False)}")
    return "\n".join(said)


def _allowed(request: GenerateRequest) -> list[FunctionDeclaration]:
    names = request.allowed_functions
    known = {declared.name for declared in request.functions}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise GoogleError(400, f"allowed_function_names contains a name that is not declared: {unknown[0]}.")
    return [declared for declared in request.functions if not names or declared.name in names]


def _named(functions: list[FunctionDeclaration], text: str) -> FunctionDeclaration | None:
    folded = text.lower()
    for declared in functions:
        if declared.name.lower() in folded or declared.name.replace("_", " ").lower() in folded:
            return declared
    described = [(overlap(declared.description, text), declared) for declared in functions if declared.description]
    best = max(described, key=lambda pair: pair[0], default=None)
    return best[1] if best and best[0] >= _DESCRIBED else None


def _words(declared: FunctionDeclaration) -> str:
    return f"{declared.name.replace('_', ' ')} {declared.description}"

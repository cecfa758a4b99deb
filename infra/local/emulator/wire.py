"""What a request to the Gemini API says, whichever of its two spellings the client used.

The SDK writes most keys in camelCase and some in snake_case; both are read. Nothing here decides an answer.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.local.emulator.google_errors import GoogleError

Json = dict[str, Any]


def field(source: Json, name: str, default: Any = None) -> Any:
    """The value under a camelCase name, or under its snake_case spelling."""
    if name in source:
        return source[name]
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return source.get(snake, default)


@dataclass(frozen=True)
class InlineFile:
    """A file inside a prompt, for example a reference picture."""

    data: bytes
    mime_type: str


@dataclass(frozen=True)
class FunctionDeclaration:
    """A function that the model may ask the caller to call."""

    name: str
    description: str
    parameters: Json


@dataclass(frozen=True)
class GenerateRequest:
    """One `generateContent` or `streamGenerateContent` request."""

    model: str
    body: Json

    @cached_property
    def contents(self) -> list[Json]:
        """The turns of the conversation; a single content stands for a list of one."""
        contents = field(self.body, "contents", [])
        contents = [contents] if isinstance(contents, dict) else contents
        if not isinstance(contents, list) or not contents or not all(isinstance(turn, dict) for turn in contents):
            raise GoogleError(400, "* GenerateContentRequest.contents: contents is not specified")
        if not any(field(turn, "parts") for turn in contents):
            raise GoogleError(400, "* GenerateContentRequest.contents: contents.parts must not be empty.")
        return contents

    @cached_property
    def config(self) -> Json:
        """`generationConfig`."""
        return field(self.body, "generationConfig") or {}

    @cached_property
    def system_text(self) -> str:
        """The system instruction's text."""
        return "\n".join(_texts(field(self.body, "systemInstruction") or {}))

    @cached_property
    def prompt_text(self) -> str:
        """The text of all turns, in order."""
        return "\n".join(text for turn in self.contents for text in _texts(turn))

    @cached_property
    def last_text(self) -> str:
        """The text of the last turn of the user."""
        turns = [turn for turn in self.contents if turn.get("role", "user") == "user"]
        return "\n".join(_texts(turns[-1] if turns else self.contents[-1]))

    @cached_property
    def files(self) -> list[InlineFile]:
        """Files given inline, in order."""
        found = []
        for part in self._parts():
            inline = field(part, "inlineData")
            if inline:
                found.append(InlineFile(_decoded(inline.get("data", "")), field(inline, "mimeType", "")))
        return found

    @cached_property
    def schema(self) -> Json | None:
        """The schema that the answer must follow, or None when plain text is asked for.

        Raises:
            GoogleError: 400 when a schema is given without the JSON media type, as Gemini does.
        """
        schema = field(self.config, "responseJsonSchema") or field(self.config, "responseSchema")
        wants_json = field(self.config, "responseMimeType") == "application/json"
        if schema and not wants_json:
            raise GoogleError(400, "Response schema is only supported with response_mime_type 'application/json'.")
        if wants_json:
            return schema or {"type": "object"}
        return None

    @cached_property
    def modalities(self) -> set[str]:
        """Upper-case names of the modalities that the answer may have."""
        return {str(name).upper() for name in field(self.config, "responseModalities") or ["TEXT"]}

    @cached_property
    def functions(self) -> list[FunctionDeclaration]:
        """All declared functions."""
        return [
            FunctionDeclaration(
                declared["name"],
                declared.get("description", ""),
                field(declared, "parametersJsonSchema") or declared.get("parameters") or {"type": "object"},
            )
            for tool in self._tools()
            for declared in field(tool, "functionDeclarations") or []
        ]

    @cached_property
    def function_mode(self) -> str:
        """AUTO, ANY or NONE."""
        return str(self._calling().get("mode", "AUTO")).upper()

    @cached_property
    def allowed_functions(self) -> list[str]:
        """Names that may be called; empty for all."""
        return field(self._calling(), "allowedFunctionNames") or []

    @cached_property
    def function_responses(self) -> list[Json]:
        """Results of functions in the last turn."""
        parts = field(self.contents[-1], "parts") or []
        return [response for part in parts if (response := field(part, "functionResponse"))]

    @property
    def wants_search(self) -> bool:
        """True when Google Search is among the tools."""
        names = ("googleSearch", "googleSearchRetrieval", "enterpriseWebSearch")
        return any(field(tool, name) is not None for tool in self._tools() for name in names)

    @property
    def wants_image(self) -> bool:
        """True when the answer may hold a picture."""
        return "IMAGE" in self.modalities

    @property
    def wants_thoughts(self) -> bool:
        """True when thoughts should be shown."""
        return bool(field(self._thinking(), "includeThoughts"))

    @property
    def thinking_budget(self) -> int | None:
        """Most thought tokens; None when the model decides."""
        budget = field(self._thinking(), "thinkingBudget")
        return None if budget is None or int(budget) < 0 else int(budget)

    @property
    def max_output_tokens(self) -> int | None:
        """Most tokens of the answer with its thoughts."""
        return field(self.config, "maxOutputTokens")

    def _parts(self) -> list[Json]:
        return [part for turn in self.contents for part in field(turn, "parts") or []]

    def _tools(self) -> list[Json]:
        return field(self.body, "tools") or []

    def _calling(self) -> Json:
        return field(field(self.body, "toolConfig") or {}, "functionCallingConfig") or {}

    def _thinking(self) -> Json:
        return field(self.config, "thinkingConfig") or {}


def content_text(content: Json | str) -> str:
    """The text of one content, as embeddings and token counts see it."""
    return content if isinstance(content, str) else "\n".join(_texts(content))


def body_digest(path: str, body: bytes) -> str:
    """16 hexadecimal digits that tell whether two requests were the same."""
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()[:16]


def _texts(content: Json) -> list[str]:
    parts = field(content, "parts") or []
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]


def _decoded(data: str) -> bytes:
    padded = data.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except binascii.Error as error:
        raise GoogleError(400, "Provided image is not valid.") from error

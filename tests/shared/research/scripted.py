"""Models that answer from a script, and pages that need no network."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from shared.model.answers import GroundedAnswer, GroundedSource
from shared.model.prompts import RenderedPrompt
from shared.research.fetch import FetchedPage, FetchError

T = TypeVar("T", bound=BaseModel)
Answer = dict[str, Any] | Exception | Callable[[RenderedPrompt], Any]


class ScriptedModels:
    """Answers by the name of the prompt: an object, an error to raise, or a function of the prompt.

    Like the real gateway it replays: the same prompt again gives the same answer and is not counted in `made`.
    """

    def __init__(self, answers: Mapping[str, Answer], found: Mapping[str, list[str]] | None = None) -> None:
        self.answers = dict(answers)
        self.found = found or {}
        self.made: list[str] = []
        self.prompts: list[RenderedPrompt] = []
        self._ledger: dict[tuple[str, str, int], Any] = {}

    async def text(self, prompt: RenderedPrompt, schema: type[T], *, variant: int = 0) -> T:
        return schema.model_validate(self._answer(prompt, variant, self.answers[prompt.name]))

    async def search(self, prompt: RenderedPrompt, *, variant: int = 0) -> GroundedAnswer:
        query = input_of(prompt, "query")
        uris = self.found.get(query, self.found.get("*", []))
        answer = self.answers.get("search", {})
        if isinstance(answer, Exception):
            raise answer
        self._answer(prompt, variant, {})
        sources = [GroundedSource(uri=uri, title="site.test") for uri in uris]
        return GroundedAnswer(text="…", sources=sources, supports=[], queries=[query])

    def _answer(self, prompt: RenderedPrompt, variant: int, answer: Answer) -> Any:
        key = (prompt.name, prompt.text, variant)
        if key not in self._ledger:
            if isinstance(answer, Exception):
                raise answer
            self.prompts.append(prompt)
            self.made.append(prompt.name)
            self._ledger[key] = answer(prompt) if callable(answer) else answer
        return self._ledger[key]


def input_of(prompt: RenderedPrompt, name: str) -> str:
    """What stands in an input of the prompt."""
    return prompt.text.partition(f'<input name="{name}">\n')[2].partition("\n</input>")[0]


class Pages:
    """Web pages by address: text paragraphs, or an error."""

    def __init__(self, pages: Mapping[str, str | FetchError]) -> None:
        self.pages = dict(pages)
        self.fetched: list[str] = []

    async def fetch(self, url: str) -> FetchedPage:
        self.fetched.append(url)
        page = self.pages.get(url, FetchError("status", "answered 404"))
        if isinstance(page, FetchError):
            raise page
        when = datetime(2026, 11, 22, 12, tzinfo=UTC)
        return FetchedPage(url, page.encode(), "text/plain", "utf-8", when)

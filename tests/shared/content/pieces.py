"""Briefs, plans and copies for tests, and a studio whose models answer from a script."""
# ruff: noqa: ARG002  stand-ins take all that the real things take

import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from PIL import Image
from pydantic import BaseModel

from shared.content.brand import Language
from shared.content.brief import Brief
from shared.content.piece import Copy, Plan, Reading, SlideCopy, SlideIntent
from shared.content.platforms.base import roles_of
from shared.content.ports import PictureUnavailable, Size, StudioPorts
from shared.model.answers import GeneratedImage
from shared.model.calls import ReferenceImage
from shared.model.prompts import RenderedPrompt

T = TypeVar("T", bound=BaseModel)
Answer = dict[str, Any] | Exception | Callable[[RenderedPrompt], Any]

WORDS = ["um", "dois", "três", "quatro", "cinco", "seis", "sete"]
HASHTAGS = ["#Implantes", "#Titânio", "#Qualidade"]


def brief(**given: Any) -> Brief:
    return Brief.model_validate({"topic": "Parafusos pediculares de titânio", **given})


def plan(count: int = 5) -> Plan:
    slides = [
        SlideIntent(
            role=role, purpose=f"Saber o passo {word}.", picture=f"a screw, step {word}", asset_query=f"peça {word}"
        )
        for role, word in zip(roles_of(count), WORDS, strict=False)
    ]
    return Plan(hook="Quem compra precisa ver o registro.", narrative="Do pedido à prova.", slides=slides)


def copy(count: int = 5, **changed: Any) -> Copy:
    slides = [
        SlideCopy(
            headline=f"O passo {word}", body="Peça o registro do lote.", alt_text=f"Um parafuso e o passo {word}."
        )
        for word in WORDS[:count]
    ]
    given = {"slides": slides, "caption": "Veja o que conferir. Fale com a engenharia.", "hashtags": HASHTAGS}
    return Copy.model_validate({**given, **changed})


def with_slide(written: Copy, number: int, **changed: str) -> Copy:
    slides = list(written.slides)
    slides[number - 1] = slides[number - 1].model_copy(update=changed)
    return written.model_copy(update={"slides": slides})


def png(size: Size = (928, 1152), colour: str = "navy") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def review(score: int, *changes: tuple[str, str]) -> Callable[[RenderedPrompt], dict[str, Any]]:
    """A review that gives each criterion of the prompt the same score."""

    def answer(prompt: RenderedPrompt) -> dict[str, Any]:
        criteria = [json.loads(line)["criterion"] for line in input_of(prompt, "criteria").splitlines()]
        return {
            "scores": [{"criterion": name, "score": score, "reason": f"{name} is so"} for name in criteria],
            "changes": [{"part": part, "change": change} for part, change in changes],
            "summary": "So it is.",
        }

    return answer


def input_of(prompt: RenderedPrompt, name: str) -> str:
    return prompt.text.partition(f'<input name="{name}">\n')[2].partition("\n</input>")[0]


class ScriptedStudio:
    """Models by the name of the prompt: each answer is one, or a list of which each call takes the next."""

    def __init__(
        self, answers: Mapping[str, Answer | list[Answer]] | None = None, drawn: list[Any] | None = None
    ) -> None:
        self.answers = dict(answers or {})
        self.drawn = drawn or []
        self.prompts: list[RenderedPrompt] = []
        self.pictures_seen: list[int] = []
        self.references: list[Sequence[ReferenceImage]] = []
        self.variants: list[tuple[str, int]] = []

    async def text(
        self, prompt: RenderedPrompt, schema: type[T], *, variant: int = 0, images: Sequence[ReferenceImage] = ()
    ) -> T:
        self.prompts.append(prompt)
        self.variants.append((prompt.name, variant))
        self.pictures_seen.append(len(images))
        answer: Any = self.answers[prompt.name]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return schema.model_validate(answer(prompt) if callable(answer) else answer)

    async def image(
        self,
        prompt: RenderedPrompt,
        *,
        aspect_ratio: str,
        size: str = "1K",
        references: Sequence[ReferenceImage] = (),
        variant: int = 0,
    ) -> GeneratedImage:
        self.prompts.append(prompt)
        self.variants.append((prompt.name, variant))
        self.references.append(references)
        drawn = self.drawn.pop(0) if self.drawn else png()
        if isinstance(drawn, Exception):
            raise drawn
        return GeneratedImage(drawn, "image/png")

    def named(self, name: str) -> list[RenderedPrompt]:
        return [prompt for prompt in self.prompts if prompt.name == name]


@dataclass(frozen=True)
class Hit:
    asset_id: str
    relevance: float
    kind: str = "product"
    title: str = "Parafuso"
    url: str | None = "https://assets.test/parafuso.png"
    source: str = "product_catalog"
    description: str = ""


@dataclass
class Shelf:
    """Assets by the words they are found by, and the pictures behind addresses."""

    hits: dict[str, list[Hit]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def find(
        self, query: str, *, language: Language, kinds: Sequence[str] | None = None, limit: int = 5
    ) -> Sequence[Hit]:
        self.asked.append(query)
        return [hit for hit in self.hits.get(query, []) if kinds is None or hit.kind in kinds][:limit]

    async def load(self, url: str) -> bytes:
        if url not in self.files:
            raise PictureUnavailable("answered 404")
        return self.files[url]

    async def save(self, path: str, data: bytes) -> str:
        url = f"https://files.test/{path}"
        self.files[url] = data
        return url


@dataclass
class Gate:
    """A legibility gate that passes, or fails what the script says, and a typesetter that paints the slide white."""

    verdicts: list[bool] = field(default_factory=list)
    checked: list[list[str]] = field(default_factory=list)
    sizes: list[Size] = field(default_factory=list)
    typeset: int = 0

    async def check(self, image: bytes, slide: SlideCopy, size: Size) -> Reading:
        self.checked.append(slide.on_picture)
        with Image.open(io.BytesIO(image)) as picture:
            self.sizes.append(picture.size)
        passed = self.verdicts.pop(0) if self.verdicts else True
        return Reading(passed=passed, findings=[] if passed else ['"passo" reads "pa550"'])

    async def set(self, image: bytes, slide: SlideCopy, size: Size) -> tuple[bytes, Reading]:
        self.typeset += 1
        return png(size, "white"), Reading(passed=True)


@dataclass
class Log:
    stages: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncIterator[None]:
        self.stages.append(name)
        yield

    async def report(self, words: str, done: int | None, total: int | None) -> None:
        self.said.append(words)


def ports(models: Any, shelf: Shelf | None = None, gate: Gate | None = None, log: Log | None = None) -> StudioPorts:
    shelf, gate, log = shelf or Shelf(), gate or Gate(), log or Log()
    return StudioPorts(
        models=models,
        assets=shelf,
        pictures=shelf,
        legibility=gate,
        typesetter=gate,
        stage=log.stage,
        report=log.report,
        folder="jobs/1",
    )

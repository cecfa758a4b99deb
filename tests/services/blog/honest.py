"""A pipeline's surroundings for tests: models that write plainly and honestly, pages, files, and a place for notes."""

import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from PIL import Image

from services.blog.company import Product
from services.blog.ports import Ports
from shared.model.answers import GeneratedImage
from shared.model.prompts import RenderedPrompt
from shared.research.report import ResearchNotes
from tests.shared.research.scripted import Answer, Pages, ScriptedModels, input_of

JOB_ID = UUID("11111111-2222-3333-4444-555555555555")
FILLER = "A página segue com explicações que ninguém precisa citar, mas que enchem o texto de uma página comum. " * 3


def page(name: str) -> str:
    return (
        f"Guia {name}\n\nO guia {name} diz que o fabricante guarda os registros de cada lote por dois anos.\n\n"
        f"O guia {name} pede que cada processo especial seja validado antes do primeiro lote.\n\n"
        f"O guia {name} manda o comprador conferir o escopo do certificado do fornecedor.\n\n{FILLER}"
    )


PAGES = {f"https://{name}.test/guia": page(name) for name in ("alfa", "beta")}


def records(prompt: RenderedPrompt, name: str) -> list[dict[str, Any]]:
    """The JSON lines of an input."""
    text = input_of(prompt, name)
    return [] if text == "[]" else [json.loads(line) for line in text.splitlines()]


def pick(prompt: RenderedPrompt) -> dict[str, Any]:
    passages = re.findall(r"^\[(\d+)\] (O guia .+)$", input_of(prompt, "passages"), re.MULTILINE)
    quotes = [{"passage": int(number), "quote": text, "statement": text} for number, text in passages]
    return {"is_about_topic": True, "quotes": quotes}


def strategy(prompt: RenderedPrompt) -> dict[str, Any]:
    ids = [item["id"] for item in records(prompt, "evidence") or records(prompt, "company_facts")]
    steps = [("um", ids[::3]), ("dois", ids[1::3]), ("três", ids[2::3])]
    return {
        "angle": "O registro certo encurta a auditoria.",
        "sections": [
            {"heading": f"O que conferir no passo {word}", "purpose": f"Saber o passo {word}.", "evidence_ids": own}
            for word, own in steps
        ],
        "seo_keywords": ["registros de lote", "qualificação de fornecedores", "auditoria", "ISO 13485"],
        "call_to_action": "Fale com a nossa engenharia sobre os registros do seu próximo lote.",
        "banner_scene": "A steel cabinet with neatly kept batch records beside a CNC lathe",
    }


def paragraphs(prompt: RenderedPrompt, words: int) -> list[dict[str, Any]]:
    """About `words` words: each piece of evidence said once, and sentences that state no fact, each its own."""
    facts = [{"text": item["statement"], "evidence_ids": [item["id"]]} for item in records(prompt, "evidence")]
    used = sum(len(fact["text"].split()) for fact in facts)
    place = f"{prompt.name} {input_of(prompt, 'heading')}"
    plain = [
        {"text": f"Quem compra ganha tempo quando pede a prova certa logo em {place} {letter}.", "evidence_ids": []}
        for letter in ascii_lowercase
    ]
    count = (words - used) // len(plain[0]["text"].split())
    return [{"sentences": [*facts, plain[0]]}, *({"sentences": plain[at : at + 4]} for at in range(1, count, 4))]


def verdicts(prompt: RenderedPrompt) -> dict[str, Any]:
    return {
        "verdicts": [
            {"id": item["id"], "supported": True, "forbidden_claim": "none", "reason": "Diz o mesmo."}
            for item in records(prompt, "sentences")
        ]
    }


def review(prompt: RenderedPrompt, score: int = 86) -> dict[str, Any]:
    return {
        "scores": [
            {"criterion": item["criterion"], "score": score, "reason": "“O guia” diz o que promete."}
            for item in records(prompt, "criteria")
        ],
        "changes": [] if score >= 80 else [{"part": "section 2", "change": "Diga o que conferir primeiro."}],
        "summary": "Claro e útil. Olhe o segundo passo.",
    }


HEADLINE = {
    "title": "Registros de lote: o que conferir antes da próxima auditoria",
    "excerpt": "Que registros o fornecedor guarda, por quanto tempo, e como conferir antes que o auditor pergunte.",
    "seo_title": "Registros de lote: o que conferir no fornecedor",
    "seo_description": "Veja que registros de lote o fornecedor de dispositivos médicos guarda, por quanto tempo, e "
    "como conferir cada um deles antes que o auditor pergunte por eles.",
    "tags": ["Registros", "#auditoria"],
}


def _written(words: int) -> Answer:
    return lambda prompt: {"paragraphs": paragraphs(prompt, words)}


def _conclusion(prompt: RenderedPrompt) -> dict[str, Any]:
    [fact, *_] = records(prompt, "company_facts")
    last = {"text": input_of(prompt, "call_to_action"), "evidence_ids": []}
    about = {"text": fact["statement"], "evidence_ids": [fact["id"]]}
    return {
        "heading": "O próximo passo da compra",
        "paragraphs": [*paragraphs(prompt, 90), {"sentences": [about, last]}],
    }


def banner_picture(size: tuple[int, int] = (320, 180)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#004F8F").save(out, "PNG")
    return out.getvalue()


class HonestModels(ScriptedModels):
    """Writes whole articles from what is in the prompts; single answers can be replaced."""

    def __init__(self, **answers: Answer) -> None:
        script: dict[str, Answer] = {
            "plan_queries": {"queries": ["registros de lote"], "questions": ["O que conferir?"]},
            "pick_quotes": pick,
            "reflect": {"is_sufficient": True, "gap": "", "follow_up_queries": []},
            "strategy": strategy,
            "write_introduction": _written(100),
            "write_section": _written(280),
            "write_conclusion": _conclusion,
            "adjust_length": _written(280),
            "write_headline": HEADLINE,
            "verify_sentences": verdicts,
            "rewrite_sentences": {"sentences": []},
            "review": review,
            "banner": {"data": banner_picture()},
            "search": {},
        }
        super().__init__({**script, **answers}, {"*": list(PAGES)})

    async def image(self, prompt: RenderedPrompt, *, variant: int = 0, **_: Any) -> GeneratedImage:
        return GeneratedImage(self._answer(prompt, variant, self.answers["banner"])["data"], "image/png")


class Checkpoint:
    """The part of a job's context that keeps a pipeline's state: everything goes through JSON, as in the database."""

    def __init__(self) -> None:
        self.job = SimpleNamespace(id=JOB_ID)
        self.saved: dict[str, Any] = {}

    async def checkpoint(self, data: dict[str, Any]) -> None:
        self.saved |= json.loads(json.dumps(data))

    save = checkpoint


@dataclass
class Surroundings:
    """Ports that remember what was done with them."""

    models: HonestModels = field(default_factory=HonestModels)
    pages: Pages = field(default_factory=lambda: Pages(PAGES))
    stored: dict[str, bytes] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    kept: ResearchNotes = field(default_factory=ResearchNotes)

    def ports(self) -> Ports:
        return Ports(
            job_id=JOB_ID,
            models=self.models,
            fetcher=self.pages,
            files=self,
            catalogue=self,
            notebook=self,
            stage=self.stage,
            report=self.report,
        )

    async def upload(self, bucket: str, path: str, data: bytes, content_type: str) -> str:
        assert content_type == "image/jpeg"
        self.stored[f"{bucket}/{path}"] = data
        return f"https://files.test/{bucket}/{path}"

    async def products(self) -> list[Product]:
        return [Product(name="Pedicle screw", description="Titanium screw for the spine.", category="spine")]

    def notes(self) -> ResearchNotes:
        return self.kept.model_copy(deep=True)

    async def keep(self, notes: ResearchNotes) -> None:
        self.kept = notes.model_copy(deep=True)

    async def clear(self) -> None:
        self.kept = ResearchNotes()

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncIterator[None]:
        self.stages.append(name)
        yield

    async def report(self, message: str, *_: int | None) -> None:
        self.told.append(message)

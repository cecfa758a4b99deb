"""What the emulator plans, writes, draws and judges for slides: honest to the brief, never alike for two topics."""
# ruff: noqa: ARG002  the writer takes all that a gateway takes

import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image, ImageChops
from pydantic import BaseModel

import shared.content.studio
from infra.local.emulator.drawing.request import draw
from infra.local.emulator.faults import FaultPlan, Faults
from infra.local.emulator.wire import GenerateRequest
from infra.local.emulator.writing.compose import compose_json, rated_low
from shared.content.brand import load_brand
from shared.content.brand_analyst import ReviewAnswer
from shared.content.brief import Brief
from shared.content.copywriter import Copywriter
from shared.content.piece import Copy, Plan
from shared.content.platforms.base import Platform
from shared.content.platforms.instagram import INSTAGRAM
from shared.content.platforms.linkedin import LINKEDIN
from shared.content.strategist import plan_piece
from shared.model.calls import ReferenceImage
from shared.model.prompts import RenderedPrompt, load_prompt
from tests.shared.content.platform_x import X

PROMPTS = Path(shared.content.studio.__file__ or "").parent
BRAND = load_brand()
TOPICS = {
    "pt-BR": [
        "Rastreabilidade de lote em parafusos pediculares",
        '🦷 Implantes dentários: o que muda no titânio grau 5? "Dúvidas" comuns',
        "TPLO",
        "Por que a sala limpa começa na porta",
        "Eletropolimento de placas de trauma",
        "ISO 13485 na prática: o que o comprador deve ver",
        "ISO 13485 na prática: o que o auditor deve ver",
        "Usinagem suíça de pilares protéticos com tolerância de 5 µm",
        "Como escolher um fornecedor de microparafusos ortodônticos",
        "Gravação a laser e UDI; um guia. Para quem nunca pediu!",
        "100% seguro e clinicamente comprovado",
        "Validação de limpeza",
    ],
    "en": [
        "Why a supplier audit should start with one lot",
        "ISO 13485:2016 explained for buyers of orthopaedic instruments who have never visited a turning shop",
        "Titanium grades",
        "What is TPLO?",
        'Laser marking 🔩 & UDI, "in plain words"',
        "How to read a CMM report",
        "Clean rooms",
        "Our implants are 100% safe",
    ],
}  # fmt: skip

T = TypeVar("T", bound=BaseModel)


class Direct:
    """The emulator's writer without its HTTP."""

    async def text(
        self, prompt: RenderedPrompt, schema: type[T], *, variant: int = 0, images: Sequence[ReferenceImage] = ()
    ) -> T:
        answer = compose_json(schema.model_json_schema(), f"{prompt.system}\n{prompt.text}", len(images))
        return schema.model_validate(answer)

    async def image(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nothing is drawn here")


async def written(topic: str, language: str, platform: Platform, **given: Any) -> tuple[Plan, Copy]:
    brief = Brief.model_validate({"topic": topic, "language": language, **given})
    plan = await plan_piece(Direct(), brief, platform, BRAND)
    writer = Copywriter(Direct(), brief, plan, platform, BRAND)
    text = await writer.write()
    assert writer.problems(text) == []
    return plan, text


@pytest.mark.parametrize("given", [{}, {"style": "text-heavy", "format": "carousel"}], ids=["usual", "wordy"])
@pytest.mark.parametrize("platform", [LINKEDIN, INSTAGRAM, X], ids=lambda each: each.name)
async def test_every_topic_gets_copy_within_the_rules_and_no_two_are_alike(platform: Platform, given: dict[str, Any]):
    slides: dict[str, set[str]] = defaultdict(set)
    captions: list[str] = []
    for language, topics in TOPICS.items():
        for topic in topics:
            _, text = await written(topic, language, platform, **given)
            for slide in text.slides:
                slides[f"{slide.headline}\n{slide.body}"].add(topic)
            captions.append(text.caption)
    shared_slides = {words: topics for words, topics in slides.items() if len(topics) > 1}
    assert shared_slides == {}
    assert len(set(captions)) == len(captions)


async def test_the_brief_is_what_the_copy_is_made_of():
    given = {
        "painPoint": "Lotes retidos na recepção",
        "ctaAction": "Peça a nossa lista",
        "targetAudience": "Compradores",
    }
    plan, text = await written("Placas TPLO", "pt-BR", LINKEDIN, **given)
    assert "Lotes retidos na recepção" in text.slides[0].body
    assert "peça a nossa lista" in text.slides[-1].body.lower()
    assert "compradores" in text.caption
    assert len({slide.asset_query for slide in plan.slides}) == len(plan.slides)


def picture(prompt: RenderedPrompt, *, illegible: bool = False) -> Image.Image:
    config = {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "4:5", "imageSize": "1K"}}
    body = {"contents": [{"role": "user", "parts": [{"text": prompt.text}]}], "generationConfig": config}
    drawn = draw(GenerateRequest("gemini-3-pro-image", body), illegible=illegible)
    return Image.open(io.BytesIO(drawn.data)).convert("RGB")


def slide_prompt(**changed: str) -> RenderedPrompt:
    names = load_prompt(PROMPTS, "draw_slide").inputs
    given = {
        "headline": "Rastreabilidade é prova",
        "body": "Peça o registro do lote.",
        "series": "UDI",
        "scene": "laser",
    }
    return load_prompt(PROMPTS, "draw_slide").render(**dict.fromkeys(names, "none") | given | changed)


def test_slides_of_a_series_look_alike_and_their_words_differ():
    one, other = picture(slide_prompt()), picture(slide_prompt(headline="Outra coisa"))
    assert one.size == other.size == (928, 1152)
    assert ImageChops.difference(one, other).getbbox() is not None
    assert one.getpixel((5, 5)) == other.getpixel((5, 5))


@pytest.mark.parametrize("headline", ["Rastreabilidade é prova", "Ação e inspeção", "Um lote", "Registro"])
def test_an_illegible_slide_has_other_pixels_where_the_words_are(headline: str):
    prompt = slide_prompt(headline=headline)
    assert ImageChops.difference(picture(prompt), picture(prompt, illegible=True)).getbbox() is not None


SLIDES = '<input name="slides">\n{"slide": 1, "headline": "Um"}\n{"slide": 2, "headline": "Dois"}\n</input>\n'
CRITERIA = '<input name="criteria">\n{"criterion": "pictures"}\n{"criterion": "language"}\n</input>'


def reviewed(pictures: int) -> ReviewAnswer:
    answer = compose_json(ReviewAnswer.model_json_schema(), SLIDES + CRITERIA, pictures)
    return ReviewAnswer.model_validate(answer)


def test_a_low_rating_is_below_the_bar_and_names_a_slide_or_two():
    low = rated_low(reviewed(2).model_dump_json(), SLIDES + CRITERIA)
    assert low is not None
    answer = ReviewAnswer.model_validate_json(low)
    assert [score.criterion for score in answer.scores] == ["pictures", "language"]
    assert all(50 <= score.score < 70 for score in answer.scores)
    assert 1 <= len(answer.changes) <= 2
    assert all(change.part.startswith("slide ") for change in answer.changes)


def test_other_answers_are_not_rated():
    assert rated_low("{}", "an article") is None


def test_pictures_that_are_missing_cost_points():
    assert reviewed(2).scores[0].score >= 80
    assert reviewed(1).scores[0].score < 50


def test_faults_of_slides_come_to_requests_of_their_kind_alone():
    faults = Faults()
    faults.set(FaultPlan(rates={"illegible": 0.5, "low_rating": 0.5}))
    drawn = {
        "image": {faults.draw("image", "m") for _ in range(60)},
        "text": {faults.draw("text", "m") for _ in range(60)},
        "search": {faults.draw("search", "m") for _ in range(60)},
    }
    assert drawn == {"image": {"illegible", None}, "text": {"low_rating", None}, "search": {None}}

"""Title and search texts: within their limits, words alone."""

from typing import Any

from services.blog.answers import Strategy
from services.blog.article import Headline
from services.blog.headline import write_headline
from services.blog.payload import BlogRequest
from shared.model.prompts import RenderedPrompt
from tests.services.blog.articles import article, said
from tests.services.blog.honest import HEADLINE
from tests.shared.research.scripted import Answer, ScriptedModels, input_of

STRATEGY = Strategy.model_validate(
    {
        "angle": "O registro certo encurta a auditoria.",
        "sections": [{"heading": "Passo", "purpose": "Saber.", "evidence_ids": []}] * 3,
        "seo_keywords": ["registros de lote", "auditoria"],
        "call_to_action": "Fale conosco.",
        "banner_scene": "A lathe",
    }
)
WHOLE = article([said("Os registros ficam guardados.")])


async def write(fit: Answer | None = None, **texts: Any) -> tuple[Headline, ScriptedModels]:
    models = ScriptedModels({"write_headline": {**HEADLINE, **texts}, "fit_length": fit or {"text": "curto"}})
    request = BlogRequest(topic="Registros de lote")
    return await write_headline(models, request, STRATEGY, WHOLE.parts), models


async def test_texts_within_their_limits_are_kept_as_they_are():
    headline, models = await write()
    assert headline.title == HEADLINE["title"]
    assert models.made == ["write_headline"]


async def test_what_does_not_fit_gets_one_round_with_the_model():
    def fit(prompt: RenderedPrompt) -> dict[str, Any]:
        assert (input_of(prompt, "min_characters"), input_of(prompt, "max_characters")) == ("150", "160")
        return {"text": HEADLINE["seo_description"]}

    headline, models = await write(fit, seo_description="Curta demais.")
    assert headline.seo_description == HEADLINE["seo_description"]
    assert models.made == ["write_headline", "fit_length"]


async def test_a_model_that_cannot_count_does_not_break_the_limits():
    headline, _ = await write({"text": "x" * 400}, seo_description="Curta demais.", title="Curto")
    assert 150 <= len(headline.seo_description) <= 160
    assert 50 <= len(headline.title) <= 70


async def test_markup_is_taken_out_of_texts_that_are_shown_as_they_are():
    headline, _ = await write(
        title="**Registros** de <script>alert(1)</script> lote: o que `conferir` antes da auditoria do ano",
        tags=["<b>UDI</b>", "#lote", "  ", "UDI"],
    )
    assert headline.title == "Registros de alert(1) lote: o que conferir antes da auditoria do ano"
    assert headline.tags == ["udi", "lote", "registros de lote", "auditoria"]


async def test_tags_are_never_more_than_six():
    headline, _ = await write(tags=[f"tag {letter}" for letter in "abcdefgh"])
    assert len(headline.tags) == 6

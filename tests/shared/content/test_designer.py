"""Slides: on a real photograph above the bar, drawn again until they can be read, set by us when they cannot."""

import asyncio
import io
from dataclasses import replace

import pytest
from PIL import Image
from structlog.testing import capture_logs

from shared.content.brand import load_brand
from shared.content.designer import Designer
from shared.content.pictures import exactly
from shared.content.piece import SlideWish
from shared.content.platforms.instagram import INSTAGRAM
from shared.content.platforms.linkedin import LINKEDIN
from shared.engine.errors import BudgetExceeded, ModelOutputInvalid, ModelRefused
from tests.shared.content.pieces import Gate, Hit, ScriptedStudio, Shelf, brief, copy, input_of, plan, png, ports

BRAND = load_brand()
LOGO = Hit("logo", 99, kind="logo", url="https://assets.test/logo.png")


def shelf(**relevance: float) -> Shelf:
    """Assets for slides by the word in their query, each with a picture."""
    hits = {
        f"peça {word}": [Hit(f"id-{word}", value, url=f"https://assets.test/{word}.png")]
        for word, value in relevance.items()
    }
    files = {f"https://assets.test/{word}.png": png((400, 300), "red") for word in [*relevance, "logo"]}
    return Shelf(hits={**hits, "logotipo LM azul": [LOGO]}, files=files)


def designer(models: ScriptedStudio, found: Shelf | None = None, gate: Gate | None = None, **given: object) -> Designer:
    return Designer(ports(models, found, gate), brief(**given), LINKEDIN, BRAND)


@pytest.mark.parametrize(("relevance", "origin"), [(70.1, "real"), (70.0, "generated"), (12.0, "generated")])
async def test_a_photograph_above_seventy_is_the_reference(relevance: float, origin: str):
    models = ScriptedStudio()
    with capture_logs() as logs:
        visuals = await designer(models, shelf(um=relevance)).design(plan(1), copy(1))
    use = visuals[0].asset
    assert use.origin == origin
    assert len(models.references[0]) == (2 if origin == "real" else 1)
    assert ("photograph: Parafuso" in input_of(models.prompts[0], "references")) is (origin == "real")
    said = "Using real asset" if origin == "real" else "Generating AI"
    assert [(line["slide"], line["reason"]) for line in logs if line["event"] == said] == [(1, use.reason)]
    assert f"{relevance:.0f}" in use.reason


async def test_an_asset_stands_on_one_slide_and_a_broken_file_on_none():
    found = shelf(um=90, dois=90, três=80)
    found.hits["peça dois"] = found.hits["peça um"]
    del found.files["https://assets.test/três.png"]
    visuals = await designer(ScriptedStudio(), found).design(plan(5), copy(5))
    assert [visual.asset.origin for visual in visuals] == ["real", *["generated"] * 4]
    assert [visual.asset.reason for visual in visuals[1:4]] == [
        "its best asset is on another slide already",
        'the photograph of "Parafuso" could not be read: answered 404',
        "no asset was found",
    ]


async def test_past_work_and_logos_are_no_photographs():
    found = Shelf(hits={"peça um": [Hit("old", 99, kind="past_work")]})
    [visual] = await designer(ScriptedStudio(), found).design(plan(1), copy(1))
    assert visual.asset.origin == "generated"


@pytest.mark.parametrize(
    ("verdicts", "drawn", "rendering", "at_once"),
    [
        ([True], 1, "model", True),
        ([False, True], 2, "model", False),
        ([False, False, True], 3, "model", False),
        ([False, False, False], 3, "typeset", False),
    ],
)
async def test_the_legibility_gate(verdicts: list[bool], drawn: int, rendering: str, at_once: bool):
    models, gate = ScriptedStudio(), Gate(list(verdicts))
    [visual] = await designer(models, gate=gate).design(plan(1), copy(1))
    assert (visual.drawn, visual.text_rendering, visual.right_at_once) == (drawn, rendering, at_once)
    assert visual.reading.passed
    assert gate.typeset == (rendering == "typeset")
    assert [input_of(prompt, "unreadable") for prompt in models.prompts] == [
        "none", *['"passo" reads "pa550"'] * (drawn - 1)
    ]  # fmt: skip
    assert [variant for _, variant in models.variants] == list(range(drawn))
    assert set(gate.sizes) == {(1080, 1350)}


async def test_without_money_for_another_picture_the_words_are_set():
    models = ScriptedStudio(drawn=[png(), BudgetExceeded("no money")])
    gate = Gate([False])
    [visual] = await designer(models, gate=gate).design(plan(1), copy(1))
    assert (visual.text_rendering, visual.drawn, gate.typeset) == ("typeset", 1, 1)
    with pytest.raises(BudgetExceeded):
        await designer(ScriptedStudio(drawn=[BudgetExceeded("no money")])).design(plan(1), copy(1))


@pytest.mark.parametrize("error", [ModelRefused("blocked"), b"no picture"])
async def test_the_failure_of_a_slide_names_it_and_waits_for_the_others(error: object):
    found = Shelf()
    models = ScriptedStudio(drawn=[png(), png(), error, png(), png()])
    with pytest.raises((ModelRefused, ModelOutputInvalid)) as caught:
        await designer(models, found).design(plan(5), copy(5))
    assert caught.value.slide_index == 2
    assert len(found.files) == 4


@pytest.mark.parametrize(
    ("size", "pixels", "ratio"), [("portrait", (1080, 1350), "4:5"), ("square", (1080, 1080), "1:1")]
)
async def test_pixels_are_exact_and_words_in_the_prompt(size: str, pixels: tuple[int, int], ratio: str):
    found, models = Shelf(), ScriptedStudio(drawn=[png((1856, 2304))])
    made = Designer(ports(models, found), brief(size=size, persona="salesperson"), INSTAGRAM, BRAND)
    [visual] = await made.design(plan(1), copy(1))
    assert (visual.width, visual.height, visual.path) == (*pixels, "jobs/1/slide-1.png")
    with Image.open(io.BytesIO(found.files[visual.url])) as picture:
        assert (picture.size, picture.format) == (pixels, "PNG")
    [prompt] = models.prompts
    assert input_of(prompt, "headline") == "O passo um"
    assert input_of(prompt, "body") == "Peça o registro do lote."
    assert "innovation green #1A7A3E leads" in input_of(prompt, "palette")
    assert "bottom right" in prompt.text


async def test_slides_are_drawn_at_the_same_time_and_no_more_than_allowed():
    running, most = 0, 0

    class Slow(ScriptedStudio):
        async def image(self, *args, **given):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return await super().image(*args, **given)

    parts = ports(Slow())
    await Designer(parts, brief(), LINKEDIN, BRAND).design(plan(7), copy(7))
    assert most == 7
    most = 0
    await Designer(replace(parts, slides_at_once=3), brief(), LINKEDIN, BRAND).design(plan(7), copy(7))
    assert most == 3


async def test_a_redesign_draws_the_named_slides_on_the_same_photographs():
    found, models = shelf(dois=95), ScriptedStudio()
    made = designer(models, found)
    visuals = await made.design(plan(5), copy(5))
    found.asked.clear()
    models.prompts.clear()
    models.references.clear()
    wishes = [SlideWish(slide=2, target="picture", wish="Closer"), SlideWish(slide=3, target="picture", wish="No")]
    again = await made.redesign(plan(5), copy(5), visuals, [2], wishes, round_=1)
    assert [one == other for one, other in zip(visuals, again, strict=True)] == [True, False, True, True, True]
    assert found.asked == ["logotipo LM azul"]
    assert (len(models.prompts), len(models.references[0])) == (1, 2)
    assert input_of(models.prompts[0], "wishes") == "Closer"
    assert (again[1].path, again[1].drawn, models.variants[-1]) == ("jobs/1/slide-2-v2.png", 2, ("draw_slide", 3))


@pytest.mark.parametrize("size", [(1080, 1350), (1080, 1080)])
@pytest.mark.parametrize("drawn", [(928, 1152), (1024, 1024), (400, 1200), (1376, 768), (1080, 1350)])
def test_any_picture_becomes_exact_and_none_loses_its_edges(drawn: tuple[int, int], size: tuple[int, int]):
    with Image.new("RGB", drawn, "white") as picture:
        for x in (0, drawn[0] - 60):
            picture.paste("red", (x, 0, x + 60, drawn[1]))
        file = io.BytesIO()
        picture.save(file, "PNG")
    with Image.open(io.BytesIO(exactly(file.getvalue(), size))) as made:
        assert made.size == size
        row = [made.getpixel((x, size[1] // 2)) for x in range(size[0])]
    red = [x for x, pixel in enumerate(row) if isinstance(pixel, tuple) and pixel[0] > 200 and pixel[1] < 60]
    assert red
    assert max(red) - min(red) > 0.3 * size[0] * min(1, (drawn[0] / drawn[1]) / (size[0] / size[1]))

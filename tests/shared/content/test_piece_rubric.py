"""What a review sends back, and what it is given to read."""

import json

import pytest

from shared.content.brand import load_brand
from shared.content.brand_analyst import RequestedChange, Review, review_piece
from shared.content.designer import Designer
from shared.content.piece import SlideWish
from shared.content.piece_rubric import PIECE_RUBRIC, measured, parts_of, piece_inputs, wishes_of
from shared.content.platforms.linkedin import LINKEDIN
from shared.engine.errors import ModelOutputInvalid, ModelRefused
from shared.model.calls import ReferenceImage
from tests.shared.content.pieces import Answer, ScriptedStudio, brief, copy, input_of, plan, png, ports, review

BRAND = load_brand()
ONE_SCORE = {"scores": [{"criterion": "hook", "score": 99, "reason": "x"}], "changes": [], "summary": "s"}


def said(*changes: tuple[str, str]) -> Review:
    wanted = [RequestedChange(part=part, change=change) for part, change in changes]
    return Review(score=60, passed=False, criteria=[], checks=[], changes=wanted, summary="Fraco.")


@pytest.mark.parametrize(
    ("part", "wishes"),
    [
        ("slide 2 copy", [(2, "copy")]),
        ("Slide 3 picture", [(3, "picture")]),
        ("slide 1 image", [(1, "picture")]),
        ("slide 4", [(4, "copy"), (4, "picture")]),
        ("caption", [(0, "copy")]),
        ("hashtags", [(0, "copy")]),
    ],
)
def test_a_named_part_goes_back_alone(part: str, wishes: list[tuple[int, str]]):
    assert [(wish.slide, wish.target) for wish in wishes_of(said((part, "melhor")), copy())] == wishes


@pytest.mark.parametrize("changes", [(), (("slide 9 copy", "melhor"),), (("everything", "melhor"),)])
def test_a_review_that_names_nothing_sends_all_words_back(changes: tuple[tuple[str, str], ...]):
    wishes = wishes_of(said(*changes), copy())
    assert [(wish.slide, wish.target) for wish in wishes] == [(number, "copy") for number in range(6)]
    assert all("Fraco." in wish.wish for wish in wishes)


def test_every_part_that_is_offered_can_go_back():
    for part in parts_of(copy()):
        assert len(wishes_of(said((part, "melhor")), copy())) == 1
    assert wishes_of(said(("slide 5 picture", "x")), copy()) == [SlideWish(slide=5, target="picture", wish="x")]


async def test_the_review_reads_the_copy_and_sees_the_pictures():
    visuals = await Designer(ports(ScriptedStudio()), brief(), LINKEDIN, BRAND).design(plan(), copy())
    checks = measured(LINKEDIN, brief(), copy(), visuals)
    assert all(check.ok for check in checks)
    inputs = piece_inputs(brief(), LINKEDIN, plan(), copy(), visuals, ["Fato"], BRAND)
    models = ScriptedStudio({"review_piece": review(90)})
    pictures = [ReferenceImage(png(), "image/png")] * 5
    result = await review_piece(models, PIECE_RUBRIC, checks, inputs, pictures, round_=0)
    assert (result.passed, result.score) == (True, 90.8)
    assert [item.criterion for item in result.criteria] == [*(item.name for item in PIECE_RUBRIC), "limits"]
    assert models.pictures_seen == [5]
    slides = [json.loads(line) for line in input_of(models.prompts[0], "slides").splitlines()]
    assert slides[0]["headline"] == "O passo um"
    assert input_of(models.prompts[0], "facts") == '{"fact": "Fato"}'


async def test_an_unreadable_or_wrong_picture_is_measured():
    visuals = await Designer(ports(ScriptedStudio()), brief(), LINKEDIN, BRAND).design(plan(), copy())
    visuals[1] = visuals[1].model_copy(update={"width": 1000})
    visuals[2] = visuals[2].model_copy(update={"reading": visuals[2].reading.model_copy(update={"passed": False})})
    failed = {check.name: check.detail for check in measured(LINKEDIN, brief(), copy(), visuals) if not check.ok}
    assert failed == {
        "readable pictures": "4 of 5 were read back word for word",
        "size of the pictures": "4 of 5 have 1080 × 1350 pixels",
    }


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            {"scores": [{"criterion": "hook", "score": 99, "reason": "x"}], "changes": [], "summary": "s"},
            ModelOutputInvalid,
        ),
        (ModelRefused("blocked"), ModelRefused),
    ],
)
async def test_without_a_whole_review_nothing_passes(answer: Answer, error: type[Exception]):
    inputs = {
        **dict.fromkeys(["what", "brief", "narrative", "caption", "parts", "voice", "language"], "x"),
        "slides": [],
        "facts": [],
    }
    models = ScriptedStudio({"review_piece": answer})
    with pytest.raises(error):
        await review_piece(models, PIECE_RUBRIC, [], inputs, [], round_=0)

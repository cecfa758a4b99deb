"""Each limit of each platform, and a platform that nobody has heard of yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.content.platforms.base import PORTRAIT, SQUARE, Platform, roles_of, sentence_count
from shared.content.platforms.instagram import INSTAGRAM
from shared.content.platforms.linkedin import LINKEDIN
from shared.content.span import Span
from tests.shared.content.pieces import HASHTAGS, brief, copy, with_slide
from tests.shared.content.platform_x import X


def problems(platform: Platform, written, count: int = 5) -> list[str]:
    return [f"{item.part}: {item.problem}" for item in platform.problems(written, roles_of(count))]


@pytest.mark.parametrize("platform", [LINKEDIN, INSTAGRAM], ids=lambda each: each.name)
def test_a_piece_within_the_limits_has_no_problems(platform: Platform):
    assert problems(platform, copy()) == []
    assert problems(platform, copy(1), 1) == []


@pytest.mark.parametrize(
    ("slide", "name", "most"),
    [
        (1, "headline", 60),
        (1, "body", 120),
        (3, "headline", 70),
        (3, "body", 140),
        (5, "headline", 60),
        (5, "body", 120),
        (2, "alt_text", 1_000),
    ],
)
@pytest.mark.parametrize("platform", [LINKEDIN, INSTAGRAM], ids=lambda each: each.name)
def test_characters_of_a_slide(platform: Platform, slide: int, name: str, most: int):
    assert problems(platform, with_slide(copy(), slide, **{name: "á" * most})) == []
    [problem] = problems(platform, with_slide(copy(), slide, **{name: "á" * (most + 1)}))
    assert problem == f"slide {slide}: the {name} has {most + 1} characters, at most {most} are allowed"
    assert problems(platform, with_slide(copy(), slide, **{name: "  "})) == [f"slide {slide}: the {name} is empty"]


@pytest.mark.parametrize(("platform", "most"), [(LINKEDIN, 3_000), (INSTAGRAM, 2_200)], ids=["linkedin", "instagram"])
def test_characters_of_the_caption_count_with_its_hashtags(platform: Platform, most: int):
    tags = len("\n\n" + " ".join(HASHTAGS))
    fits = "Veja. " + "a" * (most - tags - 6)
    assert problems(platform, copy(caption=fits)) == []
    assert problems(platform, copy(caption=fits + "a")) == [
        f"caption: {most + 1} characters with its hashtags, at most {most} are allowed"
    ]


@pytest.mark.parametrize(
    ("platform", "sentences", "ok"),
    [(LINKEDIN, 1, False), (LINKEDIN, 2, True), (LINKEDIN, 3, True), (LINKEDIN, 4, False), (INSTAGRAM, 6, True)],
)
def test_sentences_of_the_caption(platform: Platform, sentences: int, ok: bool):
    assert (problems(platform, copy(caption="Confira o lote. " * sentences)) == []) is ok


@pytest.mark.parametrize(("count", "ok"), [(2, False), (3, True), (5, True), (6, False)])
@pytest.mark.parametrize("platform", [LINKEDIN, INSTAGRAM], ids=lambda each: each.name)
def test_three_to_five_hashtags(platform: Platform, count: int, ok: bool):
    tags = [f"#Tema{letter}" for letter in "abcdef"[:count]]
    assert (problems(platform, copy(hashtags=tags)) == []) is ok


@pytest.mark.parametrize("tags", [["#a", "#b", "#A"], ["#a", "#b", "c"], ["#a", "#b c", "#d"], ["#a", "#b", "#"]])
def test_hashtags_are_one_word_each_and_none_twice(tags: list[str]):
    assert len(problems(LINKEDIN, copy(hashtags=tags))) == 1


def test_other_things_that_do_not_belong():
    assert problems(LINKEDIN, with_slide(copy(), 2, headline="Pronto 🚀")) == [
        "slide 2: emoji on the picture: they belong in the caption alone"
    ]
    assert problems(LINKEDIN, with_slide(copy(), 2, headline="o passo um")) == ["slide 2: has the headline of slide 1"]
    assert problems(LINKEDIN, copy(caption="Veja #isto aqui. Fale conosco.")) == [
        "caption: hashtags belong in the list of hashtags"
    ]
    assert problems(LINKEDIN, copy(4)) == ["slides: 4 slides, the plan has 5"]


@pytest.mark.parametrize(
    ("platform", "asked", "used", "slides"),
    [
        (LINKEDIN, None, "carousel", Span(5, 7)),
        (LINKEDIN, "single-image", "single-image", Span(1, 1)),
        (INSTAGRAM, None, "single-image", Span(1, 1)),
        (INSTAGRAM, "carousel", "carousel", Span(3, 7)),
    ],
)
def test_formats(platform: Platform, asked: str | None, used: str, slides: Span):
    assert platform.format_of(brief(format=asked)) == used
    assert platform.slides_of(brief(format=asked)) == slides


@pytest.mark.parametrize(("asked", "page"), [(None, PORTRAIT), ("square", SQUARE), ("1080x1350", PORTRAIT)])
def test_sizes(asked: str | None, page: object):
    assert LINKEDIN.page_of(brief(size=asked)) == INSTAGRAM.page_of(brief(size=asked)) == page


@given(st.integers(1, 10))
def test_a_piece_opens_with_a_hook_and_ends_with_a_call(count: int):
    roles = roles_of(count)
    assert len(roles) == count
    assert roles[0] == "hook"
    assert count == 1 or roles[-1] == "cta"
    assert set(roles[1:-1]) <= {"content"}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Um", 1),
        ("Um. Dois!", 2),
        ("Ra de 0,1 µm. Fim", 2),
        ("Sério?! Sim…", 2),
        ('A "lista." Fim.', 2),
    ],
)
def test_sentences_are_counted(text: str, count: int):
    assert sentence_count(text) == count


def test_another_platform_is_a_value_and_no_code():
    assert problems(X, copy(4, hashtags=["#Titânio"]), 4) == []
    assert problems(X, copy(1, caption="Veja " + "🔩" * 137, hashtags=[]), 1) == []
    assert problems(X, copy(1, caption="Veja " + "🔩" * 138, hashtags=[]), 1) == [
        "caption: 281 characters with its hashtags, at most 280 are allowed"
    ]
    assert problems(X, copy(1, caption="Veja https://lifetrek.test/" + "a" * 300, hashtags=[]), 1) == []
    assert X.format_of(brief(format="carousel")) == "carousel"
    assert X.page_of(brief()) == SQUARE

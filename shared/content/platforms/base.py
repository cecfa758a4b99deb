"""What a platform is to the agents: names, limits, sizes, tone. A new platform is one more value of this, no code.

The agents read limits from here and never ask which platform it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.content.brief import Brief, Format, SizeName
from shared.content.piece import Copy, CopyProblem, Role, slide_part
from shared.content.span import Span

_HASHTAG = re.compile(r"#\w+")
_SENTENCE_END = re.compile(r"[.!?…]+(?=[\s\"”»)]|$)")
_EMOJI = re.compile(r"[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D\u20E3]")


@dataclass(frozen=True, slots=True)
class TextLimits:
    """The most characters that a slide's texts may have."""

    headline: int
    body: int


@dataclass(frozen=True, slots=True)
class PageSize:
    """The exact pixels of a picture, and the aspect ratio that an image model is asked for."""

    width: int
    height: int
    aspect_ratio: str

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height


PORTRAIT = PageSize(1080, 1350, "4:5")
SQUARE = PageSize(1080, 1080, "1:1")
SIZES: Mapping[SizeName, PageSize] = {"1080x1350": PORTRAIT, "1080x1080": SQUARE}
SLIDE_LIMITS: Mapping[Role, TextLimits] = {
    "hook": TextLimits(headline=60, body=120),
    "content": TextLimits(headline=70, body=140),
    "cta": TextLimits(headline=60, body=120),
}


@dataclass(frozen=True, kw_only=True)
class Platform:
    """One platform.

    `slides`: how many pictures a piece of a format has; the first format is the one when none is asked for.
    `limits`: characters by the role of a slide. `measure`: how the platform counts the characters of a caption with
    its hashtags. `tone`, `aesthetic` and `caption_style` go into prompts. `grid_ratio`: width to height of what the
    platform's overview shows of a picture; None: all of it.
    """

    name: str
    title: str
    tone: str
    aesthetic: str
    caption_style: str
    slides: Mapping[Format, Span]
    caption_chars: int
    caption_sentences: Span
    hashtags: Span
    alt_text_chars: int
    sizes: Mapping[SizeName, PageSize]
    limits: Mapping[Role, TextLimits]
    measure: Callable[[str], int] = len
    grid_ratio: float | None = None

    def format_of(self, brief: Brief) -> Format:
        """The format asked for when the platform has it, else its usual one."""
        wanted = brief.format
        return wanted if wanted is not None and wanted in self.slides else next(iter(self.slides))

    def page_of(self, brief: Brief) -> PageSize:
        """The page in the size asked for when the platform has it, else its usual one."""
        return self.sizes.get(brief.size) or next(iter(self.sizes.values()))

    def slides_of(self, brief: Brief) -> Span:
        """How many slides the piece may have."""
        return self.slides[self.format_of(brief)]

    def post_text(self, copy: Copy) -> str:
        """The caption with its hashtags, as it is posted."""
        return f"{copy.caption}\n\n{' '.join(copy.hashtags)}" if copy.hashtags else copy.caption

    def problems(self, copy: Copy, roles: Sequence[Role]) -> list[CopyProblem]:
        """Each limit that the copy breaks, in words for the one who has to put it right; empty when all are kept."""
        if len(copy.slides) != len(roles):
            return [CopyProblem(part="slides", problem=f"{len(copy.slides)} slides, the plan has {len(roles)}")]
        return [*self._slide_problems(copy, roles), *self._caption_problems(copy)]

    def _slide_problems(self, copy: Copy, roles: Sequence[Role]) -> Iterator[CopyProblem]:
        seen: dict[str, str] = {}
        for number, (slide, role) in enumerate(zip(copy.slides, roles, strict=True), start=1):
            part, limits = slide_part(number), self.limits[role]
            for name, text, most in (
                ("headline", slide.headline, limits.headline),
                ("body", slide.body, limits.body),
                ("alt_text", slide.alt_text, self.alt_text_chars),
            ):
                if not text.strip():
                    yield CopyProblem(part=part, problem=f"the {name} is empty")
                elif len(text) > most:
                    yield CopyProblem(
                        part=part, problem=f"the {name} has {len(text)} characters, at most {most} are allowed"
                    )
            if _EMOJI.search(slide.headline + slide.body):
                yield CopyProblem(part=part, problem="emoji on the picture: they belong in the caption alone")
            if (earlier := seen.setdefault(slide.headline.casefold().strip(), part)) != part:
                yield CopyProblem(part=part, problem=f"has the headline of {earlier}")

    def _caption_problems(self, copy: Copy) -> Iterator[CopyProblem]:
        length, sentences = self.measure(self.post_text(copy)), sentence_count(copy.caption)
        if length > self.caption_chars:
            yield CopyProblem(
                part="caption",
                problem=f"{length} characters with its hashtags, at most {self.caption_chars} are allowed",
            )
        if not self.caption_sentences.holds(sentences):
            yield CopyProblem(part="caption", problem=f"{sentences} sentences, {self.caption_sentences} wanted")
        if "#" in copy.caption:
            yield CopyProblem(part="caption", problem="hashtags belong in the list of hashtags")
        if not self.hashtags.holds(len(copy.hashtags)):
            yield CopyProblem(part="hashtags", problem=f"{len(copy.hashtags)} hashtags, {self.hashtags} wanted")
        if wrong := [tag for tag in copy.hashtags if not _HASHTAG.fullmatch(tag)]:
            yield CopyProblem(part="hashtags", problem=f"{', '.join(wrong)}: # and one word of letters and digits")
        if len({tag.casefold() for tag in copy.hashtags}) < len(copy.hashtags):
            yield CopyProblem(part="hashtags", problem="a hashtag is there twice")


def sentence_count(text: str) -> int:
    """Sentences of a text; one without an end mark counts."""
    rest = _SENTENCE_END.split(text.strip())
    return sum(any(c.isalnum() for c in piece) for piece in rest)


def roles_of(count: int) -> list[Role]:
    """The roles of so many slides: a hook first, a call to action last. A single picture is a hook."""
    if count == 1:
        return ["hook"]
    between: list[Role] = ["content"] * (count - 2)
    return ["hook", *between, "cta"]

"""The content model that all agents work on and no platform owns: Plan → Copy → Visuals → Review.

All of it is small, readable JSON: pictures are in Storage and stand here as addresses.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

Role = Literal["hook", "content", "cta"]
Target = Literal["copy", "picture"]


class SlideIntent(BaseModel):
    """What one slide is for, before it has words."""

    role: Role = Field(description="hook for the first slide, cta for the last, content between")
    purpose: str = Field(min_length=3, max_length=300, description="What the reader gets from this slide; one sentence")
    picture: str = Field(
        min_length=3,
        max_length=400,
        description="In English, what can be seen: one subject, its surroundings, the light; no words in it",
    )
    asset_query: str = Field(
        min_length=2,
        max_length=120,
        description="2 to 6 words by which a photograph of the company would be found: product, machine, room or team",
    )


class Plan(BaseModel):
    """The strategist's answer: how the piece takes its reader from the first slide to the last."""

    hook: str = Field(min_length=3, max_length=300, description="The thought that stops this reader; one sentence")
    narrative: str = Field(
        min_length=3, max_length=800, description="The line from the first slide to the last; 2 or 3 sentences"
    )
    slides: list[SlideIntent] = Field(min_length=1, description="The slides in the order in which they are seen")


class SlideCopy(BaseModel):
    """The words of one slide: on its picture, and for those who cannot see it."""

    headline: str = Field(description="Headline on the picture, within the limit of the slide's role")
    body: str = Field(description="Text below the headline on the picture, within the limit of the slide's role")
    alt_text: str = Field(
        description="What the picture shows and says, for a reader who cannot see it; 1 or 2 sentences"
    )

    @property
    def on_picture(self) -> list[str]:
        """What has to be readable on the picture, in order."""
        return [text for text in (self.headline, self.body) if text]


class Copy(BaseModel):
    """The copywriter's answer."""

    slides: list[SlideCopy] = Field(min_length=1, description="One for each slide of the plan, in the same order")
    caption: str = Field(description="The text that stands with the post; without hashtags")
    hashtags: list[str] = Field(
        description="Words that the audience searches for, each beginning with #, without spaces"
    )

    @property
    def texts(self) -> dict[str, str]:
        """All words by the name of their part: `slide 1`, …, `caption`, `hashtags`."""
        by_slide = {
            slide_part(number): "\n".join([*slide.on_picture, slide.alt_text])
            for number, slide in enumerate(self.slides, start=1)
        }
        return {**by_slide, "caption": self.caption, "hashtags": " ".join(self.hashtags)}


class CopyProblem(BaseModel):
    """A rule that the copy breaks, and where."""

    part: str
    problem: str


class AssetUse(BaseModel):
    """What a slide's picture rests on: a photograph of the company, or nothing but the prompt, and why."""

    origin: Literal["real", "generated"]
    reason: str
    asset_id: str | None = None
    source: str | None = None
    title: str | None = None
    url: str | None = None
    relevance: float | None = None


class Reading(BaseModel):
    """What the legibility gate found on a picture."""

    passed: bool
    findings: list[str] = []
    measured: dict[str, Any] = {}


class Visual(BaseModel):
    """The finished picture of one slide. `slide` counts from 1; width and height are pixels.

    `text_rendering`: by the image model, or set by us over its picture. `drawn`: pictures that it took in all.
    `right_at_once`: the model's first picture was readable.
    """

    slide: int
    url: str
    path: str
    width: int
    height: int
    asset: AssetUse
    text_rendering: Literal["model", "typeset"]
    drawn: int
    right_at_once: bool
    reading: Reading


class SlideWish(BaseModel):
    """Something that the review wants changed. `slide` counts from 1; 0 is the caption with its hashtags."""

    slide: int
    target: Target
    wish: str


def slide_part(number: int) -> str:
    """The name of a slide in prompts, problems and reviews; `number` counts from 1."""
    return f"slide {number}"

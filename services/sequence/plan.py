"""The plan of a series: one question to a model, and the rules that its answer has to keep."""

import json
import re
from pathlib import Path
from typing import Protocol, Self, TypeVar

from pydantic import BaseModel, Field, create_model, model_validator

from services.sequence.payload import SequenceRequest
from shared.content.brand import Brand
from shared.content.claims import forbidden_claim
from shared.model.prompts import RenderedPrompt, load_prompt
from shared.plain import one_line

_PACKAGE = Path(__file__).parent
_NONE = "none"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"\w{4,}")
_ALIKE = 0.8

T = TypeVar("T", bound=BaseModel)


class TextModels(Protocol):
    """Calls to models: typed answers."""

    async def text(self, prompt: RenderedPrompt, schema: type[T], *, variant: int = 0) -> T:
        """An answer as an instance of a pydantic model."""
        ...


class PlannedPost(BaseModel):
    """One post of the series."""

    topic: str = Field(min_length=3, max_length=200, description="What the post is about; 4 to 14 words, definite")
    angle: str = Field(min_length=3, max_length=600, description="What this post claims; one sentence")
    adds: str = Field(
        min_length=3, max_length=600, description="What the reader knows after it and not before; one sentence"
    )
    keywords: list[str] = Field(min_length=1, max_length=10, description="2 to 6 phrases that the audience types")
    kind: str = Field(description="One of the kinds given")


class SequencePlan(BaseModel):
    """Answer to `plan_sequence`."""

    title: str = Field(min_length=3, max_length=150, description="Title of the series; 3 to 10 words")
    narrative: str = Field(
        min_length=3, max_length=1_200, description="The line from the first post to the last; 2 to 4 sentences"
    )
    posts: list[PlannedPost] = Field(description="The posts in the order in which they are read")

    @property
    def texts(self) -> list[str]:
        """All that a reader could come to see."""
        return [
            self.title,
            self.narrative,
            *(text for post in self.posts for text in (post.topic, post.angle, post.adds)),
        ]


async def plan_sequence(models: TextModels, request: SequenceRequest, brand: Brand) -> SequencePlan:
    """The plan, with every rule kept. Raises what `JobModels` raises; ModelOutputInvalid when it breaks one twice."""
    facts = [{"id": fact.id, "fact": fact.text(request.language)} for fact in brand.facts]
    prompt = load_prompt(_PACKAGE, "plan_sequence").render(
        topic=request.topic or request.goal or request.brief,
        goal=request.goal or _NONE,
        brief=request.brief or _NONE,
        count=str(request.count),
        kinds=json.dumps(request.kinds),
        audience=request.audience,
        pain_point=request.pain_point or _NONE,
        desired_outcome=request.desired_outcome or _NONE,
        angle=request.angle or _NONE,
        brainstorming=request.brainstorming_context or _NONE,
        proof_points=request.proof_points or _NONE,
        keywords=", ".join(request.keywords) or _NONE,
        voice=brand.personas[request.voice].voice,
        tone=request.tone or _NONE,
        company_facts=facts,
        certificates=", ".join(brand.certificates.held),
        call_to_action=request.cta_action or _NONE,
        language=request.language,
    )
    plan = await models.text(prompt, checked_plan(request, brand))
    return SequencePlan(
        title=_heading(plan.title), narrative=one_line(plan.narrative), posts=[_tidy(post) for post in plan.posts]
    )


def _tidy(post: PlannedPost) -> PlannedPost:
    return post.model_copy(
        update={"topic": _heading(post.topic), "angle": one_line(post.angle), "adds": one_line(post.adds)}
    )


def _heading(text: str) -> str:
    return one_line(text).rstrip(".")


def checked_plan(request: SequenceRequest, brand: Brand) -> type[SequencePlan]:
    """`SequencePlan` with the rules of this request: the model is told of each one that its answer breaks."""

    class Checked(SequencePlan):
        @model_validator(mode="after")
        def _keeps_the_rules(self) -> Self:
            if broken := broken_rules(self, request, brand):
                raise ValueError("; ".join(broken))
            return self

    posts = (list[PlannedPost], Field(min_length=request.count, max_length=request.count))
    return create_model("SequencePlan", __base__=Checked, __doc__=SequencePlan.__doc__, posts=posts)


def broken_rules(plan: SequencePlan, request: SequenceRequest, brand: Brand) -> list[str]:
    """What is wrong with a plan, in words for the model; empty when all is well."""
    found: list[str] = []
    if len(plan.posts) != request.count:
        found.append(f"{len(plan.posts)} posts, {request.count} are asked for")
    if unknown := sorted({post.kind for post in plan.posts} - set(request.kinds)):
        found.append(f"kind {', '.join(unknown)} is not one of {', '.join(request.kinds)}")
    found += [
        f"posts {one + 1} and {other + 1} have the same topic"
        for other in range(len(plan.posts))
        for one in range(other)
        if _same_topic(plan.posts[one].topic, plan.posts[other].topic)
    ]
    known = _NUMBER.findall(" ".join([_asked(request), *(fact.text(request.language) for fact in brand.facts)]))
    for text in plan.texts:
        if invented := sorted(set(_NUMBER.findall(text)) - {*known, str(request.count)}):
            found.append(f'the number {", ".join(invented)} in "{text}" is not given: leave it out')
        if claim := forbidden_claim(text, brand):
            found.append(f'"{text}" makes a claim of the kind {claim}')
    return found


def _asked(request: SequenceRequest) -> str:
    return " ".join([request.subject, request.wishes, request.proof_points, request.cta_action, *request.keywords])


def _same_topic(one: str, other: str) -> bool:
    """True when nearly all longer words of two topics are the same."""
    if one.casefold() == other.casefold():
        return True
    first, second = (set(_WORD.findall(topic.casefold())) for topic in (one, other))
    return len(first & second) > _ALIKE * len(first | second)

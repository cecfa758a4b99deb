"""The strategist: how a piece takes its reader from the first slide to the last."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, create_model

from shared.content.brand import Brand
from shared.content.brief import Brief
from shared.content.piece import Plan, SlideIntent
from shared.content.platforms.base import Platform, roles_of
from shared.content.ports import StudioModels
from shared.content.span import Span
from shared.model.prompts import load_prompt
from shared.plain import one_line

_PACKAGE = Path(__file__).parent
NONE = "none"


async def plan_piece(
    models: StudioModels, brief: Brief, platform: Platform, brand: Brand, evidence: Sequence[str] = ()
) -> Plan:
    """The plan, with as many slides as the platform takes. Raises what `JobModels` raises."""
    count = platform.slides_of(brief)
    prompt = load_prompt(_PACKAGE, "plan_piece").render(
        **brief_inputs(brief, brand, evidence),
        platform=platform.title,
        tone=platform.tone,
        slide_count=str(count),
        style=brief.style,
    )
    return tidy(await models.text(prompt, plan_with(count)))


def brief_inputs(brief: Brief, brand: Brand, evidence: Sequence[str]) -> dict[str, object]:
    """What every writing prompt is told of the brief, with all that may be stated."""
    return {
        "topic": brief.topic,
        "audience": brief.audience,
        "pain_point": brief.pain_point or NONE,
        "desired_outcome": brief.desired_outcome or NONE,
        "angle": brief.angle or NONE,
        "proof_points": brief.proof_points or NONE,
        "keywords": ", ".join(brief.keywords) or NONE,
        "brainstorming": brief.brainstorming_context or NONE,
        "call_to_action": brief.cta_action or NONE,
        "voice": brand.personas[brief.voice].voice,
        "company_facts": [{"id": fact.id, "fact": fact.text(brief.language)} for fact in brand.facts],
        "evidence": [{"id": f"E{number}", "fact": text} for number, text in enumerate(evidence, start=1)],
        "certificates": ", ".join(brand.certificates.held),
        "language": brief.language,
    }


def plan_with(count: Span) -> type[Plan]:
    """`Plan` with the number of slides that the platform takes: an answer with another is asked for again."""
    slides = (
        list[SlideIntent],
        Field(
            min_length=count.least,
            max_length=count.most,
            description=f"{count} slides, in the order in which they are seen",
        ),
    )
    return create_model("Plan", __base__=Plan, __doc__=Plan.__doc__, slides=slides)


def tidy(plan: Plan) -> Plan:
    """The plan with plain texts, and with the roles that the places of its slides give them."""
    roles = roles_of(len(plan.slides))
    return Plan(
        hook=one_line(plan.hook),
        narrative=one_line(plan.narrative),
        slides=[
            SlideIntent(
                role=role,
                purpose=one_line(slide.purpose),
                picture=one_line(slide.picture),
                asset_query=one_line(slide.asset_query),
            )
            for role, slide in zip(roles, plan.slides, strict=True)
        ],
    )

"""The rules of a plan."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from infra.local.emulator.writing.compose import compose_json
from services.sequence.plan import broken_rules, checked_plan, plan_sequence
from shared.content.brand import load_brand
from shared.model.prompts import RenderedPrompt
from tests.services.sequence.plans import TOPICS, planned, requested

BRAND = load_brand()


class Writing:
    """Models that write from the prompt, as the emulator does, and note what they were asked."""

    def __init__(self) -> None:
        self.prompts: list[RenderedPrompt] = []

    async def text(self, prompt: RenderedPrompt, schema: type[Any], *, variant: int = 0) -> Any:
        assert variant == 0
        self.prompts.append(prompt)
        return schema.model_validate(compose_json(schema.model_json_schema(), f"{prompt.system}\n{prompt.text}"))


def test_a_good_plan_breaks_no_rule():
    assert broken_rules(planned(), requested(), BRAND) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "carousel"}, "kind carousel is not one of blog"),
        ({"angle": "Corta 40% do custo."}, "the number 40"),
        ({"title": "Lotes depois de 2024"}, "the number 2024"),
        ({"topic": "A ISO 14971 e os lotes"}, "the number 14971"),
        ({"narrative": "Nossos implantes são 100% seguros."}, "of the kind efficacy"),
        ({"adds": "A Lifetrek Medical tem certificação MDSAP."}, "of the kind certificate"),
    ],
)
def test_what_is_not_given_is_not_planned(changes: dict[str, Any], said: str):
    assert said in "; ".join(broken_rules(planned(**changes), requested(), BRAND))


def test_numbers_of_the_request_and_of_the_brand_may_be_named():
    plan = planned(angle="O que a ISO 13485 pede a um lote de 500 peças.", narrative="Tudo em 3 textos.")
    assert broken_rules(plan, requested(goal="Lotes de 500 peças"), BRAND) == []


@pytest.mark.parametrize("other", ["o que é um LOTE", "Como se registra um lote?"])
def test_two_posts_on_the_same_topic_are_refused(other: str):
    plan = planned(TOPICS[0], TOPICS[1], other)
    assert any("have the same topic" in rule for rule in broken_rules(plan, requested(), BRAND))


@pytest.mark.parametrize("topics", [TOPICS[:2], (*TOPICS, "E mais um assunto")])
def test_too_few_and_too_many_posts_are_refused(topics: tuple[str, ...]):
    plan = planned(*topics)
    assert f"{len(topics)} posts, 3 are asked for" in broken_rules(plan, requested(), BRAND)
    with pytest.raises(ValidationError, match="posts"):
        checked_plan(requested(), BRAND).model_validate(plan.model_dump())


def test_the_model_is_told_which_rule_it_broke():
    answer = planned(angle="Corta 40% do custo.").model_dump()
    with pytest.raises(ValidationError, match=r"the number 40 in .* is not given: leave it out"):
        checked_plan(requested(), BRAND).model_validate(answer)


@pytest.mark.parametrize(
    ("topic", "language"),
    [("Rastreabilidade e UDI em implantes", "pt-BR"), ("Swiss turning of pedicle screws", "en")],
)
@pytest.mark.parametrize("count", [1, 3, 10])
async def test_the_emulators_plans_keep_the_rules(topic: str, language: str, count: int):
    request = requested(topic=topic, language=language, count=count)
    plan = await plan_sequence(Writing(), request, BRAND)
    assert len(plan.posts) == count
    assert broken_rules(plan, request, BRAND) == []


async def test_different_topics_get_different_plans():
    plans = [
        await plan_sequence(Writing(), requested(topic=topic), BRAND)
        for topic in ("Eletropolimento de implantes", "Qualificação de fornecedores", "Sala limpa ISO 7")
    ]
    assert len({tuple(post.adds for post in plan.posts) for plan in plans}) == len(plans)


async def test_the_prompt_has_what_the_company_may_say_and_what_was_asked():
    models = Writing()
    await plan_sequence(models, requested(tone="calmo", brainstormingContext="o contrário"), BRAND)
    [prompt] = models.prompts
    assert prompt.ref == "plan_sequence@1"
    for expected in ("ISO 13485:2016", "calmo", "o contrário", BRAND.personas["company"].voice.split(".")[0]):
        assert expected in prompt.text


def test_a_plan_is_a_plan_whatever_the_rules():
    assert issubclass(checked_plan(requested(), BRAND), BaseModel)

"""Fact-checking: what holds stays, what does not is put right once or goes, and all of it is counted."""

from typing import Any

import pytest

from services.blog.article import Article, Sentence
from services.blog.checks import CitationTally
from services.blog.headline import without_claims
from services.blog.payload import BlogRequest
from services.blog.verify import FactChecker, Verification
from shared.content.brand import load_brand
from shared.engine.errors import ModelUnavailable
from shared.model.prompts import RenderedPrompt
from tests.services.blog.articles import article, company, report, said, web
from tests.services.blog.honest import records, verdicts
from tests.shared.research.scripted import Answer, ScriptedModels

BRAND = load_brand()
REQUEST = BlogRequest(topic="Registros segundo a ISO 13485")
E1 = web("E1", "Os registros são guardados por dois anos a partir da liberação do produto.")
C1 = company("C1", "A Lifetrek Medical é certificada segundo a ISO 13485:2016.")


async def quiet(*_: Any) -> None:
    pass


def judging(**wrong: dict[str, Any]) -> Answer:
    """Verdicts that support everything but the sentences with these words in them."""

    def answer(prompt: RenderedPrompt) -> dict[str, Any]:
        found = verdicts(prompt)
        for item, verdict in zip(records(prompt, "sentences"), found["verdicts"], strict=True):
            for words, change in wrong.items():
                if words in item["sentence"]:
                    verdict.update(change)
        return found

    return answer


def rewriting(text: str, *evidence_ids: str) -> Answer:
    def answer(prompt: RenderedPrompt) -> dict[str, Any]:
        return {
            "sentences": [
                {"id": item["id"], "text": text, "evidence_ids": list(evidence_ids)}
                for item in records(prompt, "sentences")
            ]
        }

    return answer


async def check(
    *sentences: Sentence, judge: Answer = verdicts, rewrite: Answer | None = None, whole: Article | None = None
) -> tuple[Verification, ScriptedModels]:
    models = ScriptedModels({"verify_sentences": judge, "rewrite_sentences": rewrite or {"sentences": []}})
    checker = FactChecker(models, REQUEST, report(E1, C1), BRAND)
    return await checker.verify(whole or article(list(sentences)), quiet), models


def texts(verified: Verification) -> list[str]:
    return [sentence.text for sentence in verified.article.sections[0].sentences]


async def test_a_sentence_that_its_quote_says_is_kept_and_counted():
    verified, models = await check(
        said("Os registros ficam guardados por 2 anos.", "E1"), said("Vale a pena conferir.")
    )
    assert len(texts(verified)) == 2
    assert verified.tally == CitationTally(checked=1, held=1)
    assert verified.tally.share == 1.0
    assert verified.findings == []
    assert models.made.count("rewrite_sentences") == 0


async def test_a_figure_that_is_not_in_the_quote_never_reaches_the_judge():
    verified, models = await check(said("Os registros ficam guardados por 10 anos.", "E1"))
    assert texts(verified) == []
    [finding] = verified.findings
    assert (finding.kind, finding.action, finding.part) == ("unsupported", "removed", "section 1")
    assert "10" in finding.reason
    assert not any("10 anos" in prompt.text for prompt in models.prompts if prompt.name == "verify_sentences")
    assert verified.tally == CitationTally(checked=1, removed=1)


async def test_a_sentence_put_right_is_checked_again_and_recorded():
    verified, _ = await check(
        said("Os registros ficam guardados por 10 anos.", "E1"),
        rewrite=rewriting("Os registros ficam guardados por dois anos.", "E1"),
    )
    assert texts(verified) == ["Os registros ficam guardados por dois anos."]
    assert verified.tally == CitationTally(checked=1, rewritten=1)
    assert verified.tally.share == 0.0
    assert verified.findings[0].action == "rewritten"
    assert verified.findings[0].sentence == "Os registros ficam guardados por 10 anos."


async def test_a_sentence_that_is_still_wrong_after_rewriting_goes():
    verified, models = await check(
        said("Os registros ficam guardados por 10 anos.", "E1"), rewrite=rewriting("Ficam por 12 anos.", "E1")
    )
    assert texts(verified) == []
    assert models.made.count("rewrite_sentences") == 1


async def test_what_the_judge_does_not_support_is_rewritten_or_goes():
    verified, _ = await check(
        said("Os registros provam a qualidade.", "E1"),
        judge=judging(provam={"supported": False, "reason": "O trecho fala de prazo."}),
    )
    assert texts(verified) == []
    assert verified.findings[0].reason == "O trecho fala de prazo."


async def test_a_sentence_without_a_verdict_does_not_pass():
    verified, _ = await check(said("Os registros ficam guardados por dois anos.", "E1"), judge={"verdicts": []})
    assert texts(verified) == []
    assert "no verdict" in verified.findings[0].reason


async def test_a_judge_that_is_away_lets_nothing_pass():
    with pytest.raises(ModelUnavailable):
        await check(said("Os registros ficam guardados.", "E1"), judge=ModelUnavailable("503"))


@pytest.mark.parametrize(
    "text",
    [
        "A reprovação cai 37% com bons registros.",
        "Desde 1998 todos guardam registros.",
        "A ISO 14971 manda guardar registros.",
        "A RDC 999 manda guardar registros.",
    ],
)
async def test_a_fact_without_a_source_goes(text: str):
    verified, _ = await check(said(text))
    assert texts(verified) == []
    assert (verified.findings[0].kind, verified.tally.checked) == ("uncited", 0)


async def test_naming_the_standard_of_the_topic_needs_no_source():
    verified, _ = await check(said("É aqui que a ISO 13485 ajuda quem compra."))
    assert len(texts(verified)) == 1


async def test_an_uncited_fact_that_only_the_judge_sees_goes():
    verified, _ = await check(
        said("Toda fábrica japonesa guarda registros em papel."),
        judge=judging(japonesa={"supported": False, "reason": "É um fato sem fonte."}),
    )
    assert verified.findings[0].kind == "uncited"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Nossos implantes aceleram a cicatrização do paciente.", "clinical"),
        ("O acabamento é clinicamente comprovado.", "efficacy"),
        ("A Lifetrek é certificada pela FDA.", "certificate"),
        ("Nossa fábrica possui certificação ISO 9001.", "certificate"),
    ],
)
async def test_a_forbidden_claim_goes_even_with_a_source_and_is_not_rewritten(text: str, kind: str):
    verified, models = await check(said(text, "E1"))
    assert texts(verified) == []
    assert verified.findings[0].kind == kind
    assert models.made.count("rewrite_sentences") == 0


async def test_a_forbidden_claim_that_only_the_judge_sees_goes():
    verified, _ = await check(
        said("O osso agradece a quem escolhe bem.", "E1"),
        judge=judging(agradece={"forbidden_claim": "clinical", "reason": "Promete efeito no corpo."}),
    )
    assert verified.findings[0].kind == "clinical"


async def test_a_certificate_that_the_company_holds_may_be_named():
    verified, _ = await check(said("Somos certificados segundo a ISO 13485:2016.", "C1"))
    assert len(texts(verified)) == 1


async def test_what_was_checked_before_is_not_asked_or_counted_again():
    first, _ = await check(said("Os registros ficam guardados por dois anos.", "E1"))
    again, models = await check(whole=first.article)
    assert again.article == first.article
    assert (models.made, again.tally) == ([], CitationTally())


async def test_headline_texts_that_claim_too_much_are_replaced_from_the_article():
    whole = article([said("Os registros ficam guardados por dois anos.", "E1")])
    claiming = whole.headline.model_copy(
        update={
            "title": "Implantes que aceleram a cicatrização em 37% dos casos, veja como",
            "excerpt": "Corte 40% do custo.",
        }
    )
    headline, findings = without_claims(claiming, whole, REQUEST, BRAND)
    assert [(finding.part, finding.action) for finding in findings] == [("headline", "replaced")] * 2
    assert headline.title.startswith("Registros segundo a ISO 13485")
    assert 50 <= len(headline.title) <= 70
    assert "40" not in headline.excerpt
    assert headline.seo_title == whole.headline.seo_title

"""Small articles and research reports for tests."""

from services.blog.article import CONCLUSION, INTRODUCTION, Article, Headline, Part, Sentence, section_name
from shared.content.brand import Language
from shared.research.evidence import Evidence
from shared.research.report import ResearchReport

HEADLINE = Headline(
    title="Registros de lote: o que conferir antes da próxima auditoria",
    excerpt="Que registros o fornecedor guarda e como conferir isso antes que o auditor pergunte por eles.",
    seo_title="Registros de lote: o que conferir",
    seo_description="Que registros o fornecedor guarda.",
    tags=["registros"],
)


def web(key: str, quote: str, url: str = "https://a.test/x") -> Evidence:
    return Evidence(
        id=key,
        origin="web",
        quote=quote,
        statement=quote,
        title=f"Título de {url}",
        url=url,
        site="a.test",
        published="2026-03-11",
        fetched_at="2026-11-22T12:00:00+00:00",
    )


def company(key: str, quote: str) -> Evidence:
    return Evidence(id=key, origin="company", quote=quote, statement=quote, title="Lifetrek Medical, dados da empresa")


def report(*evidence: Evidence, language: Language = "pt-BR") -> ResearchReport:
    return ResearchReport(
        topic="Registros",
        level="light",
        language=language,
        questions=[],
        queries=[],
        evidence=[item for item in evidence if item.origin == "web"],
        company_facts=[item for item in evidence if item.origin == "company"],
        sources=[],
        problems=[],
        rounds=1,
        is_sufficient=True,
        gap="",
    )


def said(text: str, *evidence_ids: str) -> Sentence:
    return Sentence(text=text, evidence_ids=list(evidence_ids))


def article(*sections: list[Sentence], introduction: str = "Quem compra precisa conferir.") -> Article:
    """One paragraph a section."""
    return Article(
        introduction=Part(name=INTRODUCTION, paragraphs=[[said(introduction)]]),
        sections=[
            Part(name=section_name(number), heading=f"Passo {number}", paragraphs=[sentences] if sentences else [])
            for number, sentences in enumerate(sections, start=1)
        ],
        conclusion=Part(name=CONCLUSION, heading="E agora", paragraphs=[[said("Fale com a nossa engenharia.")]]),
        headline=HEADLINE,
    )

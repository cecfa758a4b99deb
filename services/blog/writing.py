"""Planning and writing: strategy, introduction, section by section, conclusion; and changes to what was written."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from services.blog.answers import PlannedSection, Strategy, WrittenConclusion, WrittenPart
from services.blog.article import (
    CONCLUSION,
    INTRODUCTION,
    Article,
    Part,
    Sentence,
    known_ids,
    paragraphs_from,
    section_name,
)
from services.blog.payload import BlogRequest
from shared.content.brand import Brand
from shared.model.prompts import load_prompt
from shared.plain import one_line
from shared.research.collect import Report, ResearchModels
from shared.research.evidence import Evidence
from shared.research.report import ResearchReport
from shared.research.research import evidence_lines

_PACKAGE = Path(__file__).parent
_NONE = "(none)"
_TITLES_OF_CATEGORIES = {
    "educational": "educational: explains a subject so that readers can judge and act",
    "product": "product: shows what a kind of product is, how it is made and how to choose it",
    "market": "market: explains a development in the market or in regulation and what follows from it",
    "social_proof": "social proof: shows by how the company works why it can be relied on, with company facts alone",
}

TARGET_WORDS = 1_100
_INTRODUCTION_WORDS = 110
_CONCLUSION_WORDS = 140
_FEW = 3
_MAX_KEYWORDS = 8
_MAX_KEYWORD_CHARS = 80


class Writer:
    """Writes one article: the same request, evidence and voice in every prompt."""

    def __init__(self, models: ResearchModels, request: BlogRequest, research: ResearchReport, brand: Brand) -> None:
        self._models = models
        self._request = request
        self._research = research
        self._evidence = research.by_id
        self._voice = brand.personas[request.voice].voice

    async def plan(self) -> Strategy:
        """Angle, outline, keywords and call to action. Sections keep only ids of evidence that exists."""
        request = self._request
        prompt = load_prompt(_PACKAGE, "strategy").render(
            topic=request.topic,
            audience=request.audience,
            pain_point=request.pain_point or _NONE,
            desired_outcome=request.desired_outcome or _NONE,
            angle=request.angle or _NONE,
            brainstorming=request.brainstorming_context or _NONE,
            proof_points=request.proof_points or _NONE,
            category=_TITLES_OF_CATEGORIES[request.category],
            keywords=", ".join(request.keywords) or _NONE,
            voice=self._voice,
            evidence=evidence_lines(self._research.evidence),
            company_facts=evidence_lines(self._research.company_facts),
            gap=self._research.gap or _NONE,
            call_to_action=request.cta_action or _NONE,
            language=request.language,
        )
        strategy = await self._models.text(prompt, Strategy)
        sections = [
            PlannedSection(
                heading=one_line(section.heading).rstrip(".:"),
                purpose=one_line(section.purpose),
                evidence_ids=known_ids(section.evidence_ids, self._evidence),
            )
            for section in strategy.sections
        ]
        keywords = (one_line(keyword, max_chars=_MAX_KEYWORD_CHARS) for keyword in strategy.seo_keywords)
        keywords = list(dict.fromkeys(keyword for keyword in keywords if keyword))[:_MAX_KEYWORDS]
        return strategy.model_copy(update={"sections": sections, "seo_keywords": keywords or [request.topic]})

    async def introduction(self, strategy: Strategy, feedback: str = "") -> Part:
        """The introduction, from the outline."""
        request = self._request
        prompt = load_prompt(_PACKAGE, "write_introduction").render(
            topic=request.topic,
            audience=request.audience,
            pain_point=request.pain_point or _NONE,
            angle=strategy.angle,
            outline=_outline(strategy),
            voice=self._voice,
            evidence=evidence_lines(self._research.evidence),
            company_facts=evidence_lines(self._research.company_facts),
            feedback=feedback or _NONE,
            words=str(_INTRODUCTION_WORDS),
            language=request.language,
        )
        written = await self._models.text(prompt, WrittenPart)
        paragraphs = paragraphs_from(written.paragraphs, self._evidence)
        return Part(name=INTRODUCTION, paragraphs=paragraphs, evidence_ids=_cited(paragraphs))

    async def section(
        self, strategy: Strategy, number: int, so_far: Sequence[Part], *, words: int, feedback: str = ""
    ) -> Part:
        """Section `number` (from 1), going on from the parts before it."""
        request, plan = self._request, strategy.sections[number - 1]
        own, company = self._for_section(strategy, plan)
        prompt = load_prompt(_PACKAGE, "write_section").render(
            topic=request.topic,
            audience=request.audience,
            angle=strategy.angle,
            outline=_outline(strategy),
            heading=plan.heading,
            purpose=plan.purpose,
            evidence=evidence_lines(own),
            company_facts=evidence_lines(company),
            written_so_far=_text_of(so_far),
            keywords=", ".join(strategy.seo_keywords),
            voice=self._voice,
            feedback=feedback or _NONE,
            words=str(words),
            language=request.language,
        )
        written = await self._models.text(prompt, WrittenPart)
        return Part(
            name=section_name(number),
            heading=plan.heading,
            purpose=plan.purpose,
            evidence_ids=[item.id for item in [*own, *company]],
            paragraphs=paragraphs_from(written.paragraphs, self._evidence),
        )

    async def conclusion(self, strategy: Strategy, so_far: Sequence[Part], feedback: str = "") -> Part:
        """The end, with the call to action as its last sentence."""
        request = self._request
        prompt = load_prompt(_PACKAGE, "write_conclusion").render(
            topic=request.topic,
            audience=request.audience,
            desired_outcome=request.desired_outcome or _NONE,
            angle=strategy.angle,
            call_to_action=strategy.call_to_action,
            written_so_far=_text_of(so_far),
            company_facts=evidence_lines(self._research.company_facts),
            voice=self._voice,
            feedback=feedback or _NONE,
            words=str(_CONCLUSION_WORDS),
            language=request.language,
        )
        written = await self._models.text(prompt, WrittenConclusion)
        return Part(
            name=CONCLUSION,
            heading=one_line(written.heading).rstrip(".:"),
            purpose=strategy.call_to_action,
            evidence_ids=[item.id for item in self._research.company_facts],
            paragraphs=paragraphs_from(written.paragraphs, self._evidence),
        )

    async def all_parts(self, strategy: Strategy, report: Report) -> list[Part]:
        """Introduction, sections and conclusion, one after the other, each knowing what came before."""
        total = len(strategy.sections)
        words = words_a_section(total)
        await report("Writing the introduction…", 0, total)
        parts = [await self.introduction(strategy)]
        for number in range(1, total + 1):
            await report(f"Writing section {number} of {total}…", number - 1, total)
            parts.append(await self.section(strategy, number, parts, words=words))
        await report("Writing the conclusion…", total, total)
        return [*parts, await self.conclusion(strategy, parts)]

    async def resized(self, part: Part, words: int) -> Part:
        """A section made longer or shorter. Sentences that stay as they were keep that they were checked."""
        direction = "lengthen" if words > part.words else "shorten"
        prompt = load_prompt(_PACKAGE, "adjust_length").render(
            heading=part.heading,
            purpose=part.purpose,
            section=[{"text": item.text, "evidence_ids": item.evidence_ids} for item in part.sentences],
            evidence=evidence_lines([self._evidence[key] for key in part.evidence_ids]),
            direction=direction,
            words=str(words),
            voice=self._voice,
            language=self._request.language,
        )
        written = await self._models.text(prompt, WrittenPart)
        known = {(item.text, tuple(item.evidence_ids)): item for item in part.sentences}
        paragraphs = [
            [known.get((item.text, tuple(item.evidence_ids)), item) for item in paragraph]
            for paragraph in paragraphs_from(written.paragraphs, self._evidence)
        ]
        return part.model_copy(update={"paragraphs": paragraphs})

    async def revised(
        self, article: Article, strategy: Strategy, feedback: Mapping[str, str], report: Report
    ) -> Article:
        """The article with the parts that `feedback` names (by part name) written again, in order."""
        words = words_a_section(len(strategy.sections))
        parts: list[Part] = []
        for part in article.parts:
            wish = feedback.get(part.name)
            if wish is None:
                parts.append(part)
                continue
            await report(f"Revising {part.name} after the review…", None, None)
            if part.name == INTRODUCTION:
                parts.append(await self.introduction(strategy, wish))
            elif part.name == CONCLUSION:
                parts.append(await self.conclusion(strategy, parts, wish))
            else:
                number = article.sections.index(part) + 1
                parts.append(await self.section(strategy, number, parts, words=words, feedback=wish))
        return article.with_parts({part.name: part for part in parts})

    def _for_section(self, strategy: Strategy, plan: PlannedSection) -> tuple[list[Evidence], list[Evidence]]:
        """Evidence and company facts for one section: what was planned; if that is little, also what no section has."""
        planned = {key for section in strategy.sections for key in section.evidence_ids}
        chosen = [item for item in self._evidence.values() if item.id in plan.evidence_ids]
        spare = [item for item in self._research.evidence if item.id not in planned]
        own = [item for item in chosen if item.origin == "web"]
        own += spare if len(own) < _FEW else []
        company = [item for item in chosen if item.origin == "company"]
        return own, company if own or company else self._research.company_facts


def words_a_section(sections: int) -> int:
    """Words that each section should have for the article to come out at about 1,100."""
    return round((TARGET_WORDS - _INTRODUCTION_WORDS - _CONCLUSION_WORDS) / sections / 10) * 10


def _outline(strategy: Strategy) -> list[dict[str, str]]:
    return [{"heading": section.heading, "purpose": section.purpose} for section in strategy.sections]


def _text_of(parts: Iterable[Part]) -> str:
    return "\n\n".join(part.as_text() for part in parts) or _NONE


def _cited(paragraphs: Iterable[Iterable[Sentence]]) -> list[str]:
    ids = (key for paragraph in paragraphs for sentence in paragraph for key in sentence.evidence_ids)
    return list(dict.fromkeys(ids))

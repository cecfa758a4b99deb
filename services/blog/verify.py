"""Fact-checking: each sentence against the quotes that it cites. What does not hold is rewritten once, or goes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from services.blog.answers import RewrittenSentence, RewrittenSentences, SentenceVerdict, Verdicts
from services.blog.article import Article, Part, Sentence, as_sentence, known_ids
from services.blog.checks import CitationTally, Finding, Problem, claim_problem, problem_of
from services.blog.payload import BlogRequest
from shared.agreement import standards
from shared.concurrently import concurrently
from shared.content.brand import Brand
from shared.model.prompts import load_prompt
from shared.plain import one_line
from shared.research.collect import Report, ResearchModels
from shared.research.evidence import Evidence
from shared.research.report import ResearchReport
from shared.research.research import evidence_lines

_PACKAGE = Path(__file__).parent


class Verification(BaseModel):
    """An article after fact-checking."""

    article: Article
    tally: CitationTally
    findings: list[Finding]


class FactChecker:
    """Checks the sentences of one article that were not checked before."""

    def __init__(self, models: ResearchModels, request: BlogRequest, research: ResearchReport, brand: Brand) -> None:
        self._models = models
        self._request = request
        self._evidence = research.by_id
        self._brand = brand
        about = [request.topic, *request.keywords, *(item.quote for item in self._evidence.values())]
        self._named_standards = {name for text in about for name in standards(text)}

    async def verify(self, article: Article, report: Report) -> Verification:
        """Checks all parts at the same time. Raises what a model raises: an unchecked article goes nowhere."""
        done = 0

        async def one(part: Part) -> "_CheckedPart":
            nonlocal done
            checked = await self._check_part(part)
            done += 1
            await report(f"Checking citations: {done} of {len(article.parts)} parts", done, len(article.parts))
            return checked

        results = await concurrently(one(part) for part in article.parts)
        tally, findings = CitationTally(), list[Finding]()
        for result in results:
            tally = tally.plus(result.tally)
            findings += result.findings
        return Verification(
            article=article.with_parts({result.part.name: result.part for result in results}),
            tally=tally,
            findings=findings,
        )

    async def _check_part(self, part: Part) -> "_CheckedPart":
        found = _CheckedPart(part)
        new = {f"S{number}": s for number, s in enumerate(part.sentences, start=1) if s.checked == "no"}
        problems = await self._problems(new)
        to_rewrite = {key: problem for key, problem in problems.items() if not problem.is_forbidden}
        rewritten = await self._rewrite(part, new, to_rewrite)
        again = await self._problems(rewritten)
        kept: list[Sentence | None] = []
        for number, sentence in enumerate(part.sentences, start=1):
            key = f"S{number}"
            if key not in problems:
                kept.append(found.held(sentence))
            elif key in rewritten and key not in again:
                kept.append(found.rewritten(sentence, problems[key], rewritten[key]))
            else:
                kept.append(found.removed(sentence, again.get(key, problems[key])))
        found.part = part.with_sentences(kept)
        return found

    async def _problems(self, sentences: Mapping[str, Sentence]) -> dict[str, Problem]:
        """The sentences that cannot stay: first by rule, then, for the rest, by a model's verdict."""
        problems = {
            key: problem
            for key, sentence in sentences.items()
            if (problem := problem_of(sentence, self._evidence, self._named_standards, self._brand))
        }
        to_judge = {key: sentence for key, sentence in sentences.items() if key not in problems}
        if not to_judge:
            return problems
        prompt = load_prompt(_PACKAGE, "verify_sentences").render(
            sentences=[
                {
                    "id": key,
                    "sentence": sentence.text,
                    "evidence": [
                        {"quote": self._evidence[cited].quote, "source": self._evidence[cited].title}
                        for cited in sentence.evidence_ids
                    ],
                }
                for key, sentence in to_judge.items()
            ],
            certificates="\n".join(self._brand.certificates.held),
            language=self._request.language,
        )
        answer = await self._models.text(prompt, Verdicts)
        verdicts = {verdict.id.strip(): verdict for verdict in answer.verdicts}
        for key, sentence in to_judge.items():
            if problem := _judged(sentence, verdicts.get(key)):
                problems[key] = problem
        return problems

    async def _rewrite(
        self, part: Part, sentences: Mapping[str, Sentence], problems: Mapping[str, Problem]
    ) -> dict[str, Sentence]:
        """The sentences with problems, put right; those that are better left out are missing."""
        if not problems:
            return {}
        cited = [key for sentence in part.sentences for key in sentence.evidence_ids]
        offered = known_ids([*part.evidence_ids, *cited], self._evidence)
        prompt = load_prompt(_PACKAGE, "rewrite_sentences").render(
            sentences=[
                {
                    "id": key,
                    "sentence": sentences[key].text,
                    "evidence_ids": sentences[key].evidence_ids,
                    "problem": problem.reason,
                }
                for key, problem in problems.items()
            ],
            evidence=evidence_lines([self._evidence[key] for key in offered]),
            voice=self._brand.personas[self._request.voice].voice,
            language=self._request.language,
        )
        answer = await self._models.text(prompt, RewrittenSentences)
        return {
            key: sentence
            for rewritten in answer.sentences
            if (key := rewritten.id.strip()) in problems and (sentence := _put_right(rewritten, self._evidence))
        }


class _CheckedPart:
    """A part with what its checking found."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.tally = CitationTally()
        self.findings: list[Finding] = []

    def held(self, sentence: Sentence) -> Sentence:
        """Notes a sentence that may stay; one that was checked earlier is not counted again."""
        if sentence.checked != "no":
            return sentence
        self._count(sentence, "held")
        return sentence.model_copy(update={"checked": "held"})

    def rewritten(self, sentence: Sentence, problem: Problem, new: Sentence) -> Sentence:
        """Notes a sentence that was put right, and gives its new form."""
        self._count(sentence, "rewritten")
        self._note(sentence, problem, "rewritten")
        return new.model_copy(update={"checked": "rewritten"})

    def removed(self, sentence: Sentence, problem: Problem) -> None:
        """Notes a sentence that goes."""
        self._count(sentence, "removed")
        self._note(sentence, problem, "removed")

    def _count(self, sentence: Sentence, what: str) -> None:
        if sentence.evidence_ids:
            self.tally = self.tally.plus(CitationTally.model_validate({"checked": 1, what: 1}))

    def _note(self, sentence: Sentence, problem: Problem, action: str) -> None:
        self.findings.append(
            Finding.model_validate(
                {
                    "kind": problem.kind,
                    "part": self.part.name,
                    "sentence": sentence.text,
                    "action": action,
                    "reason": problem.reason,
                }
            )
        )


def _judged(sentence: Sentence, verdict: SentenceVerdict | None) -> Problem | None:
    """The problem that a verdict names. No verdict is no support: checking fails closed."""
    kind = "unsupported" if sentence.evidence_ids else "uncited"
    if verdict is None:
        return Problem(kind=kind, reason="The fact checker gave no verdict.")
    if verdict.forbidden_claim != "none":
        return claim_problem(verdict.forbidden_claim)
    if not verdict.supported:
        return Problem(kind=kind, reason=one_line(verdict.reason, max_chars=300) or "Not supported by the quotes.")
    return None


def _put_right(rewritten: RewrittenSentence, evidence: Mapping[str, Evidence]) -> Sentence | None:
    text = as_sentence(rewritten.text)
    return Sentence(text=text, evidence_ids=known_ids(rewritten.evidence_ids, evidence)) if text else None


def parts_left_empty(parts: Sequence[Part]) -> list[str]:
    """Names of the parts that have lost all their sentences."""
    return [part.name for part in parts if not part.sentences]

"""What a program can tell of a sentence without a model, and the record of what was found and done about it."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel

from services.blog.article import Article, Sentence
from shared.agreement import figures, is_named, missing_details, standards
from shared.content.brand import Brand, ClaimKind
from shared.content.claims import forbidden_claim
from shared.research.evidence import Evidence

ProblemKind = Literal["unsupported", "uncited", "clinical", "efficacy", "certificate"]


class Problem(BaseModel):
    """Why a sentence cannot stay as it is."""

    kind: ProblemKind
    reason: str

    @property
    def is_forbidden(self) -> bool:
        """A claim that nothing can support: it goes, without a second try."""
        return self.kind in {"clinical", "efficacy", "certificate"}


class Finding(BaseModel):
    """A sentence that was not fit to print, where it stood, and what was done."""

    kind: ProblemKind
    part: str
    sentence: str
    action: Literal["rewritten", "removed", "replaced"]
    reason: str


class CitationTally(BaseModel):
    """How the citations of an article fared. `checked` sentences cited evidence; `held` did so as written.

    `rewritten` held after they were put right, `removed` did not hold at all.
    """

    checked: int = 0
    held: int = 0
    rewritten: int = 0
    removed: int = 0

    @property
    def share(self) -> float:
        """Share of the checked citations that held as written, 0 to 1; 1 when there was none to check."""
        return round(self.held / self.checked, 4) if self.checked else 1.0

    def plus(self, other: "CitationTally") -> "CitationTally":
        """Both together."""
        return CitationTally(
            checked=self.checked + other.checked,
            held=self.held + other.held,
            rewritten=self.rewritten + other.rewritten,
            removed=self.removed + other.removed,
        )


_CLAIMS: dict[ClaimKind, str] = {
    "clinical": "makes a clinical claim, which a regulated maker must not make",
    "efficacy": "makes an efficacy claim, which a regulated maker must not make",
    "certificate": "claims a certificate or approval that is not on the brand page",
}


def claim_problem(kind: ClaimKind) -> Problem:
    """The problem with a forbidden claim."""
    return Problem(kind=kind, reason=f"The sentence {_CLAIMS[kind]}.")


def problem_of(
    sentence: Sentence, evidence: Mapping[str, Evidence], named_standards: set[str], brand: Brand
) -> Problem | None:
    """What is wrong with the sentence as far as figures, standards and forbidden claims go; None when nothing is.

    `named_standards`: those that the topic or the evidence names; a sentence that states no fact may mention them.
    """
    if claim := forbidden_claim(sentence.text, brand):
        return claim_problem(claim)
    if sentence.evidence_ids:
        quotes = [f"{evidence[key].quote} {evidence[key].title}" for key in sentence.evidence_ids]
        if missing := missing_details(sentence.text, quotes):
            return Problem(kind="unsupported", reason=f"Not in the quotes: {', '.join(missing)}.")
        return None
    loose = [figure.written for figure in figures(sentence.text)]
    loose += [name for name in sorted(standards(sentence.text)) if not is_named(name, named_standards)]
    if loose:
        return Problem(kind="uncited", reason=f"States {', '.join(loose)} without a source.")
    return None


def headline_problem(text: str, topic: str, article: Article, brand: Brand) -> Problem | None:
    """What is wrong with a title, an excerpt or a description: a forbidden claim, or a figure of its own.

    Its figures and standards must be in the article or in the topic that was asked for.
    """
    if claim := forbidden_claim(text, brand):
        return claim_problem(claim)
    if missing := missing_details(text, [article.as_text(), topic]):
        return Problem(kind="unsupported", reason=f"Not in the article: {', '.join(missing)}.")
    return None

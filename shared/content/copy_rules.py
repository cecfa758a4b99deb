"""What no copy may say on any platform: forbidden claims, and figures that nobody gave."""

import re
from collections.abc import Iterator, Sequence

from shared.agreement import missing_details
from shared.content.brand import Brand, ClaimKind
from shared.content.brief import Brief
from shared.content.claims import forbidden_claim
from shared.content.piece import Copy, CopyProblem

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")
_CLAIMS: dict[ClaimKind, str] = {
    "clinical": "makes a clinical claim",
    "efficacy": "makes an efficacy claim",
    "certificate": "claims a certificate that the company does not hold",
}


def known_texts(brief: Brief, evidence: Sequence[str], brand: Brand) -> list[str]:
    """All that figures and standards of a piece may come from: the brief, the brand's facts, the evidence given."""
    facts = [fact.text(brief.language) for fact in brand.facts]
    return [*brief.said, *facts, *brand.certificates.held, *evidence]


def claim_problems(copy: Copy, known: Sequence[str], brand: Brand) -> Iterator[CopyProblem]:
    """Each sentence that claims too much, and each figure or standard that is not in `known`, as written."""
    for part, text in copy.texts.items():
        for sentence in filter(None, _SENTENCE.split(text)):
            if kind := forbidden_claim(sentence, brand):
                yield CopyProblem(part=part, problem=f'"{sentence}" {_CLAIMS[kind]}: leave it out')
            if missing := missing_details(sentence, known):
                named = f'{", ".join(missing)} in "{sentence}"'
                yield CopyProblem(
                    part=part, problem=f"{named} is neither in the request nor in the facts: leave it out"
                )

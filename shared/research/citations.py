"""Numbered references: one number for each source, in the order in which an article first cites it."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from shared.research.evidence import Evidence

COMPANY = "company"


class Reference(BaseModel):
    """One line of the list of references. `url` and `accessed` (ISO date) are None for the company's own records."""

    number: int
    title: str
    url: str | None
    site: str | None
    published: str | None
    accessed: str | None
    evidence_ids: list[str]


def number_references(
    cited: Iterable[str], evidence: Mapping[str, Evidence], *, company_title: str
) -> tuple[list[Reference], dict[str, int]]:
    """The references for evidence ids in order of citation, and the number of each id.

    Evidence from one address shares a number; all company facts and products share one. Unknown ids raise KeyError.
    """
    by_source: dict[str, Reference] = {}
    numbers: dict[str, int] = {}
    for evidence_id in dict.fromkeys(cited):
        item = evidence[evidence_id]
        source = item.url or COMPANY
        if source not in by_source:
            by_source[source] = Reference(
                number=len(by_source) + 1,
                title=item.title if item.url else company_title,
                url=item.url,
                site=item.site,
                published=item.published,
                accessed=item.fetched_at[:10] if item.fetched_at else None,
                evidence_ids=[],
            )
        by_source[source].evidence_ids.append(evidence_id)
        numbers[evidence_id] = by_source[source].number
    return list(by_source.values()), numbers

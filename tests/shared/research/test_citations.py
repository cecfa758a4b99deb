"""References are numbered by source in the order of their first citation."""

import pytest

from shared.research.citations import number_references
from shared.research.evidence import Evidence


def web(key: str, url: str) -> Evidence:
    return Evidence(
        id=key,
        origin="web",
        quote="q",
        statement="s",
        title=f"Título {url}",
        url=url,
        fetched_at="2026-11-22T10:00:00+00:00",
    )


def company(key: str) -> Evidence:
    return Evidence(id=key, origin="company", quote="q", statement="s", title="Lifetrek")


EVIDENCE = {
    item.id: item
    for item in [
        web("E1", "https://a.test/"),
        web("E2", "https://b.test/"),
        web("E3", "https://a.test/"),
        company("C1"),
        company("P1"),
    ]
}


def test_one_number_a_source_in_order_of_citation():
    references, numbers = number_references(["E2", "E1", "E3", "E2"], EVIDENCE, company_title="Lifetrek Medical, dados")
    assert numbers == {"E2": 1, "E1": 2, "E3": 2}
    assert [(reference.number, reference.url) for reference in references] == [
        (1, "https://b.test/"),
        (2, "https://a.test/"),
    ]
    assert references[1].evidence_ids == ["E1", "E3"]
    assert references[0].accessed == "2026-11-22"


def test_the_company_own_records_share_one_number():
    references, numbers = number_references(["C1", "E1", "P1"], EVIDENCE, company_title="Lifetrek Medical, dados")
    assert numbers == {"C1": 1, "E1": 2, "P1": 1}
    assert (references[0].title, references[0].url) == ("Lifetrek Medical, dados", None)


def test_what_is_not_cited_is_not_listed():
    assert number_references([], EVIDENCE, company_title="x") == ([], {})


def test_an_unknown_id_is_a_defect():
    with pytest.raises(KeyError):
        number_references(["E9"], EVIDENCE, company_title="x")

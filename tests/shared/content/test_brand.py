"""The brand file is sound, and what it forbids is found."""

import re

import pytest

from shared.agreement import figures, missing_details
from shared.content.brand import load_brand
from shared.content.claims import claimed_certificates, forbidden_claim

BRAND = load_brand()


def test_colours_and_personas_are_those_of_the_brand():
    assert BRAND.colours["corporate_blue"] == "#004F8F"
    assert set(BRAND.personas) == {"company", "technical_expert", "salesperson"}
    assert all(persona.leads in BRAND.colours for persona in BRAND.personas.values())
    assert BRAND.personas["salesperson"].leads == "innovation_green"


@pytest.mark.parametrize("fact", BRAND.facts, ids=lambda fact: fact.id)
def test_each_fact_says_the_same_in_both_languages(fact):
    in_portuguese, in_english = fact.text("pt-BR"), fact.text("en")
    assert len(figures(in_portuguese)) == len(figures(in_english))
    assert missing_details(in_portuguese, [in_english]) == []
    assert missing_details(in_english, [in_portuguese]) == []


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_no_fact_makes_a_forbidden_claim(language):
    assert [fact.id for fact in BRAND.facts if forbidden_claim(fact.text(language), BRAND)] == []


def test_links_lead_into_the_site():
    assert len(BRAND.site_links) == 3
    for page in BRAND.site_links:
        for language in ("pt-BR", "en"):
            [target] = re.findall(r"\]\(([^)]+)\)", page.sentence.for_language(language))
            assert target == page.path


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Nossas peças aceleram a cicatrização.", "clinical"),
        ("A superfície melhora a osseointegração do implante.", "clinical"),
        ("Isso reduz o risco de infecção.", "clinical"),
        ("Um implante mais seguro para o paciente.", "clinical"),
        ("The surface improves osseointegration.", "clinical"),
        ("It reduces complications after surgery.", "clinical"),
        ("A coating that prevents infection.", "clinical"),
        ("Tecnologia clinicamente comprovada.", "efficacy"),
        ("Um processo 100% seguro.", "efficacy"),
        ("A risk-free choice.", "efficacy"),
        ("Proven to be effective.", "efficacy"),
        ("Somos certificados pela FDA.", "certificate"),
        ("A Lifetrek tem marca CE.", "certificate"),
        ("We hold MDSAP certification.", "certificate"),
        ("A nossa fábrica é certificada segundo a ISO 9001.", "certificate"),
    ],
)
def test_what_a_regulated_maker_must_not_say_is_found(sentence: str, kind: str):
    assert forbidden_claim(sentence, BRAND) == kind


@pytest.mark.parametrize(
    "sentence",
    [
        "A Lifetrek Medical é certificada segundo a ISO 13485:2016.",
        "Atuamos sob a regulação da ANVISA.",
        "O fabricante precisa de registro na FDA.",
        "A ISO 13485 pede que a empresa reduza o risco do processo.",
        "A inspeção reduz o risco de fornecimento.",
        "A norma evita dores de cabeça na auditoria.",
        "Os registros melhoram a conversa com o auditor.",
        "The standard asks for validated processes.",
        "A limpeza evita contaminação cruzada entre lotes.",
        "Ela cede lugar à segurança e ao desempenho do dispositivo.",
        "A cura do adesivo leva um dia.",
    ],
)
def test_what_may_be_said_is_let_through(sentence: str):
    assert forbidden_claim(sentence, BRAND) is None


def test_claimed_certificates_are_named():
    assert claimed_certificates("Temos FDA, MDSAP e ISO 13485.", BRAND) == ["FDA", "MDSAP"]

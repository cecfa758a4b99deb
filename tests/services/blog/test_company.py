"""The company's own records as evidence: those that bear on the topic."""

from services.blog.company import Product, company_facts, research_question
from services.blog.payload import BlogRequest
from shared.content.brand import load_brand

BRAND = load_brand()
PRODUCTS = [
    Product(name="Parafuso pedicular", description="Parafuso de titânio para coluna.", category="coluna"),
    Product(name="Placa TPLO", description="Placa veterinária.", category="veterinária"),
    Product(name="Broca cirúrgica", description="", category="instrumentais"),
]


def facts(topic: str, **more: object) -> dict[str, str]:
    request = BlogRequest.model_validate({"topic": topic, **more})
    return {item.id: item.statement for item in company_facts(request, PRODUCTS, BRAND)}


def test_the_facts_for_any_article_are_always_there():
    assert {"C1", "C2", "C3"} <= set(facts("Qualquer coisa"))


def test_facts_and_products_that_bear_on_the_topic_are_added():
    found = facts("Eletropolimento de parafusos pediculares")
    assert "C6" in found
    assert found["P1"] == "O catálogo da Lifetrek Medical inclui: Parafuso pedicular. Parafuso de titânio para coluna."
    assert "P2" not in found


def test_wishes_and_keywords_count_as_topic():
    assert "C14" in facts("Qualidade", angle="metrologia com máquina CMM")
    assert "Broca cirúrgica." in facts("Qualidade", keywords=["brocas cirúrgicas"])["P1"]


def test_a_description_that_begins_with_its_name_does_not_say_it_twice():
    repeated = [Product(name="Guias cirúrgicos", description="Guias cirúrgicos. Medidas com CMM.", category="")]
    found = {item.id: item.statement for item in company_facts(BlogRequest(topic="Guias"), repeated, BRAND)}
    assert found["P1"] == "O catálogo da Lifetrek Medical inclui: Guias cirúrgicos. Medidas com CMM."


def test_facts_speak_the_language_of_the_article():
    assert facts("x y z", language="en")["C3"] == "Lifetrek Medical is certified to ISO 13485:2016."


def test_there_are_never_too_many():
    topic = "qualidade usinagem cnc metrologia implantes sala limpa udi superfície dureza brocas placas dental coluna"
    assert len(facts(topic)) <= 15


def test_without_research_all_facts_are_there():
    assert len(facts("Quem somos", research_level="none")) == len(BRAND.facts)


def test_the_question_carries_what_is_known():
    question = research_question(BlogRequest(topic="UDI", pain_point="recolhimentos", angle="lotes"), PRODUCTS, BRAND)
    assert question.angle == "lotes\nrecolhimentos"
    assert "C7" in {item.id for item in question.known}

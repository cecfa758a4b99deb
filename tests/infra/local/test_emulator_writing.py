import re
import time
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from infra.local.emulator.language import detect_language, sentences
from infra.local.emulator.web_search import best_sentences, search
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.checking import forbidden_claim, verdicts
from infra.local.emulator.writing.compose import compose_json, compose_text
from infra.local.emulator.writing.fit import fit
from infra.local.emulator.writing.phrases import load_phrases
from tests.infra.local.emulator_server import inputs, json_lines

_TOPIC = "ISO 13485 para compradores de implantes"


class Sentence(BaseModel):
    text: str = Field(min_length=1)
    evidence_ids: list[str]


class Paragraph(BaseModel):
    sentences: list[Sentence] = Field(min_length=1)


class Written(BaseModel):
    paragraphs: list[Paragraph] = Field(min_length=1)


class Concluded(Written):
    heading: str


class Section(BaseModel):
    heading: str = Field(min_length=3)
    purpose: str
    evidence_ids: list[str]


class Plan(BaseModel):
    angle: str
    sections: list[Section] = Field(min_length=3, max_length=5)
    seo_keywords: list[str]
    call_to_action: str
    banner_scene: str


class Headline(BaseModel):
    title: str
    excerpt: str
    seo_title: str
    seo_description: str
    tags: list[str]


class Quote(BaseModel):
    passage: int
    quote: str
    statement: str


class Quotes(BaseModel):
    quotes: list[Quote]


class Reflection(BaseModel):
    is_sufficient: bool
    gap: str
    follow_up_queries: list[str]


class Verdict(BaseModel):
    id: str
    supported: bool
    forbidden_claim: Literal["none", "clinical", "efficacy", "certificate"]
    reason: str


class Verdicts(BaseModel):
    verdicts: list[Verdict]


class Score(BaseModel):
    criterion: str
    score: int = Field(ge=0, le=100)
    reason: str = Field(min_length=1)


class Change(BaseModel):
    part: str
    change: str


class Review(BaseModel):
    scores: list[Score] = Field(min_length=1)
    changes: list[Change]
    summary: str


class Leaf(BaseModel):
    label: str = Field(min_length=5, max_length=12)
    weight: float | None = Field(default=None, ge=0.5, le=0.75)


class Tree(BaseModel):
    leaf: Leaf
    children: Annotated[list["Tree"], Field(max_length=2)] = []
    mode: Literal["fast", "slow"] = "fast"
    either: int | str
    exactly: Annotated[list[int], Field(min_length=4, max_length=4)]
    short: str = Field(max_length=3)
    long: str = Field(min_length=300, max_length=320)


def _write(schema: type[BaseModel], **values: str) -> Any:
    prompt = f"Write.\n{inputs(**values)}"
    return schema.model_validate(compose_json(schema.model_json_schema(), prompt))


def _evidence(query: str = "ISO 13485", language: Literal["pt", "en"] = "pt", most: int = 4) -> list[dict[str, str]]:
    told = [
        (hit.article.title, sentence)
        for hit in search(query, language=language, most=4)
        for sentence in best_sentences(query, hit.article, most)
    ]
    return [
        {"id": f"E{n}", "quote": sentence, "statement": sentence, "source": title}
        for n, (title, sentence) in enumerate(told, start=1)
    ]


def _told(written: Written) -> list[Sentence]:
    return [sentence for paragraph in written.paragraphs for sentence in paragraph.sentences]


def _section(words: int = 180, written_so_far: str = "", language: str = "pt-BR") -> Written:
    tongue: Literal["pt", "en"] = "en" if language == "en" else "pt"
    return _write(
        Written,
        topic=_TOPIC,
        heading="Rastreabilidade do lote",
        purpose="O leitor sabe o que registrar.",
        evidence=json_lines(_evidence("ISO 13485 rastreabilidade lote", tongue)[:5]),
        written_so_far=written_so_far,
        words=str(words),
        language=language,
    )


def test_any_schema_is_filled_within_its_limits():
    tree = _write(Tree, topic=_TOPIC, language="pt-BR")
    assert isinstance(tree, Tree)


def test_same_prompt_same_answer():
    assert _section() == _section()


def test_section_tells_its_evidence_and_says_which():
    told = _told(_section())
    quotes = {item["id"]: item["quote"] for item in _evidence("ISO 13485 rastreabilidade lote")[:5]}
    cited = [sentence for sentence in told if sentence.evidence_ids]
    assert len(cited) >= 3
    for sentence in cited:
        record = {"id": "S1", "sentence": sentence.text, "evidence": [quotes[name] for name in sentence.evidence_ids]}
        assert verdicts(Brief(inputs(sentences=json_lines([record]))))["verdicts"][0]["supported"], sentence.text


def test_sentences_without_evidence_state_nothing_that_could_be_looked_up():
    for sentence in _told(_section()):
        if not sentence.evidence_ids:
            assert not re.search(r"\d|\b(ISO|RDC|ASTM|Anvisa)\b", sentence.text), sentence.text


@pytest.mark.parametrize("words", [120, 180, 260])
def test_section_is_about_as_long_as_asked(words: int):
    written = " ".join(sentence.text for sentence in _told(_section(words)))
    assert words * 0.75 <= len(written.split()) <= words * 1.35


def test_nothing_is_told_twice():
    first = " ".join(sentence.text for sentence in _told(_section()))
    second = [sentence.text for sentence in _told(_section(written_so_far=first))]
    assert not [text for text in second if text in first]
    assert len(set(second)) == len(second)


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_section_is_in_the_language_asked_for(language: str):
    text = " ".join(sentence.text for sentence in _told(_section(language=language)))
    assert detect_language(text) == language[:2]


def test_evidence_in_another_language_is_left_out():
    written = _write(
        Written,
        heading="Rastreabilidade",
        evidence=json_lines(_evidence("traceability", "en")),
        language="pt-BR",
        words="90",
    )
    assert not any(sentence.evidence_ids for sentence in _told(written))


def test_article_plan_gives_each_section_its_evidence():
    evidence = _evidence(most=5)
    plan = _write(
        Plan,
        topic=_TOPIC,
        audience="compradores",
        keywords="ISO 13485",
        evidence=json_lines(evidence),
        language="pt-BR",
    )
    used = [name for section in plan.sections for name in section.evidence_ids]
    assert len(set(used)) == len(used) >= 12
    assert set(used) <= {item["id"] for item in evidence}
    assert all(20 <= len(section.heading) <= 80 and ":" not in section.heading for section in plan.sections)
    assert plan.seo_keywords[0] == "ISO 13485"


def test_conclusion_ends_with_the_call_to_action_and_speaks_as_we():
    facts = [{"id": "C1", "quote": "A Lifetrek Medical tem duas salas limpas classe ISO 7 de 60 m²."}]
    written = _write(
        Concluded,
        topic=_TOPIC,
        company_facts=json_lines(facts),
        written_so_far="O artigo.",
        call_to_action="Agende uma visita.",
        language="pt-BR",
    )
    told = _told(written)
    assert told[-1].text == "Agende uma visita."
    assert any(s.text == "Temos duas salas limpas classe ISO 7 de 60 m²." and s.evidence_ids == ["C1"] for s in told)


@pytest.mark.parametrize(
    "topic",
    [
        "UDI",
        _TOPIC,
        "Como escolher um parceiro de usinagem para dispositivos médicos",
        "Eletropolimento de implantes e rugosidade superficial: do banho ao lote, com exemplos de placas e pinos",
        "Sala limpa ISO classe 7 na montagem de kits",
    ],
)
@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_headline_texts_are_within_their_limits(topic: str, language: str):
    headline = _write(Headline, topic=topic, article="x", language=language)
    lengths = {name: len(getattr(headline, name)) for name in ("title", "seo_title", "seo_description", "excerpt")}
    assert 50 <= lengths["title"] <= 70, headline.title
    assert lengths["seo_title"] < 60, headline.seo_title
    assert 150 <= lengths["seo_description"] <= 160, headline.seo_description
    assert 140 <= lengths["excerpt"] <= 250, headline.excerpt
    assert 3 <= len(headline.tags) <= 6


def test_quotes_are_word_for_word_and_never_orders_to_a_program():
    article = search("qualificação de fornecedores", most=1)[0].article
    passages = "\n\n".join(f"[{n}] {text}" for n, text in enumerate(article.paragraphs, start=1))
    quotes = _write(
        Quotes, topic="Instruções para publicar", passages=passages, how_many="30", language="pt-BR", questions="nota?"
    ).quotes
    assert len(quotes) > 5
    assert all(quote.quote in article.paragraphs[quote.passage - 1] for quote in quotes)
    assert not any("ignore" in quote.quote or "XZ-9000" in quote.quote for quote in quotes)


def test_page_in_another_language_gives_no_quotes():
    passages = "[1] Traceability of a lot begins with the heat number of the bar, and it ends with the customer."
    assert not _write(Quotes, topic=_TOPIC, passages=passages, how_many="5", language="pt-BR").quotes


@pytest.mark.parametrize(("count", "sufficient"), [(3, False), (16, True)])
def test_reflection_wants_more_when_there_is_little(count: int, sufficient: bool):
    reflection = _write(
        Reflection,
        topic=_TOPIC,
        questions="O que a ISO 13485 exige de fornecedores?",
        evidence=json_lines(_evidence(most=5)[:count]),
        asked_before=_TOPIC,
        how_many="2",
        language="pt-BR",
    )
    assert reflection.is_sufficient is sufficient
    assert bool(reflection.follow_up_queries) is not sufficient


@pytest.mark.parametrize(
    ("sentence", "quotes", "supported"),
    [
        (
            "A classe ISO 7 permite 352.000 partículas.",
            ["A classe ISO 7 permite no máximo 352.000 partículas de 0,5 µm."],
            True,
        ),
        (
            "A classe ISO 7 permite 500.000 partículas.",
            ["A classe ISO 7 permite no máximo 352.000 partículas de 0,5 µm."],
            False,
        ),
        ("O titânio foi descoberto na Cornualha.", ["A classe ISO 7 permite no máximo 352.000 partículas."], False),
        ("Vale perguntar cedo e anotar a resposta.", [], True),
        ("A RDC 665 exige registros.", [], False),
    ],
)
def test_verdicts_compare_words_and_figures(sentence: str, quotes: list[str], supported: bool):
    record = {"id": "S1", "sentence": sentence, "evidence": quotes}
    verdict = _write(Verdicts, sentences=json_lines([record]), language="pt-BR").verdicts[0]
    assert (verdict.id, verdict.supported) == ("S1", supported), verdict.reason


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("O implante acelera a cicatrização do paciente.", "clinical"),
        ("Eficácia comprovada em todos os casos.", "efficacy"),
        ("Somos certificados pela FDA.", "certificate"),
        ("Somos certificados segundo a ISO 13485:2016.", "none"),
        ("A eficácia da ação corretiva é verificada.", "none"),
    ],
)
def test_forbidden_claims_are_told_apart(text: str, kind: str):
    assert forbidden_claim(text, "iso 13485:2016 anvisa") == kind


_CRITERIA = json_lines(
    [
        {"name": "evidence", "description": "facts cite sources"},
        {"name": "structure", "description": "clear order"},
        {"name": "call to action", "description": "ends with an invitation"},
    ]
)


def _review(draft: str) -> Review:
    return _write(
        Review, draft=draft, criteria=_CRITERIA, parts="introduction\nsection 1", brief=_TOPIC, language="pt-BR"
    )


def test_review_scores_what_it_measures():
    paragraphs = [f"{item['quote']}[{n}]" for n, item in enumerate(_evidence(most=5), start=1)]
    good = "\n\n".join(
        ["Abertura.", "## Um", *paragraphs[:6], "## Dois", *paragraphs[6:], "## Três", "Fale com a nossa engenharia."]
    )
    poor = "\n\n".join(["Tudo é ótimo e sem risco nenhum."] * 6)
    better, worse = _review(good), _review(poor)
    assert [score.criterion for score in better.scores] == ["evidence", "structure", "call to action"]
    assert all(mine.score > theirs.score for mine, theirs in zip(better.scores, worse.scores, strict=True))
    assert min(score.score for score in better.scores) >= 70
    assert worse.changes
    assert not better.changes or len(better.changes) < len(worse.changes)


@pytest.mark.parametrize(("low", "high"), [(10, 20), (50, 70), (150, 160), (1, 3), (300, 305)])
def test_fitted_texts_have_the_length_and_end_at_words(low: int, high: int):
    text = "A rastreabilidade de um implante começa no certificado da barra e termina no registro do serviço de saúde."
    fitted = fit(text, low, high, ["Leia mais.", "Veja como."])
    assert low <= len(fitted) <= high
    if high > 10:
        assert set(re.findall(r"\w+", fitted)) <= set(re.findall(r"\w+", text + " Leia mais Veja como"))


@pytest.mark.parametrize("language", ["pt", "en"])
def test_own_phrases_state_no_facts_and_claim_nothing(language: Literal["pt", "en"]):
    phrases = load_phrases(language)
    spoken = [line for theme in phrases.themes for line in (*theme.leads, *theme.advice)]
    general = phrases.general
    spoken += [*general["leads"], *general["advice"], *general["hooks"], *general["stakes"], *general["closings"]]
    spoken += [*general["promises"], *general["partner"], *general["calls"]]
    assert len(set(spoken)) == len(spoken)
    records = [{"id": f"S{n}", "sentence": line, "evidence": []} for n, line in enumerate(spoken)]
    judged = verdicts(Brief(inputs(sentences=json_lines(records))))["verdicts"]
    wrong = [spoken[int(v["id"][1:])] for v in judged if not v["supported"] or v["forbidden_claim"] != "none"]
    assert not wrong


def test_sentences_end_where_they_end():
    text = "O Eng. Lins mede 1,9 µm. A norma, cláusula 7.5.9, pede mais. E agora?"
    assert sentences(text) == ["O Eng. Lins mede 1,9 µm.", "A norma, cláusula 7.5.9, pede mais.", "E agora?"]


def test_chat_says_what_it_is():
    assert "emulador" in compose_text("Olá, pode me ajudar com um post sobre TPLO?")


def test_text_answers_are_fast():
    _section()
    begun = time.process_time()
    for words in range(150, 170):
        _section(words)
    assert (time.process_time() - begun) / 20 < 0.06

"""The article's own arithmetic: words, order, replacing and repeating."""

from services.blog.answers import WrittenParagraph
from services.blog.article import paragraphs_from
from tests.services.blog.articles import article, said, web

EVIDENCE = {"E1": web("E1", "q")}


def test_a_model_paragraph_becomes_plain_text_with_known_ids():
    written = WrittenParagraph.model_validate(
        {
            "sentences": [
                {"text": "  uma frase\ncom espaços. ", "evidence_ids": ["E1", "[E1]", "E9", "C1"]},
                {"text": " \u200b ", "evidence_ids": []},
            ]
        }
    )
    [[sentence]] = paragraphs_from([written], EVIDENCE)
    assert (sentence.text, sentence.evidence_ids) == ("Uma frase com espaços.", ["E1"])


def test_what_is_said_twice_is_said_once():
    twice = article(
        [said("Peça o registro."), said("Peça o Registro")], [said("Outra coisa."), said("Peça o registro.", "E1")]
    )
    once = twice.without_repeats()
    assert [[sentence.text for sentence in section.sentences] for section in once.sections] == [
        ["Peça o registro."],
        ["Outra coisa."],
    ]


def test_a_paragraph_that_lost_all_its_sentences_goes():
    [section] = article([said("Fica."), said("Vai.")]).sections
    assert section.with_sentences([None, None]).paragraphs == []
    assert len(section.with_sentences([said("Novo."), None]).paragraphs) == 1


def test_ids_come_in_the_order_of_the_text():
    assert list(article([said("a", "E2")], [said("b", "E1", "E2")]).cited_ids()) == ["E2", "E1", "E2"]

"""Fact checking by comparison: do the quotes hold the words and the figures of the sentence?"""

import re
from typing import Any

from infra.local.emulator.language import Language, content_stems, fold
from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.phrases import load_phrases
from infra.local.emulator.writing.restate import in_language, in_we, paraphrased, similar

_SMALLEST_COVERAGE = 0.6
_FIGURE = re.compile(r"\d+(?:[.,/:]\d+)*")
_LOOKED_UP = re.compile(
    r"\d|\b(?:exige|exigem|requer|requerem|obriga|determina|proíbe|requires?|demands?|prohibits?|mandates?)\b|"
    r"\b(?:ISO|RDC|ASTM|ANVISA|FDA|MDR|MDSAP)\b",
    re.IGNORECASE,
)
_PROMISES = (
    r"\b(?:acelera|melhora|aumenta|garant|assegura|promove|favorece|reduz|diminu|evita|previn|"
    r"accelerat|speed|improv|increas|guarante|ensur|promot|reduc|prevent)\w*\b[^.;]{0,60}\b"
)
_CLINICAL = re.compile(
    _PROMISES + r"(?:cicatriza|osseointegra|recuperação|dor\b|dores\b|infec|complica|rejei|resultados? clínic|sucesso|"
    r"segurança d[oe]s? paciente|healing|recovery|pain\b|clinical|success|patient safety)|"
    r"\bcura(?:m|r)?\b|\btaxas? de sucesso|\bsuccess rates?|\bcures?\b",
    re.IGNORECASE,
)
_EFFICACY = re.compile(
    r"\b(?:comprovadamente|eficácia (?:clínica|comprovada|superior|garantida)|clinicamente (?:testad|comprovad)\w*|"
    r"mais eficaz\w*|100\s?%\s?(?:segur|efica|safe|effective)\w*|sem (?:nenhum |qualquer )risco|livre de risco|"
    r"proven (?:to|safe|effective)|"
    r"clinically (?:tested|proven)|risk[- ]free|zero risk)\b",
    re.IGNORECASE,
)
_WE = re.compile(r"\b(?:Lifetrek|nós|nossas?|nossos?|somos|temos|possuímos|we|our|us)\b", re.IGNORECASE)
_CERTIFIED = re.compile(r"\b(?:certifica\w*|aprova\w*|homologa\w*|certif\w*|approv\w*|cleared)\b", re.IGNORECASE)
_APPROVAL = re.compile(r"\b(?:FDA|CE|MDSAP|MDR|INMETRO|GMP|ISO\s?\d{3,5}(?::\d{4})?|ANVISA)\b")
_TOO_COMMON = frozenset(
    content_stems(
        "além disso mesma forma tempo prática também nesse ponto paralelo vale lembrar convém saber bom ter presente "
        "segundo lembra caso lado acordo texto artigo according article explains addition practice worth remembering "
        "helps know case side nossa nosso fabricamos temos somos our make have own"
    )
)


def verdicts(brief: Brief) -> dict[str, Any]:
    """One verdict a sentence, in order."""
    held = fold(brief.get("certificates"))
    return {"verdicts": [_verdict(record, held, brief.language) for record in brief.records("sentences", "claims")]}


def rewritten(brief: Brief) -> dict[str, Any]:
    """Each sentence as its best evidence says it; empty when there is no evidence for it."""
    evidence = {item.id: item for item in in_language(brief.evidence("evidence"), brief.language)}
    answers: list[dict[str, Any]] = []
    for number, record in enumerate(brief.records("sentences")):
        text = str(record.get("sentence") or record.get("text") or "")
        cited = [evidence[name] for name in record.get("evidence_ids") or [] if name in evidence]
        best = max(cited or [], key=lambda item: similar(item.text, text), default=None)
        if best is None:
            answers.append({"id": record.get("id"), "text": "", "evidence_ids": []})
            continue
        said = in_we(paraphrased(best.text, brief.language, number), brief.language)
        answers.append({"id": record.get("id"), "text": said, "evidence_ids": [best.id]})
    return {"sentences": answers}


def forbidden_claim(text: str, held: str = "") -> str:
    """The kind of claim that a regulated maker must not make, or `none`; `held` are its certificates, folded."""
    if _CLINICAL.search(text):
        return "clinical"
    if _EFFICACY.search(text):
        return "efficacy"
    names = [fold(name) for name in _APPROVAL.findall(text)]
    if names and _WE.search(text) and _CERTIFIED.search(text) and any(name not in held for name in names):
        return "certificate"
    return "none"


def coverage(sentence: str, quotes: str) -> tuple[float, list[str]]:
    """Share of the sentence's own content words that the quotes have, and those that they have not."""
    own = [stem for stem in dict.fromkeys(content_stems(sentence)) if stem not in _TOO_COMMON]
    known = set(content_stems(quotes)) | set(content_stems(_with_synonyms(quotes)))
    missing = [stem for stem in own if stem not in known]
    return (1 - len(missing) / len(own) if own else 1.0), missing


def _verdict(record: dict[str, Any], held: str, language: Language) -> dict[str, Any]:
    reasons = load_phrases(language).general["verdicts"]
    text = str(record.get("sentence") or record.get("text") or record.get("claim") or "")
    quotes = _quotes(record)
    supported, reason = _supported(text, quotes, reasons)
    return {
        "id": str(record.get("id", "")),
        "supported": supported,
        "verdict": "supported" if supported else "unsupported",
        "forbidden_claim": forbidden_claim(text, held),
        "reason": reason,
    }


def _supported(text: str, quotes: str, reasons: dict[str, str]) -> tuple[bool, str]:
    if not quotes:
        looked_up = bool(_LOOKED_UP.search(text))
        return not looked_up, reasons["uncited" if looked_up else "plain"]
    known_figures = set(_FIGURE.findall(quotes))
    strange = [figure for figure in _FIGURE.findall(text) if figure not in known_figures]
    if strange:
        return False, reasons["numbers"].format(what=strange[0])
    share, missing = coverage(_without_titles(text), quotes)
    if share < _SMALLEST_COVERAGE:
        return False, reasons["coverage"].format(what=_whole_word(missing[0], text))
    return True, reasons["supported"]


def _quotes(record: dict[str, Any]) -> str:
    given = record.get("evidence") or record.get("quotes") or record.get("quote") or []
    given = given if isinstance(given, list) else [given]
    texts = [" ".join(str(value) for value in item.values()) if isinstance(item, dict) else str(item) for item in given]
    return "\n".join(texts).strip()


def _with_synonyms(text: str) -> str:
    tables = [load_phrases(language).general["synonyms"] for language in ("pt", "en")]
    return " ".join(str(table.get(word, "")) for word in text.split() for table in tables)


def _without_titles(text: str) -> str:
    # The name of a source in quotation marks is not part of what is claimed.
    return re.sub(r"“[^”]{3,80}”", " ", text)


def _whole_word(stem: str, text: str) -> str:
    return next((word.strip(".,;:“”") for word in text.split() if stem in content_stems(word)), stem)

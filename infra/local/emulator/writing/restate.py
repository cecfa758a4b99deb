"""Says what a quote says, in nearly its words: nothing is added, so it stays as true as the quote."""

import re
from collections.abc import Sequence

from infra.local.emulator.language import Language, content_stems, detect_language
from infra.local.emulator.writing.brief import Evidence
from infra.local.emulator.writing.phrases import load_phrases

_MOST_REPLACED = 2
_STARTERS: dict[Language, frozenset[str]] = {
    "pt": frozenset(
        """o a os as um uma uns umas em no na nos nas para por com sem sob sobre entre cada quando se quem ao à
        aos às do da dos das toda todo todas todos essa esse este esta segundo conforme como antes depois
        durante somos temos fabricamos atuamos""".split()  # noqa: SIM905
    ),
    "en": frozenset(
        """the a an in on at for with without each when if who to from of all this that these those before after
        under both many most some every between by we our""".split()  # noqa: SIM905
    ),
}
_DANGLING: dict[Language, re.Pattern[str]] = {
    "pt": re.compile(
        r"^(?:e|mas|por isso|portanto|assim|porém|contudo|no entanto|além disso|também|isso|isto|ele|ela|eles|elas|"
        r"ess[ea]s?|est[ea]s?|aquel[ea]s?|tal|tais|todos os (?:dois|três)|as duas|os dois|o texto|o artigo|a resposta|"
        r"o resultado|uma boa prática|em um estudo|a conversa|perguntas|na prática)\b",
        re.IGNORECASE,
    ),
    "en": re.compile(
        r"^(?:and|but|so|therefore|thus|however|also|it|they|this|that|these|those|such|both|he|she|"
        r"the (?:first|second|third) step|the exercise|the lesson|here)\b",
        re.IGNORECASE,
    ),
}
# `O conteúdo, porém, …` answers a sentence that is not there.
_TURNING = re.compile(r"^(?:\w+\W+){1,4}(?:porém|contudo|no entanto|also|however|still|too)\b", re.IGNORECASE)
_COMPANY: dict[Language, tuple[tuple[re.Pattern[str], str], ...]] = {
    "pt": (
        (re.compile(r"^No catálogo da Lifetrek Medical: ([^.]+)\..*$"), r"O nosso catálogo inclui o item “\1”."),
        (re.compile(r"^A Lifetrek Medical fabrica\b"), "Fabricamos"),
        (re.compile(r"^A Lifetrek Medical tem\b"), "Temos"),
        (re.compile(r"^A Lifetrek Medical é certificada\b"), "Somos certificados"),
        (re.compile(r"^A Lifetrek Medical atua\b"), "Atuamos"),
        (re.compile(r"\bna própria fábrica\b"), "na nossa própria fábrica"),
        (re.compile(r"^O (torno|centro|comparador|microscópio)\b"), r"O nosso \1"),
        (re.compile(r"^A (máquina|Walter)\b"), r"A nossa \1"),
    ),
    "en": (
        (re.compile(r"^In the catalogue of Lifetrek Medical: ([^.]+)\..*$"), r"Our catalogue has the item “\1”."),
        (re.compile(r"^Lifetrek Medical makes\b"), "We make"),
        (re.compile(r"^Lifetrek Medical has\b"), "We have"),
        (re.compile(r"^Lifetrek Medical is certified\b"), "We are certified"),
        (re.compile(r"^Lifetrek Medical works\b"), "We work"),
        (re.compile(r"^The (Citizen|Doosan|Tornos|FANUC|Walter|ZEISS|CNC|Olympus)\b"), r"Our \1"),
    ),
}


def paraphrased(text: str, language: Language, seed: int = 0) -> str:
    """The sentence with up to two words replaced by words of the same meaning."""
    synonyms: dict[str, str] = load_phrases(language).general["synonyms"]
    found = [word for word in synonyms if re.search(rf"\b{word}\b", text)]
    start = seed % len(found) if found else 0
    for word in (found[start:] + found[:start])[:_MOST_REPLACED]:
        text = re.sub(rf"\b{word}\b", synonyms[word], text, count=1)
    return text


def opened(opening: str, sentence: str, language: Language) -> str | None:
    """The sentence behind an opening such as `Além disso, `; None when its first word cannot be made small safely."""
    first = sentence.split(" ", 1)[0].rstrip(",")
    if first.lower() in _STARTERS[language]:
        return opening + sentence[0].lower() + sentence[1:]
    is_name = any(letter.isdigit() for letter in first) or first.isupper()
    return opening + sentence if is_name and opening.endswith(", ") else None


def stands_alone(sentence: str, language: Language) -> bool:
    """True when a sentence can be understood without the one before it."""
    return _DANGLING[language].match(sentence) is None and _TURNING.match(sentence) is None


def in_we(text: str, language: Language) -> str:
    """A fact about the company, said by the company."""
    for pattern, replacement in _COMPANY[language]:
        text = pattern.sub(replacement, text)
    return text


def in_language(evidence: Sequence[Evidence], language: Language) -> list[Evidence]:
    """Evidence whose text is in the language asked for; the emulator cannot translate."""
    return [item for item in evidence if detect_language(item.text) == language]


def similar(one: str, other: str) -> float:
    """How many of the content stems of the shorter text the longer one shares, 0 to 1."""
    first, second = set(content_stems(one)), set(content_stems(other))
    return len(first & second) / min(len(first), len(second)) if first and second else 0.0

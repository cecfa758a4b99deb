"""Words of Portuguese and English: folding accents, stems, stop words, sentences, which language a text is in."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal

Language = Literal["pt", "en"]

_WORD = re.compile(r"[^\W_]+(?:[-/.][^\W_]+)*")
_STEM_LENGTH = 6
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:Eng|Drª?|Dra|Sra?|art|n[ºo]?|p|ex|e\.g|i\.e|M\.V|Fig|vs|approx)\.$", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”»)]?\s+(?=[\"“«(]?[^\W_a-zà-ÿ])")

_STOP_PT = frozenset(
    """a ao aos as à às até com como da das de dela dele deles do dos e ela elas ele eles em entre era essa esse
    esta este está eu foi for há isso isto já lhe mais mas mesmo muito na nas nem no nos nós não o os ou para
    pela pelas pelo pelos por porque quando que quem se sem ser seu seus sua suas são só também te tem têm um
    uma você cada onde qual quais sobre deve devem pode podem assim então depois antes ainda todo toda todos
    todas outro outra faz fazer""".split()  # noqa: SIM905
)
_STOP_EN = frozenset(
    """a about an and are as at be been before both but by can do does each for from had has have how i if in
    into is it its may more most must no nor not of on only or other our over should so some such than that
    the their them then there these they this those to under until was we were what when which while who why
    will with would you your after also""".split()  # noqa: SIM905
)
STOP_WORDS = frozenset(word for words in (_STOP_PT, _STOP_EN) for word in words)
_PT_MARKS = re.compile(r"[ãõçáâêôàéíú]", re.IGNORECASE)


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """Folded words in order; numbers and names like 7.5.9, iso/iec and Ti-6Al-4V stay whole."""
    return _WORD.findall(fold(text))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude stem that equates inflections: validação, validar, validado; screw, screws."""
    if any(letter.isdigit() for letter in word):
        return word
    for ending in ("coes", "cao", "mente", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            break
    return word[:_STEM_LENGTH]


@lru_cache(maxsize=4096)
def content_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that carry meaning, in order, with repetitions."""
    folded_stops = _folded_stop_words()
    return tuple(stem(word) for word in words(text) if word not in folded_stops and (len(word) > 1 or word.isdigit()))


def overlap(part: str, whole: str) -> float:
    """Share of the different content stems of `part` that occur in `whole`; 0 for an empty part."""
    wanted = set(content_stems(part))
    return len(wanted & set(content_stems(whole))) / len(wanted) if wanted else 0.0


def detect_language(text: str) -> Language:
    """Portuguese or English, by stop words and accents; Portuguese when the text says nothing."""
    found = re.findall(r"[^\W\d_]+", text.casefold())
    portuguese = sum(word in _STOP_PT for word in found) + len(_PT_MARKS.findall(text))
    english = sum(word in _STOP_EN for word in found)
    return "en" if english > portuguese else "pt"


def language_of(name: str) -> Language:
    """The language that a tag or a name means: `en-US`, `English`, `inglês`; everything else is Portuguese."""
    folded = fold(name).strip()
    return "en" if folded.startswith(("en", "ingl")) else "pt"


def sentences(text: str) -> list[str]:
    """Sentences of a text, in order, with their final marks."""
    found: list[str] = []
    for line in text.splitlines():
        joined = ""
        for piece in _SENTENCE_END.split(line.strip()):
            joined = f"{joined} {piece}".strip()
            if not _ABBREVIATION.search(joined):
                found.append(joined)
                joined = ""
        if joined:
            found.append(joined)
    return [sentence for sentence in found if sentence]


@lru_cache(maxsize=1)
def _folded_stop_words() -> frozenset[str]:
    return frozenset(fold(word) for word in STOP_WORDS)

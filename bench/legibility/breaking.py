"""Ways in which image models spoil a text: what is drawn in its place; None for a text that cannot be spoilt so."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from random import Random

from shared.content.legibility.slide_text import SlideText

Breaking = Callable[[SlideText, Random], SlideText | None]

_LONG_WORD = re.compile(r"[^\W\d_]{5,}")
_ALIKE = {
    "a": "e",
    "e": "o",
    "o": "a",
    "i": "a",
    "u": "o",
    "r": "t",
    "n": "s",
    "m": "r",
    "s": "n",
    "t": "d",
    "c": "z",
    "d": "b",
}


def _in_word(text: SlideText, chance: Random, change: Callable[[str], str]) -> SlideText | None:
    """Changes one long word of the headline or, where it has none that changes, of the body."""
    names = ["headline", "body"] if chance.random() < 0.5 else ["body", "headline"]
    for name in names:
        whole = getattr(text, name)
        found = list(_LONG_WORD.finditer(whole))
        chance.shuffle(found)
        for word in found:
            changed = change(word[0])
            if changed != word[0]:
                return replace(text, **{name: whole[: word.start()] + changed + whole[word.end() :]})
    return None


def swapped(text: SlideText, chance: Random) -> SlideText | None:
    """Two neighbouring letters inside a word change places."""

    def change(word: str) -> str:
        places = [place for place in range(1, len(word) - 2) if word[place] != word[place + 1]]
        if not places:
            return word
        at = chance.choice(places)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _in_word(text, chance, change)


def wrong_letter(text: SlideText, chance: Random) -> SlideText | None:
    """A letter is another one."""

    def change(word: str) -> str:
        places = [place for place in range(1, len(word) - 1) if word[place] in _ALIKE]
        if not places:
            return word
        at = chance.choice(places)
        return word[:at] + _ALIKE[word[at]] + word[at + 1 :]

    return _in_word(text, chance, change)


def lost_letter(text: SlideText, chance: Random) -> SlideText | None:
    """A letter is missing."""

    def change(word: str) -> str:
        at = chance.randrange(1, len(word) - 1)
        return word[:at] + word[at + 1 :]

    return _in_word(text, chance, change)


def doubled_syllable(text: SlideText, chance: Random) -> SlideText | None:
    """Two letters are there twice."""

    def change(word: str) -> str:
        at = chance.randrange(1, len(word) - 2)
        return word[: at + 2] + word[at:]

    return _in_word(text, chance, change)


def no_accents(text: SlideText, chance: Random) -> SlideText | None:
    """One accented letter of a word has lost its accent or cedilla."""

    def change(word: str) -> str:
        places = [place for place, char in enumerate(word) if _bare(char) != char]
        if not places:
            return word
        at = chance.choice(places)
        return word[:at] + _bare(word[at]) + word[at + 1 :]

    return _in_word(text, chance, change)


def wrong_digit(text: SlideText, chance: Random) -> SlideText | None:
    """A figure has another digit."""
    places = [
        (name, place)
        for name in ("headline", "body")
        for place, c in enumerate(getattr(text, name))
        if c in "0123456789"
    ]
    if not places:
        return None
    name, at = chance.choice(places)
    whole = getattr(text, name)
    digit = chance.choice([other for other in "0123456789" if other != whole[at]])
    return replace(text, **{name: whole[:at] + digit + whole[at + 1 :]})


def wrong_unit(text: SlideText, chance: Random) -> SlideText | None:
    """Micrometres become millimetres, and the other way round."""
    del chance
    for name in ("headline", "body"):
        whole = getattr(text, name)
        for unit, other in (("µm", "mm"), ("mm", "cm"), ("±", ""), (" <", " >")):
            if re.search(rf"{re.escape(unit)}", whole):
                return replace(text, **{name: whole.replace(unit, other, 1)})
    return None


def lost_word(text: SlideText, chance: Random) -> SlideText | None:
    """A word of the body is not there."""
    words = text.body.split()
    at = chance.randrange(len(words))
    if len(words[at]) < 3:
        at = max(range(len(words)), key=lambda place: len(words[place]))
    return replace(text, body=" ".join(words[:at] + words[at + 1 :]))


def repeated_word(text: SlideText, chance: Random) -> SlideText | None:
    """A word of the body is there twice."""
    words = text.body.split()
    at = chance.choice([place for place, word in enumerate(words) if len(word) > 2])
    return replace(text, body=" ".join([*words[: at + 1], *words[at:]]))


TEXT_FAULTS: dict[str, Breaking] = {
    each.__name__: each
    for each in (
        swapped, wrong_letter, lost_letter, doubled_syllable, no_accents, wrong_digit,
        wrong_unit, lost_word, repeated_word,
    )
}  # fmt: skip


def _bare(char: str) -> str:
    return unicodedata.normalize("NFD", char)[0]

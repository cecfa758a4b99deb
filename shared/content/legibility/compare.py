"""What was read beside what should be there: each word right or wrong, nothing missing, nothing besides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.content.legibility.alignment import SEPARATOR, Fit, fit
from shared.content.legibility.ocr import Line, Word
from shared.content.legibility.slide_text import UNKNOWN_TO_TESSERACT, Field, SlideText, Token, plain, same, silent

_MOST_WRONG = 0.45  # of a line's letters: with more of them wrong it is no part of the text
_SHORT_LINE = 4
_RAISED = set("²³")


@dataclass(frozen=True)
class WordReading:
    """How one expected word was read. `wrong`: characters. `read`: empty when nothing was found in its place."""

    token: Token
    wrong: float
    read: str


@dataclass(frozen=True)
class PlacedLine:
    """A line that belongs to the text. `start`, `end`: the characters of the field that it covers."""

    line: Line
    field: str
    start: int
    end: int


@dataclass
class Comparison:
    """One reading or several, laid over the expected text.

    `extra`: lines that belong to nothing. `intruders`: words inside the text's own lines that belong to nothing.
    """

    fields: tuple[Field, ...]
    words: dict[str, list[WordReading]]
    lines: list[PlacedLine] = field(default_factory=list[PlacedLine])
    extra: list[Line] = field(default_factory=list[Line])
    intruders: list[Word] = field(default_factory=list[Word])

    def wrong_chars(self, name: str) -> float:
        """Wrong characters of the field."""
        return sum(reading.wrong for reading in self.words[name])

    def error_rate(self, name: str) -> float:
        """Wrong characters of the field for each of its characters, 0-1; 0 for a field without text."""
        length = sum(reading.token.core[1] - reading.token.core[0] for reading in self.words[name])
        return min(1.0, self.wrong_chars(name) / length) if length else 0.0

    def wrong_words(self, name: str) -> list[WordReading]:
        """The words of the field that were not read as they should."""
        return [reading for reading in self.words[name] if reading.wrong > 0]

    @property
    def complete(self) -> bool:
        """True when each word was read right."""
        return not any(self.wrong_words(each.name) for each in self.fields)


def fields_of(text: SlideText) -> tuple[Field, ...]:
    """Headline and body, as far as they have anything that can be compared."""
    return tuple(
        each for each in (Field("headline", text.headline), Field("body", text.body)) if plain(each.text).strip()
    )


def compare(lines: Iterable[Line], text: SlideText) -> Comparison:
    """One reading of a picture beside the text. The layout does not matter: each line finds its own place."""
    fields = fields_of(text)
    expected = SEPARATOR.join(each.chars for each in fields)
    taken = [False] * len(expected)
    owners: list[int | None] = [None] * len(expected)
    flat: list[_Read] = []
    result = Comparison(fields, {})
    for line in sorted(lines, key=lambda each: (-len(plain(each.text)), each.box.top, each.box.left)):
        chars, word_of = _characters(line)
        if not chars:
            continue
        placed = fit(chars, expected, taken)
        if not _belongs(placed, chars, expected, fields):
            result.extra.append(line)
            continue
        places = [pair.expected for pair in placed.pairs if pair.expected is not None]
        for place in range(min(places), max(places) + 1):
            taken[place] = True
        number = len(flat)
        flat.append(_Read(placed, chars, word_of, line))
        for place in places:
            owners[place] = number
        result.intruders.extend(_words_of_nothing(flat[-1]))
        result.lines.append(_place(line, min(places), max(places) + 1, fields))
    errors = _errors(flat, expected)
    start = 0
    for each in fields:
        result.words[each.name] = [_word_reading(token, start, errors, flat, owners) for token in each.tokens]
        start += len(each.chars) + len(SEPARATOR)
    return result


def merge(comparisons: Sequence[Comparison]) -> Comparison:
    """Several readings of one picture as one: a word is right when one of them read it right.

    Lines and extras are the first reading's.
    """
    first = comparisons[0]
    words = {
        each.name: [
            min(same_word, key=lambda reading: reading.wrong)
            for same_word in zip(*(one.words[each.name] for one in comparisons), strict=True)
        ]
        for each in first.fields
    }
    return Comparison(first.fields, words, first.lines, first.extra, first.intruders)


@dataclass(frozen=True)
class _Read:
    fit: Fit
    chars: str
    word_of: list[int]
    line: Line

    def words_that_fit(self) -> set[int]:
        return {
            self.word_of[pair.read] for pair in self.fit.pairs if pair.read is not None and pair.expected is not None
        }


def _characters(line: Line) -> tuple[str, list[int]]:
    chars: list[str] = []
    word_of: list[int] = []
    for number, word in enumerate(line.words):
        spelled = plain(word.text)
        chars.append(spelled)
        word_of.extend([number] * len(spelled))
    return "".join(chars), word_of


def _belongs(placed: Fit, chars: str, expected: str, fields: tuple[Field, ...]) -> bool:
    right = [
        pair.expected
        for pair in placed.pairs
        if pair.expected is not None and pair.read is not None and same(expected[pair.expected], chars[pair.read])
    ]
    if not right or placed.cost > _MOST_WRONG * len(chars):
        return False
    if len(chars) >= _SHORT_LINE:
        return True
    places = [pair.expected for pair in placed.pairs if pair.expected is not None]
    return placed.cost < 1 and _whole_words(min(places), max(places) + 1, fields)


def _whole_words(start: int, end: int, fields: tuple[Field, ...]) -> bool:
    offset = 0
    for each in fields:
        if any(offset + token.core[0] >= start and offset + token.core[1] <= end for token in each.tokens):
            return True
        offset += len(each.chars) + len(SEPARATOR)
    return False


def _words_of_nothing(read: _Read) -> list[Word]:
    kept = read.words_that_fit()
    return [word for number, word in enumerate(read.line.words) if number not in kept and plain(word.text)]


def _place(line: Line, start: int, end: int, fields: tuple[Field, ...]) -> PlacedLine:
    offset = 0
    for each in fields[:-1]:
        if start < offset + len(each.chars):
            return PlacedLine(line, each.name, start - offset, end - offset)
        offset += len(each.chars) + len(SEPARATOR)
    return PlacedLine(line, fields[-1].name, start - offset, end - offset)


def _errors(flat: list[_Read], expected: str) -> list[float]:
    """Wrong characters at each place of the expected text; what was never read is wrong."""
    wrong = [1.0] * len(expected)
    for read in flat:
        for pair in read.fit.pairs:
            if pair.expected is not None:
                char = expected[pair.expected]
                fits = char in UNKNOWN_TO_TESSERACT if pair.read is None else same(char, read.chars[pair.read])
                wrong[pair.expected] = 0.0 if fits else 1.0
        _add_insertions(read, wrong)
    return wrong


def _add_insertions(read: _Read, wrong: list[float]) -> None:
    """A letter too many counts against the expected character before it that its word covers, or the one after."""
    fitting = read.words_that_fit()
    for number, pair in enumerate(read.fit.pairs):
        if pair.expected is not None or pair.read is None or silent(read.chars[pair.read]):
            continue
        word = read.word_of[pair.read]
        if word not in fitting:
            continue
        before = [one for one in read.fit.pairs[:number] if one.read is not None and read.word_of[one.read] == word]
        after = [one for one in read.fit.pairs[number:] if one.read is not None and read.word_of[one.read] == word]
        beside = next((one.expected for one in (*reversed(before), *after) if one.expected is not None), None)
        if beside is not None:
            wrong[beside] += 1.0


def _word_reading(
    token: Token, offset: int, errors: list[float], flat: list[_Read], owners: list[int | None]
) -> WordReading:
    start, end = token.core
    places = range(offset + start, offset + end)
    wrong = sum(errors[place] for place in places)
    if _RAISED & set(token.shown):  # a raised figure clings to the letter before it
        wrong = max(0.0, wrong - 1)
    numbers = sorted({owner for place in places if (owner := owners[place]) is not None})
    return WordReading(token, wrong, " ".join(_read_as(flat[number], places) for number in numbers))


def _read_as(read: _Read, places: range) -> str:
    words: list[Word] = []
    for pair in read.fit.pairs:
        if pair.expected in places and pair.read is not None:
            word = read.line.words[read.word_of[pair.read]]
            if not words or words[-1] is not word:
                words.append(word)
    return " ".join(word.text for word in words)

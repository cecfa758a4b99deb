"""Tesseract, the program: one process a reading, ended when its time is up; it shares no memory with the worker."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from PIL import Image

from shared.engine.errors import UnexpectedError

PROGRAM = "tesseract"
LANGUAGES = ("por", "eng")
_WIDE_GAP = 2.2  # of the words' height: further apart, words belong to different columns
_TSV_COLUMNS = 12
_WORD_LEVEL = "5"


class OcrFailed(UnexpectedError):
    """Tesseract is not installed, lacks a language, took too long or ended with an error. Not the picture's fault."""

    code = "ocr_failed"


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.bottom - self.top

    def scaled(self, factor: float) -> "Box":
        """The same place in a picture `factor` times as large."""
        return Box(*(round(edge * factor) for edge in (self.left, self.top, self.right, self.bottom)))

    def grown(self, by: int, within: tuple[int, int]) -> "Box":
        """Larger on every side by `by` pixels, inside a picture of the size `within`."""
        return Box(
            max(0, self.left - by),
            max(0, self.top - by),
            min(within[0], self.right + by),
            min(within[1], self.bottom + by),
        )

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom), as Pillow takes it."""
        return self.left, self.top, self.right, self.bottom


def union(boxes: Sequence[Box]) -> Box:
    """The smallest box around all; there must be one."""
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


@dataclass(frozen=True)
class Word:
    """A word as tesseract read it. `confidence`: 0-100."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Line:
    """Words beside each other."""

    words: tuple[Word, ...]

    @cached_property
    def text(self) -> str:
        """The words with single spaces."""
        return " ".join(word.text for word in self.words)

    @cached_property
    def box(self) -> Box:
        """Around all words."""
        return union([word.box for word in self.words])

    @property
    def confidence(self) -> float:
        """0-100: the words' mean, by their length."""
        return sum(word.confidence * len(word.text) for word in self.words) / sum(len(word.text) for word in self.words)


class Tesseract:
    """Reads pictures, at most `at_once` at the same time in this object; further readings wait their turn."""

    def __init__(self, *, at_once: int = 2, deadline_s: float = 30.0, program: str = PROGRAM) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._deadline_s = deadline_s
        self._program = program

    async def read(
        self,
        picture: Image.Image,
        *,
        languages: Sequence[str] = LANGUAGES,
        segmentation: int = 11,
        sauvola: bool = False,
    ) -> list[Line]:
        """The lines of text in a picture of mode L or RGB, with boxes in its pixels, in no reading order.

        `segmentation` is tesseract's --psm: 11 looks for text everywhere, 6 takes the picture for one block of lines.
        `sauvola` thresholds by the neighbourhood, which finds text on grounds that change.

        Raises:
            OcrFailed: see there.
        """
        command = [
            *(self._program, "stdin", "stdout", "--psm", str(segmentation), "--dpi", "150", "-l", "+".join(languages)),
            *("-c", f"thresholding_method={2 if sauvola else 0}", "tsv"),
        ]
        pixels = await asyncio.to_thread(_portable, picture)
        async with self._turn:
            return _lines(await self._run(command, pixels))

    async def _run(self, command: list[str], pixels: bytes) -> str:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"OMP_THREAD_LIMIT": "1", "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
                | {name: value for name, value in os.environ.items() if name == "TESSDATA_PREFIX"},
            )
        except FileNotFoundError as error:
            raise OcrFailed("Tesseract is not installed: `make setup` installs it with its languages.") from error
        try:
            async with asyncio.timeout(self._deadline_s):
                out, complaint = await process.communicate(pixels)
        except TimeoutError as error:
            raise OcrFailed(f"Tesseract had not read the picture after {self._deadline_s:g} s.") from error
        finally:
            if process.returncode is None:  # late, or cancelled
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise OcrFailed(f"Tesseract ended with {process.returncode}: {complaint.decode(errors='replace')[:300]}")
        return out.decode("utf-8", errors="replace")


def _portable(picture: Image.Image) -> bytes:
    """Grey pixels behind a header (PGM): nothing for tesseract's decoders to trip over."""
    grey = picture.convert("L")
    return b"P5 %d %d 255\n" % grey.size + grey.tobytes()


def _lines(tsv: str) -> list[Line]:
    """Lines from tesseract's table, split where there is a gap as between columns."""
    lines: dict[tuple[str, ...], list[Word]] = {}
    for row in tsv.splitlines()[1:]:
        cells = row.split("\t", _TSV_COLUMNS - 1)
        if len(cells) < _TSV_COLUMNS or cells[0] != _WORD_LEVEL or not (text := cells[11].strip()):
            continue
        left, top, width, height = (int(cell) for cell in cells[6:10])
        word = Word(text, float(cells[10]), Box(left, top, left + width, top + height))
        lines.setdefault(tuple(cells[1:5]), []).append(word)
    return [Line(tuple(part)) for words in lines.values() for part in _columns(words)]


def _columns(words: list[Word]) -> list[list[Word]]:
    parts = [[words[0]]]
    for before, word in pairwise(words):
        if word.box.left - before.box.right > _WIDE_GAP * max(before.box.height, word.box.height):
            parts.append([])
        parts[-1].append(word)
    return parts

"""The legibility gate and the typesetter as the designer asks for them."""

from shared.content.brand import Persona, load_brand
from shared.content.legibility.layouts import TextDoesNotFit
from shared.content.legibility.report import LegibilityGate, LegibilityReport
from shared.content.legibility.slide_text import SlideText
from shared.content.legibility.typeset import Setting, typeset
from shared.content.piece import Reading, SlideCopy
from shared.content.ports import Size
from shared.engine.errors import CopyRejected


class SlideGate:
    """Reads slides back."""

    def __init__(self, gate: LegibilityGate) -> None:
        self._gate = gate

    async def check(self, image: bytes, slide: SlideCopy, size: Size) -> Reading:  # noqa: ARG002  the picture has it
        """What the gate found. Raises OcrFailed when nothing could be read at all, readable or not."""
        return _reading(await self._gate.check(image, SlideText(slide.headline, slide.body)))


class SlideTypesetter:
    """Sets the words of one job's slides, in the colours of its persona.

    `grid_ratio`: width to height of what the platform's overview shows of a picture; None: all of it.
    """

    def __init__(self, gate: LegibilityGate, persona: Persona, grid_ratio: float | None) -> None:
        self._gate = gate
        self._persona: Persona = persona
        self._grid_ratio = grid_ratio

    async def set(self, image: bytes, slide: SlideCopy, size: Size) -> tuple[bytes, Reading]:
        """The words over the picture. Raises CopyRejected when they do not fit on any, and OcrFailed."""
        setting = Setting(load_brand(), persona=self._persona, size=size, grid_ratio=self._grid_ratio)
        try:
            done = await typeset(image, SlideText(slide.headline, slide.body), setting, self._gate)
        except TextDoesNotFit as error:
            raise CopyRejected(f"The text does not fit on its slide: {error}") from error
        return done.picture, _reading(done.report)


def _reading(report: LegibilityReport) -> Reading:
    return Reading(
        passed=report.passed,
        findings=list(report.findings),
        measured={
            "cer_full": report.cer_full,
            "cer_small": report.cer_small,
            "min_text_height_px": report.min_text_height_px,
            "min_contrast": report.min_contrast,
            "extra": list(report.extra),
        },
    )

"""What a piece for a social platform is asked to be: the payload of the kinds `carousel` and `instagram`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from shared.content.request import DraftRequest, Topic, word_or

Style = Literal["visual", "text-heavy"]
Format = Literal["carousel", "single-image"]
SizeName = Literal["1080x1350", "1080x1080"]

_FORMATS = {
    "slides": "carousel",
    "single_image": "single-image",
    "single": "single-image",
    "image": "single-image",
    "post": "single-image",
}
_STYLES = {"text_heavy": "text-heavy", "text": "text-heavy", "textual": "text-heavy"}
_SIZES = {
    **dict.fromkeys(("portrait", "4:5", "1080×1350", "1080_x_1350", "vertical", "retrato"), "1080x1350"),
    **dict.fromkeys(("square", "1:1", "1080×1080", "1080_x_1080", "quadrado"), "1080x1080"),
}


def _one_of(names: dict[str, str], default: str | None) -> BeforeValidator:
    """Reads a name as it is or under another spelling; null and empty as `default`."""
    read = word_or(default)

    def known(value: Any) -> Any:
        word = read(value)
        return names.get(word, word) if isinstance(word, str) else word

    return BeforeValidator(known)


def _false_when_null(value: Any) -> Any:
    return False if value is None or value == "" else value


class Brief(DraftRequest):
    """One piece. What is left out of `format` is the platform's to choose.

    `deliver_below_threshold`: a piece that stays below the bar is delivered, flagged, instead of failing the job.
    """

    topic: Topic
    style: Annotated[Style, _one_of(_STYLES, "visual")] = "visual"
    format: Annotated[Format | None, _one_of(_FORMATS, None)] = None
    size: Annotated[SizeName, _one_of(_SIZES, "1080x1350")] = "1080x1350"
    deliver_below_threshold: Annotated[bool, BeforeValidator(_false_when_null)] = False

    @property
    def said(self) -> list[str]:
        """All that the person has said: figures in it may stand in the piece."""
        texts = [self.topic, self.target_audience, self.wishes, self.proof_points, self.cta_action, *self.keywords]
        return [text for text in texts if text]

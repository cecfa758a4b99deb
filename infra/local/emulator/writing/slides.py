"""Slides: plans and copy for social platforms, from the topic, the audience and the themes that a brief touches."""

import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from infra.local.emulator.language import Language, fold
from infra.local.emulator.writing.brief import Brief, without_question
from infra.local.emulator.writing.checking import forbidden_claim
from infra.local.emulator.writing.fit import first_within, shortened
from infra.local.emulator.writing.headline import capital, tags
from infra.local.emulator.writing.phrases import Phrases, Picker, Theme, load_phrases
from infra.local.emulator.writing.planning import keywords

Json = dict[str, Any]

_FOLDER = Path(__file__).parent
_UNSAYABLE = re.compile(r"[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D\u20E3\"“”«»]")
_INNER_END = re.compile(r"[.!?…]+(?=\s|$)")
_CLAUSE = re.compile(
    r"\s[-–—|]\s|[:;,(?!]|\s(?:should|must|is|are|can|needs?|explained|matters?|começa[mr]?|deve[mr]?|precisa[mr]?|é|são|"
    r"before|after|without|antes|depois|mudam?|pedem?|importa[mr]?|funciona[mr]?)\b"
)
_SUBJECT_CHARACTERS = 42
_AUDIENCE_CHARACTERS = 46
_VISUAL_BODY = 95
_MOST_TRIES = 8
# What the call to action is about; no slide before it is.
_LAST_THEME = "suppliers"


@lru_cache(maxsize=2)
def slide_phrases(language: Language) -> Json:
    """The phrases of slides in a language."""
    return yaml.safe_load((_FOLDER / f"slides.{language}.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class SlideWriter:
    """Writes one plan or one copy, from the inputs of one prompt."""

    brief: Brief
    shift: int = 0

    @cached_property
    def says(self) -> Json:
        return slide_phrases(self.brief.language)

    @cached_property
    def phrases(self) -> Phrases:
        return load_phrases(self.brief.language)

    @cached_property
    def picker(self) -> Picker:
        return Picker(self.brief.seed + self.shift)

    @cached_property
    def topic(self) -> str:
        """The topic as it may stand in a text; the first of its themes when it claims what nobody may claim."""
        words = " ".join(_INNER_END.sub(",", _UNSAYABLE.sub(" ", self.brief.topic)).split()).strip(" ,;:-–—")
        allowed = words and forbidden_claim(words, fold(self.brief.get("certificates"))) == "none"
        return words if allowed else self.themes(1)[0].tag

    @cached_property
    def subject(self) -> str:
        """The topic's first clause, short enough to stand inside of a sentence."""
        clause = without_question(_CLAUSE.split(without_question(self.topic))[0]).strip()
        return _small(shortened(clause if len(clause) > 3 else self.topic, _SUBJECT_CHARACTERS).rstrip(".,:; "))

    @cached_property
    def audience(self) -> str:
        """Who reads, in words that fit into a sentence."""
        named = _INNER_END.sub("", _UNSAYABLE.sub("", self.brief.audience)).strip()
        return _small(named) if named and len(named) <= _AUDIENCE_CHARACTERS else self.says["reader"]

    def themes(self, count: int) -> list[Theme]:
        """`count` different themes: those that the brief touches, then others as they come for this topic."""
        given = (
            "topic",
            "topic",
            "pain_point",
            "angle",
            "desired_outcome",
            "proof_points",
            "keywords",
            "brainstorming",
        )
        ranked = self.phrases.ranked_themes(" ".join(self.brief.get(name) for name in given))
        touched = [theme for theme in ranked if theme.name != _LAST_THEME]
        names = self.picker.rotated([theme.name for theme in self.phrases.themes])
        others = [theme for name in names if (theme := self.phrases.theme(name)) not in touched and name != _LAST_THEME]
        return sorted([*touched, *others][:count], key=lambda theme: theme.order)

    def filled(self, form: str, **more: str) -> str:
        """A form with subject and audience in it."""
        return capital(form.format(subject=self.subject, audience=self.audience, **more))


def plan_slides(brief: Brief) -> Json:
    """Hook, narrative and slides: one theme for each slide between the hook and the call to action."""
    writer = SlideWriter(brief)
    says = writer.says
    span = [int(digits) for digits in re.findall(r"\d+", brief.get("slide_count"))[:2]] or [6]
    count = span[0] + brief.seed % (span[-1] - span[0] + 1)
    inner = writer.themes(max(1, count - 2))
    first = writer.phrases.theme_of(brief.topic)
    slides = [_intent(writer, first, says["purposes"]["hook"], writer.subject)]
    if count > 1:
        slides += [_intent(writer, theme, writer.picker.pick(theme.purposes) or theme.purposes[0]) for theme in inner]
        slides.append(_intent(writer, writer.phrases.theme(_LAST_THEME), says["purposes"]["cta"]))
    sides = ", ".join(theme.tag for theme in inner)
    return {
        "hook": writer.filled(writer.picker.pick(says["hooks"]) or says["hooks"][0]),
        "narrative": writer.filled(says["narratives"][0], sides=sides),
        "slides": slides[:count],
    }


def write_slides(brief: Brief) -> Json:
    """Slides within their limits, caption, hashtags, alt texts; of an earlier version only what is to change."""
    writer = SlideWriter(brief)
    wanted = brief.records("slides")
    before = _earlier(brief)
    changed = {str(record.get("part")) for record in brief.records("changes")}
    slides = [_slide(writer, record) for record in wanted]
    if before and len(before["slides"]) == len(slides):
        slides = [
            new if _words(new) != _words(old) else _another(brief, record, old)
            for new, old, record in zip(slides, before["slides"], wanted, strict=True)
        ]
    caption, hashtags = _caption(writer), _hashtags(writer)
    if before and changed and len(before["slides"]) == len(slides):
        slides = [
            new if f"slide {number}" in changed else old
            for number, (old, new) in enumerate(zip(before["slides"], slides, strict=True), start=1)
        ]
        caption = caption if "caption" in changed else before["caption"]
        hashtags = hashtags if "hashtags" in changed else before["hashtags"]
    return {"slides": slides, "caption": caption, "hashtags": hashtags}


def _another(brief: Brief, record: Json, old: Json) -> Json:
    """The slide in other words than before, as far as there are any."""
    tries = (_slide(SlideWriter(brief, shift), record) for shift in range(1, _MOST_TRIES))
    return next((new for new in tries if _words(new) != _words(old)), old)


def _words(slide: Json) -> tuple[str, str]:
    return slide["headline"], slide["body"]


def _intent(writer: SlideWriter, theme: Theme, purpose: str, query: str | None = None) -> Json:
    asset = query or writer.says["assets"][theme.name].format(subject=writer.subject)
    return {"role": "content", "purpose": purpose, "picture": theme.scene, "asset_query": asset}


def _slide(writer: SlideWriter, record: Json) -> Json:
    headline_most, body_most = int(record.get("headline_characters", 60)), int(record.get("body_characters", 120))
    if writer.brief.get("style") == "visual":
        body_most = min(body_most, _VISUAL_BODY)
    theme = _theme_of(writer, record)
    side = theme.tag
    match record.get("role"):
        case "hook":
            endings = writer.picker.rotated(writer.phrases.general["title_endings"])
            whole = [capital(writer.topic), *(f"{capital(writer.subject)}: {ending}" for ending in endings)]
            headline = _first(writer, whole, headline_most)
            pain = _INNER_END.sub("", _UNSAYABLE.sub("", writer.brief.get("pain_point"))).strip()
            own = [capital(f"{pain}.")] if pain and forbidden_claim(pain) == "none" else []
            body = _first(writer, [*own, *writer.picker.rotated(writer.says["hook_bodies"])], body_most)
        case "cta":
            headline, body = _invitation(writer, headline_most, body_most)
        case _:
            body = _body(writer, theme, body_most)
            headline = _headline(writer, theme, record, headline_most, says_subject=writer.subject in body)
    alt = writer.picker.rotated(writer.says["alt_texts"])[0].format(side=side, headline=headline)
    return {"headline": headline, "body": body, "alt_text": alt}


def _invitation(writer: SlideWriter, headline_most: int, body_most: int) -> tuple[str, str]:
    """The call to action asked for, or one of the emulator's, with what it is about in one of the two texts."""
    asked = writer.brief.get("call_to_action")
    calls = [asked] if asked else [*writer.picker.rotated(writer.phrases.general["calls"]), writer.says["short_call"]]
    about = writer.says["about"]
    bodies = [
        f"{about.format(subject=name)} {_small(call)}"
        for name in (_small(writer.topic), writer.subject)
        for call in calls
    ]
    body = _first(writer, [*bodies, calls[0]], body_most)
    is_about = writer.subject.lower() in body.lower()
    bank = writer.picker.rotated(writer.says["cta_headlines" if is_about else "cta_headlines_about"])
    return _first(writer, bank, headline_most), body


def _headline(writer: SlideWriter, theme: Theme, record: Json, most: int, *, says_subject: bool) -> str:
    """By turns a heading of the theme, where the body names the subject, and a form with both; none twice."""
    forms = writer.picker.rotated(writer.says["headlines"])
    headings = writer.picker.rotated(theme.headings) if says_subject else []
    is_odd = str(record.get("part", "")).endswith(("1", "3", "5", "7", "9"))
    for form in [*headings, *forms] if is_odd else [*forms, *headings]:
        headline = writer.filled(form, side=theme.tag)
        if len(headline) <= most and writer.picker.pick([form]):
            return headline
    return _first(writer, forms, most, side=theme.tag)


def _body(writer: SlideWriter, theme: Theme, most: int) -> str:
    """A piece of advice about the theme, said of this subject; advice alone when the subject is too long for both."""
    openings = writer.picker.rotated(writer.says["bodies"])
    openings = [*openings[theme.order % len(openings) :], *openings[: theme.order % len(openings)]]
    fallback = ""
    for advice in [*writer.picker.rotated(theme.advice), *writer.picker.rotated(writer.phrases.general["advice"])]:
        if writer.picker.pick([advice]) is None:
            continue
        found = first_within((writer.filled(form, advice=_small(advice)) for form in openings), 1, most)
        if found:
            return found
        fallback = fallback or (advice if len(advice) <= most else "")
    details = [writer.filled(form, side=theme.tag) for form in writer.says["details"]]
    return first_within(details, 1, most) or fallback or shortened(theme.advice[0], most)


def _first(writer: SlideWriter, forms: list[str], most: int, **more: str) -> str:
    filled = [writer.filled(form, **more) if "{" in form else form for form in forms]
    return first_within(filled, 1, most) or shortened(filled[0], most)


def _theme_of(writer: SlideWriter, record: Json) -> Theme:
    """The theme that a slide was planned about: its scene or its purpose tells."""
    for theme in writer.phrases.themes:
        if record.get("picture") == theme.scene or record.get("purpose") in theme.purposes:
            return theme
    return writer.phrases.theme_of(str(record.get("purpose", "")), writer.brief.topic)


def _caption(writer: SlideWriter) -> str:
    limits = writer.brief.get("caption_limits")
    found = [int(digits) for digits in re.findall(r"\d+", limits)] or [3]
    most = next((number for number in found if number > 100), 2_200) - 120
    themes = [_theme_of(writer, record) for record in writer.brief.records("slides")] or writer.themes(2)
    captions = writer.says["captions"]
    call = writer.brief.get("call_to_action") or writer.picker.rotated(writer.phrases.general["calls"])[0]
    call = " ".join(_INNER_END.sub(",", call).split()).strip(" ,") + "."
    topic = shortened(writer.topic, max(40, most // 3))
    first = capital(writer.picker.rotated(captions["first"])[0].format(topic=topic))
    many = "second" if themes[0] != themes[-1] else "single"
    second = writer.filled(writer.picker.rotated(captions[many])[0], first=themes[0].tag, last=themes[-1].tag)
    sentences = [first, second, call]
    while len(sentences) > 1 and len(" ".join(sentences)) > most:
        sentences.pop(1 if len(sentences) > 2 else -1)
    return shortened(" ".join(sentences), max(40, most))


def _hashtags(writer: SlideWriter) -> list[str]:
    words = tags(writer.brief, [writer.subject, *keywords(writer.brief, writer.phrases)])
    found = ["#" + "".join(capital(re.sub(r"\W", "", word)) for word in tag.split()) for tag in words]
    return [tag for tag in dict.fromkeys(found) if 2 < len(tag) <= 40][:5]


def _earlier(brief: Brief) -> Json | None:
    try:
        parsed = json.loads(brief.get("previous") or "null")
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("slides"), list) else None


def _small(text: str) -> str:
    """The text with a small first letter, unless its first word is a name or an abbreviation."""
    first = text.split(" ", 1)[0]
    return text if first[1:] != first[1:].lower() or any(c.isdigit() for c in first) else text[:1].lower() + text[1:]

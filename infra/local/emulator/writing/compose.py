"""The writer's front: an instance of a schema, or plain text, from a prompt."""

import json
from collections.abc import Callable
from typing import Any

from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.checking import rewritten, verdicts
from infra.local.emulator.writing.fields import FieldWriter
from infra.local.emulator.writing.headline import fit_length, short_topic, write_headline
from infra.local.emulator.writing.phrases import load_phrases
from infra.local.emulator.writing.planning import pick_quotes, plan_article, plan_queries, reflect
from infra.local.emulator.writing.prose import adjust_length, write_conclusion, write_introduction, write_section
from infra.local.emulator.writing.reviewing import review
from infra.local.emulator.writing.schema import SchemaFiller
from infra.local.emulator.writing.series import plan_series
from infra.local.emulator.writing.slide_review import lowered, review_slides
from infra.local.emulator.writing.slides import plan_slides, write_slides

Json = dict[str, Any]
Task = Callable[[Brief], Json]


def compose_json(schema: Json, prompt: str, pictures: int = 0) -> Any:
    """A valid instance of the schema, written from the prompt and the number of `pictures` that came with it."""
    brief = Brief(prompt, pictures)
    filler = SchemaFiller(schema, FieldWriter(brief))
    task = _task_for(set(filler.properties()), brief)
    return filler.fill(task(brief)) if task else filler.fill()


def rated_low(review_json: str, prompt: str) -> str | None:
    """A review of slides, as JSON, turned into one below the bar; None when the text is no such review."""
    brief = Brief(prompt)
    if not brief.records("slides") or not brief.records("criteria"):
        return None
    return json.dumps(lowered(json.loads(review_json), brief), ensure_ascii=False)


def compose_text(prompt: str) -> str:
    """Plain text: a section when the prompt brings evidence, else a short answer that says what it is."""
    brief = Brief(prompt)
    if brief.evidence("evidence", "facts"):
        paragraphs = write_section(brief)
        return "\n\n".join(" ".join(item["text"] for item in paragraph["sentences"]) for paragraph in paragraphs)
    phrases = load_phrases(brief.language)
    theme = phrases.theme_of(brief.topic)
    said = [phrases.general["chat"].format(subject=f"“{short_topic(brief, 80)}”"), theme.leads[0], *theme.advice[:2]]
    return " ".join(said)


def _task_for(names: set[str], brief: Brief) -> Task | None:
    """The task whose answer has these properties; what a prompt brings with it decides between similar ones."""
    if "paragraphs" in names:
        return lambda brief: {"paragraphs": _part(names, brief), "heading": _conclusion_heading(brief)}
    for needed, inputs, task in _TASKS:
        if needed & names and all(brief.get(name) for name in inputs):
            return task
    return None


def _part(names: set[str], brief: Brief) -> list[Json]:
    if brief.get("direction") and brief.get("section"):
        return adjust_length(brief)
    if brief.get("heading"):
        return write_section(brief)
    return write_conclusion(brief) if "heading" in names or brief.get("written_so_far") else write_introduction(brief)


def _conclusion_heading(brief: Brief) -> str:
    headings = load_phrases(brief.language).general["conclusion_headings"]
    return headings[brief.seed % len(headings)]


# Properties of the answer (any of them), inputs that the prompt must have, and what writes it. The first that fits.
_TASKS: tuple[tuple[frozenset[str], tuple[str, ...], Task], ...] = (
    (frozenset({"is_sufficient", "sufficient"}), (), reflect),
    (frozenset({"quotes"}), ("passages",), pick_quotes),
    (frozenset({"queries", "search_queries"}), (), plan_queries),
    (frozenset({"verdicts"}), ("sentences",), verdicts),
    (frozenset({"sentences"}), ("sentences",), rewritten),
    (frozenset({"scores"}), ("draft",), review),
    (frozenset({"scores"}), ("slides",), review_slides),
    (frozenset({"slides"}), ("slide_count",), plan_slides),
    (frozenset({"slides"}), ("caption_limits",), write_slides),
    (frozenset({"score", "overall_score"}), ("draft",), review),
    (frozenset({"sections", "outline"}), (), plan_article),
    (frozenset({"posts"}), ("count",), plan_series),
    (frozenset({"seo_title", "seo_description"}), (), write_headline),
    (frozenset({"text"}), ("max_characters",), fit_length),
)

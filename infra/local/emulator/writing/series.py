"""Plans of series: one subject, taken from a side after the other, from what it is to what a buyer decides."""

import itertools
from typing import Any

from infra.local.emulator.writing.brief import Brief
from infra.local.emulator.writing.headline import capital
from infra.local.emulator.writing.phrases import Phrases, Picker, Theme, load_phrases


def plan_series(brief: Brief) -> dict[str, Any]:
    """Title, narrative and as many posts as asked for: the themes of the prompt first, in the order of an article."""
    phrases = load_phrases(brief.language)
    picker = Picker(brief.seed)
    themes = _themes(brief, phrases, brief.number("count", "how_many", default=3))
    series = phrases.general["series"]
    posts = [_post(brief, phrases, theme, picker, place) for place, theme in enumerate(themes)]
    reader = brief.audience or phrases.general["reader"]
    line = series["line"] if len(themes) > 1 else series["single"]
    return {
        "title": f"{capital(brief.core)}: {picker.pick(series['titles'])}",
        "narrative": line.format(
            subject=brief.core,
            first=themes[0].tag,
            between=", ".join(theme.tag for theme in themes[1:-1]) or themes[0].tag,
            last=themes[-1].tag,
            audience=reader,
        ),
        "posts": posts,
    }


def _themes(brief: Brief, phrases: Phrases, count: int) -> list[Theme]:
    """`count` different themes: those that the prompt touches, the others as they come for this subject."""
    asked = " ".join([brief.topic, brief.topic, brief.get("goal"), brief.get("brief"), brief.get("brainstorming")])
    touched = phrases.ranked_themes(asked)
    names = Picker(brief.seed).rotated([theme.name for theme in phrases.themes])
    others = [theme for name in names if (theme := phrases.theme(name)) not in touched]
    return sorted([*touched, *others][:count], key=lambda theme: theme.order)


def _post(brief: Brief, phrases: Phrases, theme: Theme, picker: Picker, place: int) -> dict[str, Any]:
    series = phrases.general["series"]
    kinds = brief.lines("kinds") or ["blog"]
    subject = capital(brief.core)
    forms = itertools.islice(itertools.cycle(picker.rotated(series["topics"])), place, None)
    return {
        "topic": next(forms).format(subject=subject, side=theme.tag),
        "angle": picker.pick(theme.leads) or theme.leads[0],
        "adds": picker.pick(theme.purposes) or theme.purposes[0],
        "keywords": list(dict.fromkeys([brief.core, theme.tag, *theme.queries[:1]])),
        "kind": kinds[place % len(kinds)],
    }

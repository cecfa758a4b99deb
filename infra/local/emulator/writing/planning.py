"""Plans: what to search for, which quotes to take, whether there is enough, and how an article is built."""

import re
from typing import Any

from infra.local.emulator.language import content_stems, detect_language, fold, overlap, sentences, stem
from infra.local.emulator.web_search import is_injection
from infra.local.emulator.writing.brief import Brief, Evidence
from infra.local.emulator.writing.phrases import Phrases, Picker, Theme, load_phrases
from infra.local.emulator.writing.restate import in_language, paraphrased, similar, stands_alone

_PASSAGE = re.compile(r"^\[(\d+)\]\s*(.*?)(?=\n\s*\n?\[\d+\]|\Z)", re.DOTALL | re.MULTILINE)
_FACTUAL = re.compile(
    r"\d|\b(?:exige|exigem|define|pede|deve|devem|permite|trata|requires?|defines?|asks?|covers?|must|limits?)\b",
    re.IGNORECASE,
)
_POINTING = re.compile(r"\b(?:[dn]?ess[ea]s?|[dn]est[ea]s?|this|these|those|such)\b", re.IGNORECASE)
_FEWEST_EVIDENCE, _FEWEST_SOURCES = 8, 2
_FEWEST_TOPIC_WORDS = 0.25
_ANSWERED = 0.3
_ALIKE = 0.6
_MOST_IDS = 6
_DEFAULT_THEMES = ("validation", "traceability", "suppliers", "cleaning", "norm")


def plan_queries(brief: Brief) -> dict[str, Any]:
    """The topic itself as the first query, then other sides of it; questions from the same sides."""
    phrases = load_phrases(brief.language)
    themes = _themes_for(brief, phrases)
    queries = _queries(brief, themes, brief.number("how_many", "count", default=4))
    questions = [question for theme in themes for question in theme.questions[:1]]
    return {"queries": queries, "questions": questions[:4], "follow_up_queries": queries[1:], "search_queries": queries}


def pick_quotes(brief: Brief) -> dict[str, Any]:
    """Whole sentences of a page about the topic, word for word; none from a page in another language or about another
    subject: one that has hardly a word of the topic.
    """
    passages = [(int(number), " ".join(text.split())) for number, text in _PASSAGE.findall(brief.get("passages"))]
    if detect_language(" ".join(text for _, text in passages)) != brief.language:
        return {"is_about_topic": True, "quotes": []}
    if overlap(brief.topic, brief.get("passages")) < _FEWEST_TOPIC_WORDS:
        return {"is_about_topic": False, "quotes": []}
    wanted = " ".join([brief.topic, brief.get("title"), *brief.lines("questions")])
    candidates = [
        (number, sentence)
        for number, text in passages
        if not is_injection(text)
        for sentence in sentences(text)
        if 40 <= len(sentence) <= 400 and sentence.endswith((".", "!")) and stands_alone(sentence, brief.language)
    ]
    ranked = sorted(candidates, key=lambda pair: -_worth(pair[1], wanted))
    most = brief.number("how_many", default=5)
    if overlap(brief.core, brief.get("passages")) < 1:
        most = (most + 1) // 2  # a page that never names the subject is a side glance
    chosen: list[tuple[int, str]] = []
    for number, sentence in ranked:
        if len(chosen) == most:
            break
        if not any(similar(sentence, other) > _ALIKE for _, other in chosen):
            chosen.append((number, sentence))
    return {
        "is_about_topic": True,
        "quotes": [
            {"passage": number, "quote": text, "statement": paraphrased(text, brief.language, brief.seed)}
            for number, text in sorted(chosen)
        ],
    }


def reflect(brief: Brief) -> dict[str, Any]:
    """Enough when most questions are answered and the evidence is not from one page alone."""
    general = load_phrases(brief.language).general["gaps"]
    evidence = brief.evidence("evidence")
    sources = {item.source for item in evidence}
    open_questions = [question for question in brief.lines("questions") if not _answered(question, evidence)]
    few = len(evidence) < _FEWEST_EVIDENCE or len(sources) < _FEWEST_SOURCES
    sufficient = not few and len(open_questions) * 2 <= len(brief.lines("questions"))
    gap = ""
    if few:
        gap = general["few"].format(subject=brief.core)
    elif open_questions:
        gap = general["questions"].format(question=open_questions[0])
    return {
        "is_sufficient": sufficient,
        "sufficient": sufficient,
        "gap": gap,
        "follow_up_queries": [] if sufficient else _follow_up(brief, open_questions),
    }


def plan_article(brief: Brief) -> dict[str, Any]:
    """Angle, three to five sections with their evidence, keywords, call to action and the banner's scene."""
    phrases = load_phrases(brief.language)
    picker = Picker(brief.seed)
    evidence = in_language(brief.evidence("evidence"), brief.language)
    company = brief.evidence("company_facts", "known")
    groups = _grouped(brief, phrases, evidence or company)
    sections = [
        {
            "heading": picker.pick(theme.headings) or theme.headings[0],
            "purpose": picker.pick(theme.purposes) or theme.purposes[0],
            "evidence_ids": [item.id for item in items[:_MOST_IDS]],
        }
        for theme, items in groups
    ]
    if evidence and company:
        told = " ".join(item.text for item in groups[-1][1])
        best = max(company, key=lambda item: (item.id.startswith("C"), similar(item.text, told)))
        sections[-1]["evidence_ids"] = [*sections[-1]["evidence_ids"][: _MOST_IDS - 1], best.id]
    reader = brief.audience or phrases.general["reader"]
    angle = brief.get("angle") or (picker.pick(phrases.general["angles"]) or "").format(audience=reader)
    return {
        "angle": angle,
        "sections": sections,
        "outline": sections,
        "seo_keywords": keywords(brief, phrases),
        "keywords": keywords(brief, phrases),
        "call_to_action": brief.get("call_to_action") or picker.pick(phrases.general["calls"]),
        "banner_scene": groups[0][0].scene,
        "scene": groups[0][0].scene,
    }


def keywords(brief: Brief, phrases: Phrases) -> list[str]:
    """Four to eight phrases: those asked for, the topic's core, and the themes that it touches."""
    asked = [word for line in brief.lines("keywords") for word in re.split(r"[,;]", line) if word.strip()]
    themes = phrases.ranked_themes(" ".join([brief.topic, brief.get("angle"), brief.get("evidence")]))
    found = [*(word.strip() for word in asked), brief.core, *(theme.tag for theme in themes[:5])]
    unique: dict[str, str] = {}
    for word in found:
        unique.setdefault(word.casefold(), word)
    return list(unique.values())[:8]


def _themes_for(brief: Brief, phrases: Phrases) -> list[Theme]:
    asked = " ".join([brief.topic, brief.topic, brief.get("angle", "brainstorming"), brief.audience])
    found = phrases.ranked_themes(asked)[:4]
    return [*found, *(phrases.theme(name) for name in _DEFAULT_THEMES if phrases.theme(name) not in found)]


def _queries(brief: Brief, themes: list[Theme], how_many: int) -> list[str]:
    topic = brief.topic.rstrip("?.!").split()
    first = topic[:12] if len(topic) >= 3 else [*topic, *themes[0].queries[0].split()][:12]
    queries = [" ".join(first)]
    for theme in themes:
        # A query that names a standard of its own needs no other name in front.
        query = theme.queries[0]
        named = [] if any(letter.isdigit() for letter in query) else brief.core.split()
        rest = [word for word in query.split() if stem(fold(word)) not in content_stems(" ".join(named))]
        queries.append(" ".join([*named, *rest][:12]))
    return list(dict.fromkeys(queries))[: max(1, how_many)]


def _follow_up(brief: Brief, open_questions: list[str]) -> list[str]:
    phrases = load_phrases(brief.language)
    asked = {query.casefold() for query in brief.lines("asked_before", "queries", "asked")}
    themes = [phrases.theme_of(question) for question in open_questions] + _themes_for(brief, phrases)
    candidates = [query for theme in themes for query in reversed(theme.queries)]
    fresh = [query for query in dict.fromkeys(candidates) if query.casefold() not in asked]
    return fresh[: brief.number("how_many", default=2)]


def _worth(sentence: str, wanted: str) -> float:
    stems, asked = set(content_stems(sentence)), set(content_stems(wanted))
    factual = 1.5 if _FACTUAL.search(sentence) else 0.0
    # A sentence that points at another one says less by itself.
    pointing = 1.5 if _POINTING.search(sentence) else 0.0
    return len(stems & asked) + factual - pointing + 0.02 * len(stems)


def _answered(question: str, evidence: list[Evidence]) -> bool:
    return any(overlap(question, f"{item.quote} {item.text}") >= _ANSWERED for item in evidence)


def _grouped(brief: Brief, phrases: Phrases, evidence: list[Evidence]) -> list[tuple[Theme, list[Evidence]]]:
    """Evidence by theme, in the order of an article: the three to five themes with most of it, the rest joins them."""
    groups: dict[str, list[Evidence]] = {}
    for item in evidence:
        groups.setdefault(phrases.theme_of(item.text).name, []).append(item)
    topical = phrases.scores(f"{brief.topic} {brief.get('angle')}")
    largest = sorted(groups, key=lambda name: -(len(groups[name]) + min(2.0, topical[name])))
    kept = largest[: 4 if len(evidence) < 12 else 5]
    for name in largest[len(kept) :]:
        for item in groups[name]:
            scores = phrases.scores(item.text)
            groups[max(kept, key=lambda other: (scores[other], -len(groups[other])))].append(item)
    for theme in _themes_for(brief, phrases):
        if len(kept) >= 3:
            break
        if theme.name not in kept:
            kept.append(theme.name)
            fullest = max(groups, key=lambda name: len(groups[name])) if groups else theme.name
            items = groups.get(fullest, [])
            groups[theme.name] = [items.pop()] if len(items) > 1 else items[:1]
    _spread(groups, kept, phrases)
    ordered = sorted((phrases.theme(name) for name in kept), key=lambda theme: theme.order)
    return [(theme, groups[theme.name]) for theme in ordered]


def _spread(groups: dict[str, list[Evidence]], kept: list[str], phrases: Phrases) -> None:
    """Moves evidence out of sections that are too full, each item to the section that fits it next best."""
    for name in kept:
        while len(groups[name]) > _MOST_IDS:
            roomy = [other for other in kept if len(groups[other]) < _MOST_IDS - 1]
            if not roomy:
                return
            scored = [(phrases.scores(item.text)[other], item, other) for item in groups[name] for other in roomy]
            _, item, other = max(scored, key=lambda entry: entry[0])
            groups[name].remove(item)
            groups[other].append(item)

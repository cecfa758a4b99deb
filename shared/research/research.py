"""Deep research: plan, search, read, quote, reflect, and again while something important is missing.

Notes are kept after each step, so an attempt that was interrupted goes on from there: finished calls to models are
answered from the ledger, and the pages are those of before.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.engine.errors import SourcesInsufficient
from shared.model.prompts import load_prompt
from shared.plain import one_line
from shared.research.answers import QueryPlan, Reflection
from shared.research.collect import (
    PACKAGE,
    Fetcher,
    Report,
    ResearchModels,
    add_evidence,
    pick_quotes,
    read,
    search,
)
from shared.research.evidence import Evidence
from shared.research.report import DEPTHS, Depth, Problem, Question, ResearchNotes, ResearchReport

_MAX_QUERY_CHARS = 200


@dataclass(frozen=True, slots=True)
class ResearchPorts:
    """What research needs of the world. `keep` saves the notes; `report` tells progress: words, done, total."""

    models: ResearchModels
    fetcher: Fetcher
    keep: Callable[[ResearchNotes], Awaitable[None]]
    report: Report


async def research(question: Question, ports: ResearchPorts, notes: ResearchNotes) -> ResearchReport:
    """Researches the question, going on from `notes`, and reports.

    Raises:
        SourcesInsufficient: the web gave too little for the level that was asked for.
        ModelError, BudgetExceeded: a call to a model failed, except where one page or query can be done without.
    """
    depth = DEPTHS[question.level]
    if question.level == "none":
        notes.is_sufficient = notes.finished = True
    while not notes.finished:
        await _next_step(question, ports, notes, depth)
        await ports.keep(notes)
    if not _enough(notes, depth):
        # With fresh notes a retry reads the pages again; what the models have answered stays paid for.
        await ports.keep(ResearchNotes())
        raise _insufficient(question, notes, depth)
    return ResearchReport(
        topic=question.topic,
        level=question.level,
        language=question.language,
        questions=notes.questions,
        queries=notes.asked,
        evidence=notes.evidence,
        company_facts=question.known,
        sources=notes.sources,
        problems=notes.problems,
        rounds=notes.rounds,
        is_sufficient=notes.is_sufficient,
        gap=notes.gap,
    )


async def _next_step(question: Question, ports: ResearchPorts, notes: ResearchNotes, depth: Depth) -> None:
    """Plan, or search and read, or quote, or reflect: whichever the notes say comes next."""
    if notes.pages is not None:
        await ports.report(f"Researching: choosing quotes from {len(notes.pages)} pages", None, None)
        picked, problems = await pick_quotes(ports.models, question, notes, depth)
        notes.problems.extend(problems)
        add_evidence(notes, picked)
        notes.pages = None
        notes.rounds += 1
    elif notes.pending:
        await ports.report(f"Researching: searching the web for {len(notes.pending)} questions", None, None)
        addresses, problems = await search(ports.models, notes.pending, question.language)
        pages, unread = await read(ports.fetcher, addresses, notes, depth, ports.report)
        notes.problems.extend(problems + unread)
        notes.pages, notes.asked, notes.pending = pages, notes.asked + notes.pending, []
    elif notes.rounds == 0:
        await ports.report("Researching: planning what to look for", None, None)
        plan = await _plan(question, ports, depth)
        notes.questions = [line for text in plan.questions[:5] if (line := one_line(text, max_chars=300))]
        notes.pending = _new_queries(plan.queries, [], depth.queries) or [question.topic[:_MAX_QUERY_CHARS]]
    else:
        await ports.report(f"Researching: weighing {len(notes.evidence)} quotes", None, None)
        await _decide(question, ports, notes, depth)


async def _plan(question: Question, ports: ResearchPorts, depth: Depth) -> QueryPlan:
    prompt = load_prompt(PACKAGE, "plan_queries").render(
        topic=question.topic,
        audience=question.audience,
        angle=question.angle,
        known="\n".join(fact.statement for fact in question.known),
        how_many=str(depth.queries),
        language=question.language,
    )
    return await ports.models.text(prompt, QueryPlan)


async def _decide(question: Question, ports: ResearchPorts, notes: ResearchNotes, depth: Depth) -> None:
    """Ends research or sets the queries of the next round. Evidence below the minimum is never sufficient."""
    more = depth.queries if notes.rounds < depth.rounds else 0
    prompt = load_prompt(PACKAGE, "reflect").render(
        topic=question.topic,
        audience=question.audience,
        angle=question.angle,
        questions="\n".join(notes.questions),
        evidence=evidence_lines(notes.evidence),
        asked_before="\n".join(notes.asked),
        how_many=str(more),
        language=question.language,
    )
    reflection = await ports.models.text(prompt, Reflection)
    notes.gap = one_line(reflection.gap, max_chars=500)
    notes.is_sufficient = reflection.is_sufficient and _enough(notes, depth)
    if not notes.is_sufficient:
        notes.pending = _new_queries(reflection.follow_up_queries, notes.asked, more)
    notes.finished = notes.is_sufficient or not notes.pending


def evidence_lines(evidence: list[Evidence]) -> list[dict[str, str]]:
    """Evidence as a prompt shows it: id, quote, statement, and the title of its source."""
    return [
        {"id": item.id, "quote": item.quote, "statement": item.statement, "source": item.title} for item in evidence
    ]


def _new_queries(queries: list[str], asked: list[str], how_many: int) -> list[str]:
    known = {query.casefold() for query in asked}
    cleaned = dict.fromkeys(one_line(query, max_chars=_MAX_QUERY_CHARS) for query in queries)
    return [query for query in cleaned if query and query.casefold() not in known][:how_many]


def _sources_quoted(notes: ResearchNotes) -> int:
    return len({item.url for item in notes.evidence})


def _enough(notes: ResearchNotes, depth: Depth) -> bool:
    return len(notes.evidence) >= depth.min_quotes and _sources_quoted(notes) >= depth.min_sources


def _insufficient(question: Question, notes: ResearchNotes, depth: Depth) -> SourcesInsufficient:
    return SourcesInsufficient(
        f"Research on “{question.topic}” found {len(notes.evidence)} usable quotes from {_sources_quoted(notes)} "
        f"sources; at least {depth.min_quotes} from {depth.min_sources} are needed to write without inventing. "
        f"{_what_failed(notes.problems)}Make the topic broader or more definite, or ask for research level “none” to "
        "write from company facts alone.",
        stage="research",
    )


def _what_failed(problems: list[Problem]) -> str:
    if not problems:
        return ""
    first = problems[0]
    return f"{len(problems)} things did not work, the first: {first.what}: {first.reason} "

"""A research report for people: findings with their quotes and sources, what is missing, what did not work."""

from shared.research.evidence import Evidence, same_words
from shared.research.markup import escaped, link, readable_day
from shared.research.report import ResearchReport

_WORDS = {
    "pt-BR": {
        "findings": "O que encontramos",
        "company": "O que a empresa já sabe de si",
        "gap": "O que ficou em aberto",
        "sources": "Fontes",
        "problems": "O que não funcionou",
        "read": "lida em",
    },
    "en": {
        "findings": "Findings",
        "company": "What the company knows of itself",
        "gap": "Open questions",
        "sources": "Sources",
        "problems": "What did not work",
        "read": "read on",
    },
}


def findings_markdown(report: ResearchReport) -> str:
    """The report as Markdown: each finding with its exact quote and the number of its source."""
    words = _WORDS[report.language]
    numbers = {source.url: number for number, source in enumerate(report.sources, start=1)}
    blocks = [f"# {escaped(report.topic)}", f"## {words['findings']}"]
    blocks += [_finding(item, numbers) for item in report.evidence]
    if report.gap:
        blocks += [f"## {words['gap']}", escaped(report.gap)]
    if report.company_facts:
        blocks += [f"## {words['company']}", "\n".join(f"- {escaped(item.statement)}" for item in report.company_facts)]
    if report.sources:
        lines = [
            f"{number}. {link(source.title, source.url)}, {escaped(source.site)}, "
            f"{words['read']} {readable_day(source.fetched_at, report.language)}"
            for number, source in enumerate(report.sources, start=1)
        ]
        blocks += [f"## {words['sources']}", "\n".join(lines)]
    if report.problems:
        lines = [f"- {escaped(problem.what)}: {escaped(problem.reason)}" for problem in report.problems]
        blocks += [f"## {words['problems']}", "\n".join(lines)]
    return "\n\n".join(blocks) + "\n"


def _finding(item: Evidence, numbers: dict[str, int]) -> str:
    """The statement with the number of its source, and the exact words unless they are the same."""
    mark = f" [{numbers[item.url]}]" if item.url in numbers else ""
    if same_words(item.statement) in ("", same_words(item.quote)):
        return f"> {escaped(item.quote)}{mark}"
    return f"{escaped(item.statement)}{mark}\n\n> {escaped(item.quote)}"

"""Saves a blog draft as Markdown, as an HTML page, and its banner."""

import asyncio
import html
from pathlib import Path
from string import Template
from typing import Any

import aiohttp

from shared.content.article import article_html

_PAGE = Path(__file__).with_name("demo_page.html")
_WORDS = {
    "pt-BR": {
        "draft": "Rascunho gerado, ainda não aprovado. Textos do emulador servem para testes.",
        "draft_real": "Rascunho gerado, ainda não aprovado.",
        "about": "Sobre este rascunho",
        "facts": (
            "Modelos",
            "Nota da revisão",
            "Afirmações conferidas",
            "Custo",
            "Palavras-chave",
            "Título SEO",
            "Descrição SEO",
        ),
    },
    "en": {
        "draft": "Generated draft, not approved yet. Texts of the emulator are for testing.",
        "draft_real": "Generated draft, not approved yet.",
        "about": "About this draft",
        "facts": ("Models", "Review score", "Checked statements", "Cost", "Keywords", "SEO title", "SEO description"),
    },
}


def _about(draft: dict[str, Any], labels: tuple[str, ...]) -> str:
    metadata = draft["metadata"]
    citations = metadata.get("citations", {})
    values = (
        ", ".join(sorted(set(metadata.get("models", {}).values()))),
        f"{metadata.get('quality_score')} / 100",
        f"{citations.get('held')} / {citations.get('checked')}",
        f"{float(metadata.get('cost_usd', 0)):.4f} USD",
        ", ".join(draft["keywords"] or []),
        draft["seo_title"],
        draft["seo_description"],
    )
    return "".join(
        f"<dt>{html.escape(a)}</dt><dd>{html.escape(str(b))}</dd>" for a, b in zip(labels, values, strict=True)
    )


def _page(draft: dict[str, Any], banner: str) -> str:
    language = draft["language"]
    words: dict[str, Any] = _WORDS[language]
    emulated = "emulator" in draft["metadata"].get("models", {}).values()
    escape = html.escape
    return Template(_PAGE.read_text()).substitute(
        language=language,
        seo_title=escape(draft["seo_title"]),
        seo_description=escape(draft["seo_description"]),
        draft_note=words["draft" if emulated else "draft_real"],
        byline=escape(draft["author_name"] or ""),
        title=escape(draft["title"]),
        excerpt=escape(draft["excerpt"]),
        banner=banner,
        body=article_html(draft["content"]),
        about_heading=words["about"],
        facts=_about(draft, words["facts"]),
    )


def _front_matter(draft: dict[str, Any]) -> str:
    fields = ("title", "slug", "excerpt", "seo_title", "seo_description", "keywords", "tags", "author_name", "status")
    return "\n".join(f"{name}: {_yaml(draft[name])}" for name in fields)


def _yaml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


async def download(url: str) -> bytes:
    """The file at a public address."""
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as response:
        return await response.read()


async def save_article(draft: dict[str, Any], out: Path) -> list[Path]:
    """Writes SLUG.md, SLUG.html and the banner into `out`; returns their paths."""
    banner = out / f"{draft['slug']}{Path(draft['featured_image']).suffix}"
    markdown, page = out / f"{draft['slug']}.md", out / f"{draft['slug']}.html"
    picture = await download(draft["featured_image"])

    def write() -> None:
        out.mkdir(parents=True, exist_ok=True)
        banner.write_bytes(picture)
        markdown.write_text(f"---\n{_front_matter(draft)}\n---\n\n{draft['content']}\n")
        page.write_text(_page(draft, banner.name))

    await asyncio.to_thread(write)
    return [markdown, page, banner]

"""The pages of the local web: each host dresses its articles in another chrome, as real sites do."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from infra.local.emulator.articles import Article, load_articles

REDIRECT_HOST = "grounding.emulator.test"
REDIRECT_PATH = "/grounding-api-redirect/"

Layout = Literal["article", "div", "main", "table"]

_MONTHS = (
    *("janeiro", "fevereiro", "março", "abril", "maio", "junho"),
    *("julho", "agosto", "setembro", "outubro", "novembro", "dezembro"),
)


@dataclass(frozen=True)
class Site:
    """What is around the articles of a host."""

    name: str
    tagline: str
    colour: str
    layout: Layout
    menu: tuple[str, ...]
    footer: str


SITES: dict[str, Site] = {
    "dispositivos-em-foco.test": Site(
        "Dispositivos em Foco",
        "Revista de quem fabrica saúde",
        "#0b4f6c",
        "article",
        ("Início", "Gestão", "Infraestrutura", "Cadeia", "Eventos", "Assine"),
        "© Dispositivos em Foco. Reprodução permitida com citação da fonte. Fale com a redação.",
    ),
    "regulatorio-medico.test": Site(
        "Regulatório Médico",
        "Guias para quem lida com a Anvisa",
        "#5b2a86",
        "div",
        ("Guias", "Anvisa", "Calendário", "Glossário", "Sobre"),
        "Conteúdo informativo. Consulte sempre o texto vigente das normas.",
    ),
    "usinagem-precisao.test": Site(
        "Usinagem & Precisão",
        "Chão de fábrica, do cavaco ao micrometro",
        "#7a3b00",
        "main",
        ("Processos", "Acabamento", "Metrologia", "Aplicações", "Classificados"),
        "Usinagem & Precisão, publicação mensal. Anuncie conosco.",
    ),
    "vet-ortopedia.test": Site(
        "Vet Ortopedia",
        "Cirurgia e implantes para pequenos animais",
        "#1c6b4a",
        "table",
        ("Cirurgia", "Implantes", "Congressos", "Contato"),
        "Vet Ortopedia não substitui a consulta a um médico-veterinário.",
    ),
    "implant-engineering.test": Site(
        "Implant Engineering",
        "Notes for people who make implants",
        "#27364a",
        "article",
        ("Materials", "Dental", "Regulation", "Archive", "Newsletter"),
        "Implant Engineering is an independent publication. All rights reserved.",
    ),
}

HOSTS = (*SITES, REDIRECT_HOST)

_HEAD = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title} | {name}</title>
<meta name="description" content="{summary}">
<meta name="author" content="{byline}">
<meta property="article:published_time" content="{date}">
<link rel="canonical" href="{url}">
<style>body{{font-family:sans-serif;margin:0}}header,footer{{background:{colour};color:#fff;padding:1em}}
nav a{{color:#fff;margin-right:1em}}.side{{float:right;width:14em}}</style>
<script>window.dataLayer = window.dataLayer || []; dataLayer.push({{page: "{path}"}});</script>
</head>
<body>
<div class="cookie-banner">{cookies} <button>OK</button></div>
<header><a href="/">{name}</a> <small>{tagline}</small><nav>{menu}</nav></header>
"""

_BODIES: dict[Layout, str] = {
    "article": """<aside class="side"><h3>{more}</h3><ul>{related}</ul></aside>
<article><h1>{title}</h1><p class="byline">{byline} · <time datetime="{date}">{when}</time></p>{content}</article>
""",
    "div": """<div id="page"><div class="breadcrumb">{name} › {section}</div><div class="post">
<h1 class="post-title">{title}</h1>
<div class="meta">{byline}, {when}</div><div class="post-body">{content}</div></div>
<div class="widget"><h4>{more}</h4><ul>{related}</ul></div></div>
""",
    "main": """<main><h1>{title}</h1><p><em>{byline}</em>, <time datetime="{date}">{when}</time></p>
<p class="standfirst">{summary}</p>{content}</main><section class="ads"><p>{advert}</p></section>
<section><h3>{more}</h3><ul>{related}</ul></section>
""",
    "table": """<table width="100%"><tr><td class="left"><h3>{more}</h3><ul>{related}</ul></td><td class="middle">
<h1>{title}</h1><p>{byline}<br>{when}</p>{content}</td></tr></table>
""",
}


@lru_cache(maxsize=1)
def pages() -> dict[tuple[str, str], str]:
    """HTML of every page by host and path; each host's front page lists its articles."""
    found = {(article.host, article.path): article_page(article) for article in load_articles()}
    for host in SITES:
        found[host, "/"] = front_page(host)
    return found


def article_page(article: Article) -> str:
    """The page of one article."""
    site = SITES[article.host]
    portuguese = article.tongue == "pt"
    values = {
        **_escaped(article),
        "date": article.date.isoformat(),
        "when": _day(article, portuguese=portuguese),
        "url": article.url,
        "name": html.escape(site.name),
        "tagline": html.escape(site.tagline),
        "colour": site.colour,
        "menu": _menu(site),
        "cookies": "Usamos cookies." if portuguese else "We use cookies.",
        "advert": "Publicidade: espaço reservado para fabricantes de ferramentas." if portuguese else "Advertisement",
        "more": "Leia também" if portuguese else "More to read",
        "related": _links(other for other in load_articles() if other.host == article.host and other != article),
        "content": "\n".join(_block(block) for block in article.blocks),
    }
    return _HEAD.format(**values) + _BODIES[site.layout].format(**values) + _footer(site)


def front_page(host: str) -> str:
    """The list of a host's articles."""
    site = SITES[host]
    listed = _links(article for article in load_articles() if article.host == host)
    return (
        f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{html.escape(site.name)}</title></head><body>"
        f"<header>{html.escape(site.name)}<nav>{_menu(site)}</nav></header><ul>{listed}</ul>{_footer(site)}"
    )


def redirect_token(article: Article) -> str:
    """The opaque end of a grounding link that leads to an article."""
    return re.sub(r"[^a-z0-9]+", "-", f"{article.host}{article.path}").strip("-")


def redirect_uri(article: Article) -> str:
    """A grounding link, as search answers carry it instead of the page's address."""
    return f"https://{REDIRECT_HOST}{REDIRECT_PATH}{redirect_token(article)}"


@lru_cache(maxsize=1)
def redirects() -> dict[str, str]:
    """Address of the page by token."""
    return {redirect_token(article): article.url for article in load_articles()}


def _escaped(article: Article) -> dict[str, str]:
    names = ("title", "byline", "language", "section", "summary", "path")
    return {name: html.escape(str(getattr(article, name))) for name in names}


def _day(article: Article, *, portuguese: bool) -> str:
    day = article.date
    return f"{day.day} de {_MONTHS[day.month - 1]} de {day.year}" if portuguese else f"{day:%B} {day.day}, {day.year}"


def _menu(site: Site) -> str:
    return "".join(f'<a href="/">{html.escape(entry)}</a>' for entry in site.menu)


def _links(articles: Iterable[Article]) -> str:
    return "".join(f'<li><a href="{article.path}">{html.escape(article.title)}</a></li>' for article in articles)


def _block(block: str) -> str:
    if block.startswith("## "):
        return f"<h2>{html.escape(block[3:])}</h2>"
    return f"<p>{html.escape(block)}</p>"


def _footer(site: Site) -> str:
    return f"<footer><p>{html.escape(site.footer)}</p><nav>{_menu(site)}</nav></footer></body></html>"

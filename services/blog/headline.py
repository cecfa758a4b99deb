"""Title, excerpt, texts for search engines and tags, within their limits and without claims of their own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from services.blog.answers import FittedText, Strategy, WrittenHeadline
from services.blog.article import HEADLINE, Article, Headline, Part
from services.blog.checks import Finding, headline_problem
from services.blog.limits import (
    EXCERPT_CHARS,
    SEO_DESCRIPTION_CHARS,
    SEO_TITLE_CHARS,
    TITLE_CHARS,
    fitted,
    shortened,
)
from services.blog.payload import BlogRequest
from shared.concurrently import concurrently
from shared.content.brand import Brand, Language
from shared.content.span import Span
from shared.model.prompts import load_prompt
from shared.plain import one_line
from shared.research.collect import ResearchModels

_PACKAGE = Path(__file__).parent
_MAX_TAGS = 6
_MARKUP = re.compile(r"<[^<>]*>|[*_`#]+(?=\w)|(?<=\w)[*_`]+")


@dataclass(frozen=True, slots=True)
class _Field:
    """One text of the headline: what it is called to the model, and its span of characters."""

    what: str
    span: Span


_FIELDS = {
    "title": _Field("the title of a blog article", TITLE_CHARS),
    "excerpt": _Field("the excerpt of a blog article: one or two whole sentences", EXCERPT_CHARS),
    "seo_title": _Field("the title of a blog article as search engines show it", SEO_TITLE_CHARS),
    "seo_description": _Field("the description that search engines show: whole sentences", SEO_DESCRIPTION_CHARS),
}
# What lengthens a text that is still too short after everything else: true of any article, so it claims nothing.
_FILLERS: dict[Language, tuple[str, ...]] = {
    "pt-BR": (
        "um guia da Lifetrek Medical",
        "para engenharia, compras e qualidade",
        "passo a passo e com fontes",
        "com o que conferir e o que pedir ao fornecedor de dispositivos médicos",
    ),
    "en": (
        "a guide by Lifetrek Medical",
        "for engineering, purchasing and quality",
        "step by step and with sources",
        "with what to check and what to ask a supplier of medical devices",
    ),
}


async def write_headline(
    models: ResearchModels, request: BlogRequest, strategy: Strategy, parts: list[Part], feedback: str = ""
) -> Headline:
    """Writes the headline for the article's parts; what is too long or short gets one more round with the model."""
    article = "\n\n".join(part.as_text() for part in parts)
    prompt = load_prompt(_PACKAGE, "write_headline").render(
        topic=request.topic,
        audience=request.audience,
        angle=strategy.angle,
        article=article,
        keywords=", ".join(strategy.seo_keywords),
        feedback=feedback or "(none)",
        language=request.language,
    )
    written = await models.text(prompt, WrittenHeadline)
    texts = {name: _words_alone(getattr(written, name)) for name in _FIELDS}

    async def fit(name: str, text: str) -> str:
        field = _FIELDS[name]
        if (at_once := fitted(text, field.span)) is not None:
            return at_once
        shorter = load_prompt(_PACKAGE, "fit_length").render(
            what=field.what,
            draft=text,
            min_characters=str(field.span.least),
            max_characters=str(field.span.most),
            article_summary=f"{strategy.angle}\n{parts[0].as_text()}",
            language=request.language,
        )
        answer = _words_alone((await models.text(shorter, FittedText)).text)
        return fitted(answer, field.span) or forced(answer, field.span, request.language)

    fits = await concurrently(fit(name, text) for name, text in texts.items())
    return Headline.model_validate({**dict(zip(texts, fits, strict=True)), "tags": _tags(written.tags, strategy)})


def forced(text: str, span: Span, language: Language) -> str:
    """`text` within the span by whole words alone: cut, or lengthened by what is true of any article of ours."""
    text = one_line(text).rstrip(" .…")
    if len(text) > span.most and span.holds(len(cut := shortened(text, span.most))):
        return cut
    for order in permutations(_FILLERS[language]):
        longer = shortened(text, span.most)
        for filler in order:
            longer = f"{longer}, {filler}"
            if span.holds(len(shortened(longer, span.most))):
                return shortened(longer, span.most)
    return shortened(text, span.most)


def without_claims(
    headline: Headline, article: Article, request: BlogRequest, brand: Brand
) -> tuple[Headline, list[Finding]]:
    """The headline with each text that claims too much replaced by one made from the topic or the article."""
    replacements = _plain_texts(article, request)
    findings: list[Finding] = []
    changed: dict[str, str] = {}
    for name, field in _FIELDS.items():
        text: str = getattr(headline, name)
        problem = headline_problem(text, request.topic, article, brand)
        if problem is not None:
            plain = replacements[name]
            changed[name] = fitted(plain, field.span) or forced(plain, field.span, request.language)
            findings.append(
                Finding(kind=problem.kind, part=HEADLINE, sentence=text, action="replaced", reason=problem.reason)
            )
    return headline.model_copy(update=changed), findings


def _plain_texts(article: Article, request: BlogRequest) -> Mapping[str, str]:
    """Texts that claim nothing beyond the topic and the article's own checked sentences."""
    opening = " ".join(sentence.text for sentence in article.introduction.sentences) or request.topic
    return {"title": request.topic, "seo_title": request.topic, "excerpt": opening, "seo_description": opening}


def _words_alone(text: str) -> str:
    """One line without tags of HTML and without marks of Markdown: these texts are shown as they are."""
    return one_line(_MARKUP.sub(" ", text))


def _tags(tags: list[str], strategy: Strategy) -> list[str]:
    cleaned = (
        one_line(_words_alone(tag), max_chars=40).lower().lstrip("#").strip()
        for tag in [*tags, *strategy.seo_keywords[:3]]
    )
    return list(dict.fromkeys(tag for tag in cleaned if tag))[:_MAX_TAGS]

"""The state of the pipeline: what each stage adds, kept as readable JSON between two attempts."""

from typing import Any, NotRequired, TypedDict

from pydantic import BaseModel

from services.blog.answers import Strategy
from services.blog.article import Article
from services.blog.checks import CitationTally, Finding
from services.blog.payload import BlogRequest
from shared.content.brand_analyst import Review
from shared.research.citations import Reference
from shared.research.report import ResearchReport


class Banner(BaseModel):
    """The picture at the top: where it is and what it was asked to show."""

    url: str
    scene: str


class BlogDraft(BaseModel):
    """A finished draft, as it goes into `blog_posts`; slug and cost are added when it is saved."""

    title: str
    excerpt: str
    content: str
    seo_title: str
    seo_description: str
    keywords: list[str]
    tags: list[str]
    author_name: str
    featured_image: str
    language: str
    news_sources: list[str]
    references: list[Reference]


class BlogState(TypedDict):
    """Each key is there once its stage is done; those that a stage looks for before are marked.

    `resized`: the one round that corrects the length is used up. `reviews`: all of them, the last one decides.
    `seconds`: time by stage, over all attempts.
    """

    request: BlogRequest
    research: ResearchReport
    strategy: Strategy
    article: Article
    resized: NotRequired[bool]
    citations: NotRequired[CitationTally]
    findings: NotRequired[list[Finding]]
    banner: Banner
    reviews: NotRequired[list[Review]]
    draft: BlogDraft
    seconds: NotRequired[dict[str, float]]


Update = dict[str, Any]
"""What a stage returns: the keys of `BlogState` that it sets."""

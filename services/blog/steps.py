"""The stages of a blog job. Each takes the state, does one thing with the ports, and returns what it adds to the state.

Nothing here knows HTTP or SQL, and nothing depends on the time or on chance: a stage that runs again asks the models
exactly the same and is answered from the ledger.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from services.blog.article import HEADLINE, Article, Part
from services.blog.banner import ASPECT_RATIO, CONTENT_TYPE, make_banner
from services.blog.checks import CitationTally
from services.blog.company import research_question
from services.blog.headline import without_claims, write_headline
from services.blog.limits import WORDS
from services.blog.markdown import assemble
from services.blog.ports import Ports
from services.blog.rubric import RUBRIC, feedback_by_part, measured, review_inputs
from services.blog.state import Banner, BlogDraft, BlogState, Update
from services.blog.verify import FactChecker
from services.blog.writing import TARGET_WORDS, Writer
from shared.content.brand import Brand
from shared.content.brand_analyst import LEAST_IN_EACH, PASSING_SCORE, Review, reasons_against, review_draft
from shared.engine.errors import ReviewRejected
from shared.model.prompts import load_prompt
from shared.research.research import ResearchPorts, research

_PACKAGE = Path(__file__).parent
_BUCKET = "content"


class BlogSteps:
    """The stages of one job, bound to its ports."""

    def __init__(self, ports: Ports, brand: Brand) -> None:
        self._ports = ports
        self._brand = brand

    async def research(self, state: BlogState) -> Update:
        """Evidence from the web and the company's own facts. Raises SourcesInsufficient."""
        request, ports = state["request"], self._ports
        async with self._timed("research", state) as seconds:
            question = research_question(request, await ports.catalogue.products(), self._brand)
            research_ports = ResearchPorts(ports.models, ports.fetcher, ports.notebook.keep, ports.report)
            report = await research(question, research_ports, ports.notebook.notes())
        return {"research": report, "seconds": seconds}

    async def strategy(self, state: BlogState) -> Update:
        """Angle, outline and keywords."""
        async with self._timed("strategy", state) as seconds:
            await self._ports.notebook.clear()  # the report is in the state now
            await self._ports.report("Planning angle and outline…", None, None)
            strategy = await self._writer(state).plan()
        return {"strategy": strategy, "seconds": seconds}

    async def write(self, state: BlogState) -> Update:
        """The whole text, part by part, and its headline."""
        strategy = state["strategy"]
        async with self._timed("write", state) as seconds:
            parts = await self._writer(state).all_parts(strategy, self._ports.report)
            await self._ports.report("Writing title and search texts…", None, None)
            headline = await write_headline(self._ports.models, state["request"], strategy, parts)
        introduction, *sections, conclusion = parts
        article = Article(introduction=introduction, sections=sections, conclusion=conclusion, headline=headline)
        return {"article": article, "seconds": seconds}

    async def verify(self, state: BlogState) -> Update:
        """Each sentence against its evidence; what does not hold is rewritten or removed, and that is recorded."""
        request = state["request"]
        async with self._timed("verify", state) as seconds:
            await self._ports.report("Checking citations…", None, None)
            checker = FactChecker(self._ports.models, request, state["research"], self._brand)
            verified = await checker.verify(state["article"].without_repeats(), self._ports.report)
            article = verified.article
            headline, replaced = without_claims(article.headline, article, request, self._brand)
        return {
            "article": article.model_copy(update={"headline": headline}),
            "citations": state.get("citations", CitationTally()).plus(verified.tally),
            "findings": [*state.get("findings", []), *verified.findings, *replaced],
            "seconds": seconds,
        }

    async def resize(self, state: BlogState) -> Update:
        """One round that brings the length within the limits: sections longer or shorter, to be verified again."""
        article, writer = state["article"], self._writer(state)
        async with self._timed("write", state) as seconds:
            around = article.words - sum(section.words for section in article.sections)
            fair = max(round((TARGET_WORDS - around) / len(article.sections)), 0)
            resized: dict[str, Part] = {}
            for section in article.sections:
                if (section.words < fair) == (article.words < WORDS.least) and section.sentences:
                    await self._ports.report(f"Adjusting the length of {section.name}…", None, None)
                    resized[section.name] = await writer.resized(section, fair)
        return {"article": article.with_parts(resized), "resized": True, "seconds": seconds}

    async def image(self, state: BlogState) -> Update:
        """The banner: 1600 × 900 pixels, in Storage under the job's id."""
        strategy, voice = state["strategy"], self._brand.personas[state["request"].voice]
        colours = self._brand.colours
        async with self._timed("image", state) as seconds:
            await self._ports.report("Making the banner…", None, None)
            prompt = load_prompt(_PACKAGE, "banner").render(
                topic=state["request"].topic,
                angle=strategy.angle,
                scene=strategy.banner_scene,
                colours=f"{voice.leads.replace('_', ' ')} {colours[voice.leads]} leads, on light greys; sparingly "
                f"innovation green {colours['innovation_green']} and energy orange {colours['energy_orange']}",
            )
            picture = await self._ports.models.image(prompt, aspect_ratio=ASPECT_RATIO, size="2K")
            banner = await make_banner(picture.data)
            path = f"blog/{self._ports.job_id}/banner.jpg"
            url = await self._ports.files.upload(_BUCKET, path, banner, CONTENT_TYPE)
        return {"banner": Banner(url=url, scene=strategy.banner_scene), "seconds": seconds}

    async def review(self, state: BlogState) -> Update:
        """The brand analyst's scores. Raises ReviewRejected when the draft stays below the bar after its revision."""
        article, earlier = state["article"], state.get("reviews", [])
        async with self._timed("review", state) as seconds:
            await self._ports.report("Reviewing the draft…", None, None)
            assembled = assemble(article, state["research"], self._brand)
            inputs = review_inputs(
                state["request"], state["strategy"], article, assembled, state["research"], self._brand
            )
            checks = measured(article, assembled, state.get("citations", CitationTally()).share)
            review = await review_draft(self._ports.models, RUBRIC, checks, inputs, round_=len(earlier))
            if not review.passed and earlier:
                raise _rejected(review, earlier[-1])
        return {"reviews": [*earlier, review], "seconds": seconds}

    async def revise(self, state: BlogState) -> Update:
        """The one revision: the parts that the review names are written again, with its wishes."""
        strategy, article = state["strategy"], state["article"]
        async with self._timed("write", state) as seconds:
            feedback = feedback_by_part(state.get("reviews", [])[-1], article)
            revised = await self._writer(state).revised(article, strategy, feedback, self._ports.report)
            if wish := feedback.get(HEADLINE):
                await self._ports.report("Revising title and search texts after the review…", None, None)
                headline = await write_headline(self._ports.models, state["request"], strategy, revised.parts, wish)
                revised = revised.model_copy(update={"headline": headline})
        return {"article": revised, "seconds": seconds}

    async def draft(self, state: BlogState) -> Update:
        """The finished draft: Markdown with numbered references, and everything that stands around it."""
        request, article, strategy = state["request"], state["article"], state["strategy"]
        async with self._timed("draft", state) as seconds:
            assembled = assemble(article, state["research"], self._brand)
            headline = article.headline
            draft = BlogDraft(
                title=headline.title,
                excerpt=headline.excerpt,
                content=assembled.content,
                seo_title=headline.seo_title,
                seo_description=headline.seo_description,
                keywords=list(dict.fromkeys([*strategy.seo_keywords, *request.keywords])),
                tags=headline.tags,
                author_name=self._brand.personas[request.voice].author.for_language(request.language),
                featured_image=state["banner"].url,
                language=request.language,
                news_sources=[reference.url for reference in assembled.references if reference.url],
                references=assembled.references,
            )
        return {"draft": draft, "seconds": seconds}

    def _writer(self, state: BlogState) -> Writer:
        return Writer(self._ports.models, state["request"], state["research"], self._brand)

    @asynccontextmanager
    async def _timed(self, stage: str, state: BlogState) -> AsyncGenerator[dict[str, float]]:
        """Opens the stage; yields the seconds of all stages, with this one's added when it ends."""
        seconds = dict(state.get("seconds", {}))
        began = time.monotonic()
        async with self._ports.stage(stage):
            yield seconds
        seconds[stage] = round(seconds.get(stage, 0.0) + time.monotonic() - began, 3)


def _rejected(review: Review, before: Review) -> ReviewRejected:
    return ReviewRejected(
        f"The draft scored {review.score:g} of 100 after its revision ({before.score:g} before); {PASSING_SCORE} are "
        f"needed, and no criterion below {LEAST_IN_EACH}. {reasons_against(review)}"
    )

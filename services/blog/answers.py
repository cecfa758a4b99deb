"""What the models are asked to answer while an article is made. The descriptions are part of the prompts.

Lengths that code can put right afterwards are asked for in words, not enforced: a draft must not fail on a comma.
"""

from typing import Literal

from pydantic import BaseModel, Field


class PlannedSection(BaseModel):
    """One section of the outline."""

    heading: str = Field(min_length=3, description="20 to 80 characters, definite, no colon, no number in front")
    purpose: str = Field(min_length=3, description="What the reader knows at the end of the section; one sentence")
    evidence_ids: list[str] = Field(description="2 to 6 ids of evidence or company facts that the section stands on")


class Strategy(BaseModel):
    """Answer to `strategy`."""

    angle: str = Field(min_length=3, description="What this article claims and others do not; one sentence")
    sections: list[PlannedSection] = Field(
        min_length=3, max_length=5, description="3 to 5 sections that build on each other"
    )
    seo_keywords: list[str] = Field(
        min_length=1, description="4 to 8 phrases that the audience types, the main one first, 1 to 5 words each"
    )
    call_to_action: str = Field(
        min_length=3, description="One sentence inviting the reader to a definite next step with the company"
    )
    banner_scene: str = Field(
        min_length=3,
        description="What the banner photograph shows, in English, 10 to 30 words: one thing or place; "
        "no text, no faces, no patients",
    )


class WrittenSentence(BaseModel):
    """One sentence with the evidence that it stands on."""

    text: str = Field(min_length=1, description="One complete sentence, plain prose, no Markdown, no ids in it")
    evidence_ids: list[str] = Field(
        description="Ids of the evidence (E1, C2, P1) that says what the sentence says; empty without a fact"
    )


class WrittenParagraph(BaseModel):
    """One thought."""

    sentences: list[WrittenSentence] = Field(min_length=1, description="2 to 5 sentences, the first says the thought")


class WrittenPart(BaseModel):
    """Answer to `write_introduction`, `write_section` and `adjust_length`."""

    paragraphs: list[WrittenParagraph] = Field(
        min_length=1, description="2 to 5 paragraphs, together about as many words as asked for"
    )


class WrittenConclusion(BaseModel):
    """Answer to `write_conclusion`."""

    heading: str = Field(min_length=3, description="3 to 7 words that name the decision the reader now faces")
    paragraphs: list[WrittenParagraph] = Field(
        min_length=1, description="2 paragraphs; the last sentence of the last one is the call to action"
    )


class WrittenHeadline(BaseModel):
    """Answer to `write_headline`."""

    title: str = Field(min_length=3, description="Title of the article, 50 to 70 characters")
    excerpt: str = Field(min_length=3, description="1 or 2 sentences that make one read on, 140 to 250 characters")
    seo_title: str = Field(
        min_length=3, description="Title for search engines, 30 to 59 characters, main keyword first"
    )
    seo_description: str = Field(
        min_length=3, description="Description for search engines, 150 to 160 characters, whole sentences, main keyword"
    )
    tags: list[str] = Field(min_length=1, description="3 to 6 tags, 1 to 3 words each, lower case")


class FittedText(BaseModel):
    """Answer to `fit_length`."""

    text: str = Field(min_length=1, description="The text again, within the fewest and most characters asked for")


class SentenceVerdict(BaseModel):
    """What the fact checker says of one sentence."""

    id: str = Field(description="Id of the sentence, for example S3")
    supported: bool = Field(
        description="With evidence: its quotes say what the sentence says. Without: it states no checkable fact"
    )
    forbidden_claim: Literal["none", "clinical", "efficacy", "certificate"] = Field(
        description="The kind of claim that the company must not make; none for nearly every sentence"
    )
    reason: str = Field(description="One short sentence: why; what is missing when it is not supported")


class Verdicts(BaseModel):
    """Answer to `verify_sentences`."""

    verdicts: list[SentenceVerdict] = Field(description="One verdict for every sentence, in the same order")


class RewrittenSentence(BaseModel):
    """One sentence put right."""

    id: str = Field(description="Id of the sentence, for example S3")
    text: str = Field(description="The sentence put right; empty when it has to go")
    evidence_ids: list[str] = Field(description="Ids of the evidence that the new sentence stands on; may be empty")


class RewrittenSentences(BaseModel):
    """Answer to `rewrite_sentences`."""

    sentences: list[RewrittenSentence] = Field(description="One answer for every sentence, with its id")

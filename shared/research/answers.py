"""What the models are asked to answer during research. The descriptions are part of the prompts."""

from pydantic import BaseModel, Field


class QueryPlan(BaseModel):
    """Answer to `plan_queries`."""

    queries: list[str] = Field(
        min_length=1, description="Search queries, 3 to 12 words each, the most important first; as many as asked for"
    )
    questions: list[str] = Field(
        min_length=1, description="3 to 5 questions that the article must answer, one sentence each, in its language"
    )


class PickedQuote(BaseModel):
    """One quote that a model chose; not yet checked against the page."""

    passage: int = Field(description="Number of the passage that the quote is copied from")
    quote: str = Field(description="One or two whole sentences, 40 to 400 characters, copied character for character")
    statement: str = Field(
        description="What the quote says, in one sentence in the language asked for, with no figure or name of its own"
    )


class PickedQuotes(BaseModel):
    """Answer to `pick_quotes`."""

    is_about_topic: bool = Field(description="Whether the page treats the topic of the article at all")
    quotes: list[PickedQuote] = Field(description="The best quotes of the page; empty when it does not treat the topic")


class Reflection(BaseModel):
    """Answer to `reflect`."""

    is_sufficient: bool = Field(description="Whether the evidence is enough to answer most of the questions honestly")
    gap: str = Field(description="What important thing is missing, in one sentence; empty when nothing is")
    follow_up_queries: list[str] = Field(
        description="New search queries for the gap, 3 to 12 words each; empty when the evidence is sufficient"
    )

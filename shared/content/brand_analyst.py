"""The brand analyst: judges a draft against a rubric, criterion by criterion. It never passes by default."""

from pydantic import BaseModel, Field


class CriterionScore(BaseModel):
    """The score of one criterion."""

    criterion: str = Field(description="Name of the criterion, exactly as given")
    score: int = Field(ge=0, le=100, description="0 to 100; 70 and more is good, below 70 must be revised")
    reason: str = Field(min_length=1, description="1 or 2 sentences that quote the words of the draft they are about")


class RequestedChange(BaseModel):
    """Something that has to change before the draft is good."""

    part: str = Field(description="Name of the part to change, exactly as given in the list of parts")
    change: str = Field(min_length=1, description="What is wrong there and what to do; one or two sentences")


class ReviewAnswer(BaseModel):
    """Answer to `review`."""

    scores: list[CriterionScore] = Field(min_length=1, description="One score for each criterion, in the same order")
    changes: list[RequestedChange] = Field(
        description="At most 6 changes, the most important first; empty when all is well"
    )
    summary: str = Field(min_length=1, description="2 sentences for the marketing lead: what is good, what to look at")

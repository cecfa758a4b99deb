"""Prompts and answer schemas: sound files, and every field tells the model what belongs in it."""

from pathlib import Path

import pytest
from pydantic import BaseModel

import services.blog.answers
import shared.content.brand_analyst
import shared.research.answers
from shared.model.prompts import load_prompt

PACKAGES = [
    Path(module.__file__ or "").parent
    for module in (services.blog.answers, shared.content.brand_analyst, shared.research.answers)
]
PROMPTS = [(package, file.stem) for package in PACKAGES for file in sorted((package / "prompts").glob("*.md"))]
ANSWERS = [
    answer
    for module in (services.blog.answers, shared.research.answers)
    for answer in vars(module).values()
    if isinstance(answer, type) and issubclass(answer, BaseModel) and answer is not BaseModel
] + [
    shared.content.brand_analyst.ReviewAnswer,
    shared.content.brand_analyst.CriterionScore,
    shared.content.brand_analyst.RequestedChange,
]


@pytest.mark.parametrize(("package", "name"), PROMPTS, ids=[name for _, name in PROMPTS])
def test_a_prompt_file_is_sound(package: Path, name: str):
    prompt = load_prompt(package, name)
    assert prompt.inputs
    assert prompt.version


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
def test_every_field_of_an_answer_is_described(answer: type[BaseModel]):
    assert all(field.description for field in answer.model_fields.values())

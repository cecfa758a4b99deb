"""Token counts: about four characters a token, like Gemini's for European languages."""

from collections.abc import Iterable

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_INPUT_IMAGE = 560
TOKENS_PER_OUTPUT_IMAGE = {"1K": 1120, "2K": 1120, "4K": 2000}


def text_tokens(text: str) -> int:
    """Tokens of a text; none for an empty one."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def prompt_tokens(texts: Iterable[str], image_count: int = 0) -> int:
    """Tokens of a prompt: its texts and its pictures."""
    return sum(text_tokens(text) for text in texts) + image_count * TOKENS_PER_INPUT_IMAGE

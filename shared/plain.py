"""Text from outside, made plain: one line, without what Postgres refuses or a reader cannot see."""

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def one_line(text: str, max_chars: int | None = None) -> str:
    """`text` with white space as single spaces and without control, format, private and broken characters.

    With `max_chars`, what is longer ends at the last whole word that fits.
    """
    spaced = " ".join(text.split())
    if not spaced.isprintable():
        seen = "".join(c for c in spaced if unicodedata.category(c) not in _UNSEEN)
        spaced = " ".join(seen.split())
    if max_chars is None or len(spaced) <= max_chars:
        return spaced
    cut = spaced[: max_chars + 1].rpartition(" ")[0]
    return cut or spaced[:max_chars]

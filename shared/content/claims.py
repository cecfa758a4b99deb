"""Claims that a regulated maker must not make, found by pattern. A model looks for the rest."""

import re

from shared.content.brand import Brand, ClaimKind


def forbidden_claim(sentence: str, brand: Brand) -> ClaimKind | None:
    """The kind of forbidden claim that `sentence` makes, or None.

    A certificate is claimed when the sentence says that the company (by name, or "we") has or was granted one that is
    not on the brand page. Naming a certificate, or a client's need for it, is no claim.
    """
    for kind, pattern in brand.forbidden_patterns:
        if pattern.search(sentence):
            return kind
    return "certificate" if claimed_certificates(sentence, brand) else None


def claimed_certificates(sentence: str, brand: Brand) -> list[str]:
    """Certificates that the sentence claims for the company and the brand page does not have, as written."""
    certificates = brand.certificates
    speaks_of_us = re.search(certificates.speakers, sentence, re.IGNORECASE)
    has_one = re.search(certificates.verbs, sentence, re.IGNORECASE)
    if not (speaks_of_us and has_one):
        return []
    held = {_key(name) for name in certificates.held} | {_key(name.partition(":")[0]) for name in certificates.held}
    watched = re.finditer(certificates.watched, sentence)  # upper case as written: "ce" is also a word
    return [match[0] for match in watched if _key(match[0]) not in held]


def _key(certificate: str) -> str:
    return re.sub(r"\W", "", certificate).casefold()

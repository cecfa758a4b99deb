"""The rules of `rules.sql` find nothing in the migrated database, and each finds its canary."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import TestDatabases

BLOCK = re.compile(r"^-- rule: (.+)\n((?:.*\n)+?)-- canary: (.+)\n((?:.+\n?)+)", re.MULTILINE)
TEXT = (Path(__file__).parent / "rules.sql").read_text()
RULES = {name: (offenders, offender, canary) for name, offenders, offender, canary in BLOCK.findall(TEXT)}


@pytest.fixture(scope="module")
def migrated(databases: TestDatabases) -> Iterator[Connection[Any]]:
    with databases.copy_of("migrated") as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def test_every_block_is_read():
    assert len(RULES) == TEXT.count("-- rule: ") == TEXT.count("-- canary: ")


@pytest.mark.parametrize("rule", RULES)
def test_rule_holds_and_would_catch_an_offender(migrated, rule):
    offenders, offender, canary = RULES[rule]
    assert migrated.execute(offenders).fetchall() == []
    with migrated.transaction(force_rollback=True):
        migrated.execute(canary)
        assert offender in {row[0] for row in migrated.execute(offenders)}

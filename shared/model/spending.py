"""What a job's calls have cost, as the ledger has it."""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from shared.db import Pool

_SPENDING: LiteralString = """
    select stage, prompt, model_version, status, sum(cost_usd)::float8
    from public.model_calls
    where job_id = %s
    group by stage, prompt, model_version, status
    order by min(id)
"""


@dataclass(frozen=True, slots=True)
class Spending:
    """What a job's calls cost in USD, in all attempts, and `name@version` of each prompt → version of the model."""

    cost_usd: float
    by_stage: dict[str, float]
    models: dict[str, str]


async def spending_of(pool: Pool, job_id: UUID) -> Spending:
    """What the job has cost so far, failed calls included. Raises `psycopg.Error`."""
    by_stage: dict[str, float] = {}
    models: dict[str, str] = {}
    for stage, prompt, model_version, status, cost_usd in await pool.fetch(_SPENDING, (job_id,)):
        by_stage[stage] = round(by_stage.get(stage, 0.0) + (cost_usd or 0.0), 6)
        if status == "settled" and model_version:
            models[prompt] = model_version
    return Spending(round(sum(by_stage.values()), 6), by_stage, models)

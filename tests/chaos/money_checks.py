"""What must hold for money: the ledger against the meter, the limits, and calls whose fate a crash has hidden."""

from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import LiteralString

from tests.chaos.database import Database, Row
from tests.chaos.model import Model, Served
from tests.chaos.report import Report
from tests.supabase.counters import DIFFERENT, LEFT_OVER, MISPRICED

# A gateway lets this many calls be under way at once (MODEL_CONCURRENCY), and there is one in each of two workers.
_CALLS_OF_A_WORKER = 16
_EXACT = Decimal("0.000001")

_MUST_BE_EMPTY: dict[str, LiteralString] = {
    "counters that are not the sums of their calls": DIFFERENT,
    "calls that stayed reserved though nobody can settle them": LEFT_OVER,
    "jobs whose cost is not that of their calls": MISPRICED,
    "calls that stayed reserved": "select * from public.model_calls where status = 'reserved'",
    "counters that still hold a reservation": "select * from engine.spend_counters where reserved_usd <> 0",
    "calls that were settled twice": """
        select job_id, call_key, count(*) from public.model_calls where status = 'settled'
        group by 1, 2 having count(*) > 1
    """,
    "limits that were passed": """
        select c.*, l.usd from engine.spend_counters c cross join lateral (
          select l.usd from public.spend_limits l
          where l.scope = c.scope and l.scope_key in (c.scope_key, '*') and l.usd is not null
          order by l.scope_key = '*' limit 1) l
        where c.spent_usd + c.reserved_usd > l.usd
    """,
    "calls that were abandoned in an attempt that completed its job": """
        select c.* from public.model_calls c join public.job_events e
          on e.job_id = c.job_id and e.attempt = c.attempt and e.kind = 'completed'
        where c.status = 'abandoned'
          -- an attempt that was given back is counted again under the same number
          and not exists (select from public.job_events b where b.job_id = c.job_id and b.attempt = c.attempt
                          and b.kind in ('released', 'continued'))
    """,
}
# A call is unknown when its answer, if there was one, reached nobody who could book it.
_LEDGER = """
    select model, call_kind as kind, sum(cost_usd) as cost_usd,
      count(*) filter (where cost_usd > 0) as answers,
      count(*) filter (where unknown) as unknown, coalesce(sum(reserved_usd) filter (where unknown), 0) as at_most_usd,
      count(*) filter (where repeated) as repeated
    from (
      select *,
        cost_usd = 0 and (status = 'abandoned' or coalesce((error ->> 'cost_unknown')::boolean, false)) as unknown,
        status = 'abandoned' and exists (
          select from public.model_calls o
          where o.job_id = c.job_id and o.call_key = c.call_key and o.status = 'settled') as repeated
      from public.model_calls c
    ) call group by 1, 2 order by 1, 2
"""
# Answered, perhaps, between the last reading of an emulator's meter and its death.
_UNSEEN = """
    select id, model, call_kind, cost_usd, created_at, settled_at from public.model_calls
    where cost_usd > 0 and settled_at >= %s and created_at <= %s
"""


# Whose call it was: numbers of attempts that were given back are used again, so the last claim before it tells. A lease
# that ran out though its worker was left alone was not renewed in time: Postgres was away, or the machine too busy.
_UNKNOWN = """
    select c.id, c.job_id, c.attempt, c.status, c.error, c.created_at, c.settled_at, claim.actor as worker,
      exists (select from public.job_events e where e.job_id = c.job_id and e.id > claim.id and e.attempt = c.attempt
              and e.kind = 'lease_expired' and e.detail ->> 'worker' = claim.actor) as lease_expired
    from public.model_calls c cross join lateral (
      select e.id, e.actor from public.job_events e
      where e.job_id = c.job_id and e.kind = 'claimed' and e.at <= c.created_at order by e.id desc limit 1) claim
    where c.cost_usd = 0 and (c.status = 'abandoned' or coalesce((c.error ->> 'cost_unknown')::boolean, false))
    order by c.id
"""


async def check_money(
    database: Database, model: Model, done: Mapping[tuple[str, str], int], hit: Collection[str], report: Report
) -> None:
    """The books balance, no limit is passed, and the ledger is the meter but for calls that a crash has hidden."""
    for what, query in _MUST_BE_EMPTY.items():
        report.expect_none(what, await database.rows(query))
    unseen = [row for span in model.unseen for row in await database.rows(_UNSEEN, *span)]
    ledger = {(row["model"], row["kind"]): row for row in await database.rows(_LEDGER)}
    _explain(await database.rows(_UNKNOWN), hit, model, report)
    for key in sorted(ledger.keys() | model.served.keys()):
        _compare(key, ledger.get(key), model.served.get(key, Served()), unseen, report)

    unknown = sum(row["unknown"] for row in ledger.values())
    bound = in_flight_at_most(done)
    report.say(
        f"{unknown} calls of unknown cost (at most {bound} were under way when something was broken), "
        f"{sum(row['repeated'] for row in ledger.values())} calls were made again"
    )
    report.figures |= {
        "unknown": unknown,
        "bound": bound,
        "ledger_usd": sum((row["cost_usd"] for row in ledger.values()), Decimal(0)),
        "meter_usd": sum((served.cost_usd for served in model.served.values()), Decimal(0)),
    }
    if unknown > bound:
        report.find(f"{unknown} calls of unknown cost, but at most {bound} were under way when something was broken")


def in_flight_at_most(done: Mapping[tuple[str, str], int]) -> int:
    """How many calls the troubles can have hidden: those of the worker that was hit, or of both workers."""
    hit = Counter[str]()
    for (what, target), times in done.items():
        if what != "change_faults":
            hit[target] += times
    workers = hit["template"] + hit["blog"] + 2 * (hit["emulator"] + hit["postgres"])
    return workers * _CALLS_OF_A_WORKER


def _explain(unknown: list[Row], hit: Collection[str], model: Model, report: Report) -> None:
    """Each call of unknown cost belongs to a worker that was hit, an emulator that was killed, or a lost lease.

    `hit` are the workers, as `service:pid`.
    """
    reasons = Counter[str]()
    unexplained: list[Row] = []
    for row in unknown:
        service, _, pid = row["worker"].split(":")
        if f"{service}:{pid}" in hit:
            reasons["of workers that were killed, stopped or frozen"] += 1
        elif any(
            row["created_at"] <= killed_at and read_at <= row["settled_at"] for read_at, killed_at in model.unseen
        ):
            reasons["when the emulator was killed"] += 1
        elif row["lease_expired"]:
            reasons["of attempts whose lease could not be renewed"] += 1
        else:
            unexplained.append(row)
    for reason, count in reasons.items():
        report.say(f"unknown: {count} {reason}")
    report.expect_none("calls of unknown cost that nothing explains", unexplained)


def _compare(key: tuple[str, str], ledger: Row | None, served: Served, unseen: list[Row], report: Report) -> None:
    """The meter may be ahead by what the unknown calls cost, and behind by what it lost with a killed emulator."""
    row = ledger or {"cost_usd": Decimal(0), "answers": 0, "unknown": 0, "at_most_usd": Decimal(0)}
    name = f"{key[0]} {key[1]}"
    ahead_usd = served.cost_usd - row["cost_usd"]
    lost = [each for each in unseen if (each["model"], each["call_kind"]) == key]
    lost_usd = sum((each["cost_usd"] for each in lost), Decimal(0))
    report.say(
        f"{name}: ledger {row['cost_usd']:.6f} USD in {row['answers']} answers, meter {served.cost_usd:.6f} USD"
        f" in {served.answers}; {row['unknown']} unknown of at most {row['at_most_usd']:.6f} USD,"
        f" {len(lost)} perhaps unmetered"
    )
    if not -lost_usd - _EXACT <= ahead_usd <= row["at_most_usd"] + _EXACT:
        report.find(f"{name}: the meter differs from the ledger by {ahead_usd} USD", [row, *lost])
    if not -len(lost) <= served.answers - row["answers"] <= row["unknown"]:
        report.find(f"{name}: {served.answers} answers metered, {row['answers']} in the ledger", [row, *lost])

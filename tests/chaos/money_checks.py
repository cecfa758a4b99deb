"""What must hold for money: the ledger against the meter, the limits, and calls whose fate a crash has hidden."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import LiteralString

from tests.chaos.database import Database, Row
from tests.chaos.model import Model, Served, exact
from tests.chaos.report import Report
from tests.supabase.counters import DIFFERENT, LEFT_OVER, MISPRICED

# A gateway lets this many calls be under way at once (MODEL_CONCURRENCY), and there is one in each worker.
_CALLS_OF_A_WORKER = 16
_WORKERS = ("template", "blog", "sequence")
_EXACT = Decimal("0.000001")

MUST_BE_EMPTY: dict[str, LiteralString] = {
    "counters that are not the sums of their calls": DIFFERENT,
    "calls that stayed reserved though nobody can settle them": LEFT_OVER,
    "jobs whose cost is not that of their calls": MISPRICED,
    "calls that stayed reserved": "select * from public.model_calls where status = 'reserved'",
    "counters that still hold a reservation": "select * from engine.spend_counters where reserved_usd <> 0",
    "calls that were settled twice": """
        select job_id, call_key, count(*) from public.model_calls where status = 'settled'
        group by 1, 2 having count(*) > 1
    """,
    "calls that were made again though their answer was kept": """
        select again.* from public.model_calls again join public.model_calls kept
          on kept.job_id = again.job_id and kept.call_key = again.call_key and kept.status = 'settled'
        where again.id > kept.id
    """,
    "calls that one attempt lost twice": """
        select job_id, call_key, lease_token, count(*) from public.model_calls where status = 'abandoned'
        group by 1, 2, 3 having count(*) > 1
    """,
    "limits that were passed": """
        select c.*, l.usd from engine.spend_counters c cross join lateral (
          select l.usd from public.spend_limits l
          where l.scope = c.scope and l.scope_key in (c.scope_key, '*') and l.usd is not null
          order by l.scope_key = '*' limit 1) l
        where c.spent_usd + c.reserved_usd > l.usd
    """,
    "calls that were abandoned in an attempt that completed its job": """
        select c.* from public.model_calls c join public.job_events e on e.job_id = c.job_id and e.kind = 'completed'
        cross join lateral (
          select max(b.at) as at from public.job_events b
          where b.job_id = c.job_id and b.kind = 'claimed' and b.id < e.id) claim
        where c.status = 'abandoned' and c.created_at >= claim.at
    """,
}
# A call is unknown when its answer, if there was one, reached nobody who could book it.
_LEDGER = """
    select model, call_kind as kind, sum(cost_usd) as cost_usd,
      count(*) filter (where cost_usd > 0) as answers, array_agg(cost_usd) filter (where cost_usd > 0) as costs,
      count(*) filter (where unknown) as unknown, coalesce(sum(reserved_usd) filter (where unknown), 0) as at_most_usd,
      count(*) filter (where repeated) as repeated
    from (
      select *,
        cost_usd = 0 and (status = 'abandoned' or coalesce((error ->> 'cost_unknown')::boolean, false)) as unknown,
        (status = 'abandoned' or coalesce((error ->> 'cost_unknown')::boolean, false)) and exists (
          select from public.model_calls o
          where o.job_id = c.job_id and o.call_key = c.call_key and o.id > c.id) as repeated
      from public.model_calls c
    ) call group by 1, 2 order by 1, 2
"""
# Answered, perhaps, between the last reading of an emulator's meter and its death.
_UNSEEN = """
    select id, model, call_kind, cost_usd, created_at, settled_at from public.model_calls
    where cost_usd > 0 and settled_at >= %s and created_at <= %s
"""
# Whose call it was, and how that attempt ended. Numbers of attempts that were given back are used again, so the last
# claim before the call tells. A lease that ran out though its worker was left alone was not renewed in time: Postgres
# was away, or the machine too busy.
_UNKNOWN = """
    select c.id, c.job_id, c.attempt, c.status, c.error, c.created_at, c.settled_at, claim.actor as worker,
      ending.kind as ending, ending.detail ->> 'reason' as reason
    from public.model_calls c cross join lateral (
      select e.id, e.actor from public.job_events e
      where e.job_id = c.job_id and e.kind = 'claimed' and e.at <= c.created_at order by e.id desc limit 1) claim
    left join lateral (
      select e.kind, e.detail from public.job_events e
      where e.job_id = c.job_id and e.id > claim.id and e.kind <> 'checkpoint' order by e.id limit 1) ending on true
    where c.cost_usd = 0 and (c.status = 'abandoned' or coalesce((c.error ->> 'cost_unknown')::boolean, false))
    order by c.id
"""
_CUT_OFF = "select count(*) as jobs from public.job_events where kind = 'cancelled' and attempt > 0"
_ENDINGS = {
    ("lease_expired", None): "of attempts whose lease could not be renewed",
    ("cancelled", None): "of jobs that people cancelled",
    ("released", "kill_switch"): "that the kill switch cut off",
}


async def check_money(
    database: Database, model: Model, done: Mapping[tuple[str, str], int], hit: Mapping[str, int], report: Report
) -> None:
    """The books balance, no limit is passed, and the ledger is the meter but for calls that a crash has hidden.

    `done` are the troubles that were made, `hit` how often a process had a signal, as `service:pid`.
    """
    for what, query in MUST_BE_EMPTY.items():
        report.expect_none(what, await database.rows(query))
    unseen = [row for span in model.unseen for row in await database.rows(_UNSEEN, *span)]
    ledger = {(row["model"], row["kind"]): row for row in await database.rows(_LEDGER)}
    _explain(await database.rows(_UNKNOWN), hit, model, report)
    lost_usd = Decimal(0)
    for key in sorted(ledger.keys() | model.served.keys()):
        lost_usd += _compare(key, ledger.get(key), model.served.get(key, Served()), unseen, report)

    [cancelled] = await database.rows(_CUT_OFF)
    unknown = sum(row["unknown"] for row in ledger.values())
    repeated = sum(row["repeated"] for row in ledger.values())
    blows = blows_on_workers(done) + cancelled["jobs"]
    bound = blows * _CALLS_OF_A_WORKER
    report.say(f"{unknown} calls of unknown cost, {repeated} calls made again; a worker was struck {blows} times")
    report.figures |= {
        "unknown": unknown,
        "repeated": repeated,
        "blows": blows,
        "bound": bound,
        "ledger_usd": sum((row["cost_usd"] for row in ledger.values()), Decimal(0)),
        "lost_usd": lost_usd,
        "meter_usd": sum((served.cost_usd for served in model.served.values()), Decimal(0)),
    }
    if unknown > bound:
        report.find(f"{unknown} calls of unknown cost, but at most {bound} were under way when something was broken")


def blows_on_workers(done: Mapping[tuple[str, str], int]) -> int:
    """How often a worker lost calls that were under way: those of one service, or of all when all depend on it."""
    hit = Counter[str]()
    for (what, target), times in done.items():
        if what != "change_faults":
            hit[target] += times
    of_one = sum(hit[worker] for worker in _WORKERS)
    return of_one + len(_WORKERS) * (hit["emulator"] + hit["postgres"] + hit["switches"])


def _explain(unknown: list[Row], hit: Mapping[str, int], model: Model, report: Report) -> None:
    """Each call of unknown cost belongs to a worker that was hit, an emulator that was killed, or an attempt that was
    cut off by its lease, by a person or by the kill switch; and no kill hides more calls than can be under way.
    """
    reasons = Counter[str]()
    hidden = Counter[str]()
    unexplained: list[Row] = []
    for row in unknown:
        service, _, pid = row["worker"].split(":")
        if f"{service}:{pid}" in hit:
            reasons["of workers that were killed, stopped or frozen"] += 1
            hidden[f"{service}:{pid}"] += 1
        elif any(
            row["created_at"] <= killed_at and read_at <= row["settled_at"] for read_at, killed_at in model.unseen
        ):
            reasons["when the emulator was killed"] += 1
        elif (row["ending"], row["reason"]) in _ENDINGS:
            reasons[_ENDINGS[row["ending"], row["reason"]]] += 1
        else:
            unexplained.append(row)
    for reason, count in reasons.items():
        report.say(f"unknown: {count} {reason}")
    report.expect_none("calls of unknown cost that nothing explains", unexplained)
    too_many = [each for each in hidden.items() if each[1] > hit[each[0]] * _CALLS_OF_A_WORKER]
    report.expect_none("workers that lost more calls than their kills can have hidden", too_many)


def _compare(key: tuple[str, str], ledger: Row | None, served: Served, unseen: list[Row], report: Report) -> Decimal:
    """What the answers cost that the meter has and the ledger does not: they belong to unknown calls, one each.

    The ledger may have more than the meter only by what that lost with a killed emulator.
    """
    row = ledger or {"cost_usd": Decimal(0), "answers": 0, "costs": [], "unknown": 0, "at_most_usd": Decimal(0)}
    name = f"{key[0]} {key[1]}"
    booked = Counter(exact(cost_usd) for cost_usd in row["costs"] or ())
    lost, unmetered = served.costs - booked, booked - served.costs
    lost_usd = _sum(lost.elements())
    report.say(
        f"{name}: ledger {row['cost_usd']:.6f} USD in {row['answers']} answers, meter {served.cost_usd:.6f} USD"
        f" in {served.answers}; {lost.total()} answers to {row['unknown']} unknown calls were lost, {lost_usd:.6f} USD"
        f" of at most {row['at_most_usd']:.6f} USD"
    )
    died_with_meter = Counter(exact(each["cost_usd"]) for each in unseen if (each["model"], each["call_kind"]) == key)
    if unmetered - died_with_meter:
        report.find(f"{name}: answers in the ledger that the meter does not have", sorted(unmetered.elements()))
    if lost.total() > row["unknown"]:
        report.find(f"{name}: {lost.total()} answers are not in the ledger, {row['unknown']} calls are unknown")
    ahead_usd = served.cost_usd - row["cost_usd"]
    if lost_usd > row["at_most_usd"] or abs(ahead_usd - lost_usd + _sum(unmetered.elements())) > _EXACT:
        report.find(f"{name}: the meter differs from the ledger by {ahead_usd} USD, {lost_usd} USD were lost")
    return lost_usd


def _sum(costs_usd: Iterable[Decimal]) -> Decimal:
    return sum(costs_usd, Decimal(0))

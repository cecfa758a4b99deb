"""A walk through the model, taken with the real SQL functions: Postgres stands where the model does at each step.

Time is moved by hand: what runs out in the model is put into the past in the row.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from random import Random
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection

from shared.engine.story import Event, Standing, problems
from tests.lease_protocol.protocol import Happening, Protocol
from tests.lease_protocol.state import Call, Row, World

STATEMENTS: dict[str, LiteralString] = {
    "checkpoint": "select checkpoint_job(%(job)s, %(token)s, jsonb_build_object('step', %(number)s::int))",
    "complete": "select complete_job(%(job)s, %(token)s, '{}')",
    "continue": "select continue_job(%(job)s, %(token)s)",
    "release": "select release_job(%(job)s, %(token)s)",
    "fail for now": """select fail_job(%(job)s, %(token)s, '{"code": "x", "message": "not now"}', true)""",
    "fail for good": """select fail_job(%(job)s, %(token)s, '{"code": "x", "message": "never"}', false)""",
    "cancel": "select cancel_job(%(job)s)",
    "retry": "select retry_job(%(job)s)",
}
ODDS = {"main": 12, "beat": 12, "sweep": 12, "lift": 3, "tick": 6}
ODDS_BY_NAME = {"a person retries the job": 20, "fails, to be tried again": 2, "fails for good": 1}
LEASE_NOT_HELD = "PT409"
_STANDING: LiteralString = """
    select status, attempts, lease_token, coalesce(lease_expires_at > clock_timestamp(), false),
      status = 'queued' and scheduled_for > clock_timestamp(), coalesce((checkpoint_data ->> 'step')::int, 0),
      (select count(*) from blog_posts b where b.job_id = j.id),
      (select array_agg(e.kind order by e.id) from job_events e where e.job_id = j.id)
    from jobs j where id = %s
"""


def walk(protocol: Protocol, chance: Random, steps: int) -> Iterator[tuple[World, Happening]]:
    """Each thing that happens, with the world it happens in. What is nobody's fault is likelier than what is."""
    state = chance.choice(protocol.beginnings())
    for _ in range(steps):
        happenings = list(protocol.happenings(state))
        weights = [ODDS_BY_NAME.get(step.name, ODDS.get(step.fairness, 1)) for _, step, _ in happenings]
        (happening,) = chance.choices(happenings, weights)
        yield protocol.world(state), happening
        state = happening[2]


class Replay:
    """One job in Postgres that goes the model's way."""

    def __init__(self, connection: Connection[Any], user_id: UUID, max_attempts: int) -> None:
        self._connection = connection
        self._max_attempts = max_attempts
        self._tokens: dict[str, UUID] = {}
        self._current: UUID | None = None
        self._events = ["queued"]
        self.job_id: UUID = self._one("insert into jobs (user_id, job_type) values (%s, 'echo') returning id", user_id)[
            0
        ]

    def begin(self, world: World) -> None:
        """The job as the model's world has it at the beginning."""
        self._one(
            "update jobs set max_attempts = %s, scheduled_for = clock_timestamp() + make_interval(days => %s)"
            " where id = %s returning id",
            *(self._max_attempts, world.shared.row.due_in, self.job_id),
        )
        self._stop(stopped=False)

    def follow(self, who: str, call: Call | None, events: tuple[str, ...], before: World, after: World) -> None:
        """Does in Postgres what happened in the model. AssertionError when anything comes out differently."""
        if call:
            answer = self._call(who, call)
            assert answer == call.answer, f"{call.function} answered {answer}, the model {call.answer}"
        elif who == "clock" and before.shared.row != after.shared.row:
            self._pass_time(after.shared.row)
        elif before.shared.stopped != after.shared.stopped:
            self._stop(stopped=after.shared.stopped)
        else:
            return
        self._events += events
        self._compare(after.shared.row)

    def told_well(self) -> list[str]:
        """What the checker over `job_events` has against this job's story."""
        query = "select kind, actor, attempt, at, detail from job_events where job_id = %s order by id"
        events = [Event(*row) for row in self._connection.execute(query, (self.job_id,))]
        return problems(
            events, Standing(*self._one("select status, attempts, max_attempts from jobs where id = %s", self.job_id))
        )

    def _call(self, who: str, call: Call) -> str:
        token = self._current if call.holds else self._tokens.get(who, self.job_id)
        assert not call.holds or who not in self._tokens or who == "others" or self._tokens[who] == token
        match call.function:
            case "claim":
                return self._claim(who)
            case "heartbeat":
                held, cancelled, paused = self._one("select * from heartbeat_job(%s, %s)", self.job_id, token)
                return "paused" if paused else "held" if held else "cancelled" if cancelled else "lost"
            case "sweep":
                found = self._connection.execute("select id from sweep_jobs(1000)").fetchall()
                return "due" if (self.job_id,) in found else ""
            case function:
                return self._write(function, {"job": self.job_id, "token": token, "number": call.number})

    def _write(self, function: str, parameters: dict[str, Any]) -> str:
        try:
            with self._connection.transaction() if function == "complete" else nullcontext():
                row = self._connection.execute(STATEMENTS[function], parameters).fetchone()
                if function == "complete":
                    self._write_draft()
        except psycopg.Error as error:
            if error.sqlstate != LEASE_NOT_HELD:
                raise
            return "lost"
        if function == "checkpoint":
            return "paused" if row and row[0] else "saved"
        return "" if function in {"cancel", "retry"} else "done"

    def _claim(self, who: str) -> str:
        row = self._connection.execute("select lease_token from claim_job(%s, %s)", (self.job_id, who)).fetchone()
        if row is None:
            return "nothing"
        self._current = self._tokens[who] = row[0]
        return "granted"

    def _write_draft(self) -> None:
        self._connection.execute(
            "insert into blog_posts (title, slug, content, status, job_id) values ('t', %s, 'c', 'draft', %s)",
            (str(uuid4()), self.job_id),
        )

    def _pass_time(self, row: Row) -> None:
        if row.status == "processing" and row.lease == 0:
            query: LiteralString = "update jobs set lease_expires_at = clock_timestamp() where id = %s"
        elif row.status == "queued" and row.due_in == 0:
            query = "update jobs set scheduled_for = least(scheduled_for, clock_timestamp()) where id = %s"
        else:
            return
        self._connection.execute(query, (self.job_id,))

    def _stop(self, *, stopped: bool) -> None:
        self._connection.execute(
            "insert into kill_switches (kind, engaged, reason) values ('echo', %s, 'a walk')"
            " on conflict (kind) do update set engaged = excluded.engaged",
            (stopped,),
        )

    def _compare(self, row: Row) -> None:
        status, attempts, token, leased, put_off, saved, drafts, events = self._one(_STANDING, self.job_id)
        real = Row(status, attempts, token is not None, int(leased), int(put_off), saved, drafts)
        assert real == row._replace(lease=min(row.lease, 1), due_in=min(row.due_in, 1))
        assert token is None or token == self._current
        assert events == self._events

    def _one(self, query: LiteralString, *parameters: Any) -> Any:
        row = self._connection.execute(query, parameters).fetchone()
        assert row is not None
        return row

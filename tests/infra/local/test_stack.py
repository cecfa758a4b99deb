"""The embedded stack as a whole: its commands, its processes, and that nothing of it stays behind."""

import json
import os
import signal
import stat
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.running_stack import RunningStack, poll

SERVICES = ["dispatcher", "template"]
FIELDS = [
    "database_url",
    "dispatcher_url",
    "webhook_secret",
    "supabase_url",
    "anon_key",
    "service_key",
    "model_url",
    "mail_dir",
    "slack_dir",
    "users",
    "processes",
]


@pytest.fixture(scope="module")
def mine(start_stack) -> RunningStack:
    """A stack of this module's own, left running by its tests."""
    return start_stack(SERVICES)


@pytest.fixture(scope="module")
def other(start_stack) -> RunningStack:
    """A second one beside it, which the tests below stop, kill and start again."""
    return start_stack(["template"], up=False)


def ask(stack: RunningStack, query: str, *parameters: Any) -> Any:
    with psycopg.connect(stack["database_url"], autocommit=True) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status


def test_stack_json_says_where_everything_is(mine):
    description = mine.description
    assert list(description) == FIELDS
    assert list(mine.pids) == ["postgres", "relay", "gateway", "emulator", "mail", *SERVICES]
    assert all(psutil.pid_exists(pid) for pid in mine.pids.values())
    assert mine.ports["relay"] is None
    assert description["dispatcher_url"] == mine.url("dispatcher")
    assert description["supabase_url"] == mine.url("gateway")
    assert description["model_url"] == mine.url("emulator")
    assert [status_of(mine.url(name) + "/readyz") for name in SERVICES] == [200, 200]
    assert all(Path(each["log"]).is_file() for each in description["processes"])
    assert ask(mine, "select current_user::text") == "postgres"


def test_the_three_people_of_the_seed_are_there(mine):
    assert sorted(user["role"] for user in mine["users"]) == ["admin", "marketing", "sales"]
    for user in mine["users"]:
        assert user["password"]
        assert ask(mine, "select id::text from auth.users where email = %s", user["email"]) == user["id"]


def test_the_database_knows_where_its_hints_go(mine):
    assert ask(mine, "select engine.setting('dispatcher_url')") == mine["dispatcher_url"] + "/webhooks/jobs"
    assert ask(mine, "select engine.setting('webhook_secret')") == mine["webhook_secret"]


def test_only_the_loopback_address_is_listened_on(mine):
    listening = [
        connection.laddr.ip
        for process in mine.living()
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_secrets_are_for_their_owner_alone_and_in_no_log(mine):
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    # As root, Postgres runs as a user of its own, whose group may pass through the directory and not look into it.
    assert mode(mine.state) == (0o710 if os.geteuid() == 0 else 0o700)
    assert {mode(path) for path in mine.state.glob("*.json")} == {0o600}
    password = mine["database_url"].split(":")[2].split("@")[0]
    for log in (mine.state / "logs").iterdir():
        for secret in (mine["webhook_secret"], mine["service_key"], password, *(u["password"] for u in mine["users"])):
            assert secret not in log.read_text(), log.name
    for process in mine.living():
        with suppress(psutil.Error):
            assert password not in " ".join(process.cmdline())


def test_up_twice_is_one_stack(mine):
    pids = mine.pids
    again = mine.up()
    assert {each["name"]: each["pid"] for each in again["processes"]} == pids
    assert again["database_url"] == mine["database_url"]
    foreground = mine.run("up")
    assert str(mine.state) in foreground.stdout
    assert mine.pids == pids


def test_status_is_zero_and_says_what_runs(mine):
    said = json.loads(mine.run("status", "--json").stdout)
    assert said["running"] is True
    assert {each["name"]: each["running"] for each in said["processes"]} == dict.fromkeys(mine.pids, True)
    assert "dispatcher" in mine.run("status").stdout


def test_psql_opens_the_database(mine):
    assert mine.run("psql", "--", "-Atc", "select 6 * 7, current_database()").stdout == "42|postgres\n"


def test_logs_prints_the_end_of_a_log(mine):
    assert "ready to accept connections" in mine.run("logs", "postgres").stdout
    assert len(mine.run("logs", "postgres", "-n", "2").stdout.splitlines()) == 2
    unknown = mine.run("logs", "nobody", check=False)
    assert unknown.returncode == 1
    assert "relay" in unknown.stderr


def test_logs_follows_what_is_added(mine):
    following = mine.begin("logs", "seed", "--follow", "-n", "1")
    assert following.stdout is not None
    log = mine.state / "logs" / "seed.log"
    try:
        for line in ("one line\n", "and another\n"):
            with log.open("a") as file:
                file.write(line)
            while following.stdout.readline() != line:
                pass
    finally:
        following.send_signal(signal.SIGINT)
        following.communicate()


def test_an_unknown_service_is_refused_by_name(start_stack):
    refused = start_stack(up=False).run("up", "--services", "template,typo", check=False)
    assert refused.returncode == 1
    assert "typo" in refused.stderr
    assert "dispatcher, template" in refused.stderr


@pytest.mark.parametrize("name", ["relay", "gateway", "emulator", "mail", "dispatcher", "template"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_dies_is_replaced_and_stack_json_follows(mine, name, number):
    others = {key: pid for key, pid in mine.pids.items() if key != name}
    dead = mine.kill(name, number)
    replaced = poll(lambda: mine.pids[name] != dead and mine.pids[name])
    assert psutil.Process(replaced).is_running()
    assert {key: pid for key, pid in mine.pids.items() if key != name} == others
    if mine.ports[name] and name != "mail":
        assert status_of(mine.url(name) + "/healthz") == 200


def test_a_request_to_a_killed_service_waits_instead_of_being_refused(mine):
    for _ in range(3):
        mine.kill("template")
        assert status_of(mine.url("template") + "/readyz") == 200


def test_a_restarted_process_comes_from_a_warm_one_that_has_imported_packages_and_none_of_our_code(mine):
    imported = json.loads((mine.state / "imports" / "gateway.json").read_bytes())
    assert "jwt" in imported
    assert not [name for name in imported if name.startswith(("infra", "shared", "services"))]
    dead = mine.kill("gateway")
    poll(lambda: mine.pids["gateway"] != dead)
    assert "warm gateway" in [process.name() for process in mine.living()]


def test_the_stack_survives_its_warm_processes(mine):
    for process in mine.living():
        if process.name() in ("forkserver", "warm gateway"):
            process.kill()
    for name in ("template", "gateway"):
        dead = mine.kill(name)
        poll(lambda name=name, dead=dead: mine.pids[name] != dead)
        assert status_of(mine.url(name) + "/readyz") == 200


def test_a_killed_postgres_comes_back_with_what_was_committed(mine):
    ask(mine, "insert into public.app_config (key, value) values ('kept', 'yes') returning key")
    dead = mine.kill("postgres")
    poll(lambda: mine.pids["postgres"] != dead)

    def reachable() -> bool:
        with suppress(psycopg.OperationalError):
            return ask(mine, "select value from public.app_config where key = 'kept'") == "yes"
        return False

    poll(reachable)
    poll(lambda: status_of_or_none(mine.url("template") + "/readyz") == 200)
    number = ask(mine, "select net.http_post(%s)", mine.url("dispatcher"))
    poll(lambda: ask(mine, "select count(*) from net._http_response where id = %s", number) == 1)


def status_of_or_none(url: str) -> int | None:
    with suppress(OSError):
        return status_of(url)
    return None


def test_two_ups_at_once_make_one_stack(other):
    both = [other.begin("up", "--detach", "--json", "--services", "template") for _ in range(2)]
    one, two = (json.loads(each.communicate(timeout=60)[0]) for each in both)
    assert one == two
    assert other.pids == {each["name"]: each["pid"] for each in one["processes"]}


def test_two_stacks_run_side_by_side(mine, other):
    other.up(["template"])
    assert list(other.pids) == ["postgres", "relay", "gateway", "emulator", "mail", "template"]
    assert other["dispatcher_url"] is None
    assert not {port for port in mine.ports.values() if port} & {port for port in other.ports.values() if port}
    for secret in ("webhook_secret", "service_key", "database_url"):
        assert mine[secret] != other[secret]


def test_down_leaves_no_process_behind_and_data_survives(mine, other):
    other.up(["template"])
    first = other.description
    ask(other, "insert into public.app_config (key, value) values ('kept', 'yes') returning key")
    other.down()
    assert other.living() == []
    assert not (other.state / "stack.json").exists()
    assert other.run("status", check=False).returncode == 1
    assert all(psutil.pid_exists(pid) for pid in mine.pids.values()), "the other stack goes on"

    other.up(["template"])
    assert ask(other, "select value from public.app_config where key = 'kept'") == "yes"
    # Addresses and keys too: they stand in rows, and in people's bookmarks.
    assert {name: other[name] for name in FIELDS[:-1]} == {name: first[name] for name in FIELDS[:-1]}


def test_a_terminated_worker_is_replaced_while_it_ends_what_it_has_begun_and_down_waits_for_both(other):
    other.down()  # it may run without a dispatcher
    other.up(SERVICES)
    job = (
        "insert into public.jobs (user_id, job_type, status, payload)"
        " select id, 'echo', 'queued', %s from auth.users limit 1 returning id"
    )
    status = "select status from public.jobs where id = %s"
    long = ask(other, job, '{"sleep_ms": 60000}')
    poll(lambda: ask(other, status, long) == "processing")
    old = psutil.Process(other.kill("template", signal.SIGTERM))
    poll(lambda: other.pids["template"] != old.pid)
    short = ask(other, job, "{}")
    poll(lambda: ask(other, status, short) == "completed")
    assert old.is_running()
    assert ask(other, status, long) == "processing"
    other.down()
    assert other.living() == []


def test_kill_9_of_the_supervisor_leaves_no_process_behind(other):
    other.up(["template"])
    os.kill(other.supervisor_pid, signal.SIGKILL)
    poll(lambda: not other.living())
    assert other.run("status", check=False).returncode == 1
    other.up(["template"])
    assert other.run("status").returncode == 0


def test_a_stack_whose_directory_was_removed_stops(other):
    other.up(["template"])
    (other.state / "lock").unlink()
    poll(lambda: not other.living())


def test_down_without_a_stack_is_fine(start_stack):
    assert json.loads(start_stack(up=False).run("down", "--json").stdout) == {"stopped": True}


def test_a_failed_start_says_why_and_leaves_nothing_behind(start_stack):
    broken = start_stack(environment={"DATABASE_POOL_SIZE": "many"}, up=False)
    failed = broken.run("up", "--detach", "--services", "template", check=False)
    assert failed.returncode == 1
    assert "template" in failed.stderr
    assert "valid integer" in failed.stderr, "the end of the log"
    assert not (broken.state / "stack.json").exists()
    assert broken.living() == []


def test_ctrl_c_stops_everything_also_while_it_starts(start_stack):
    stack = start_stack(up=False)
    for is_far_enough in ((stack.state / "postgres").exists, (stack.state / "stack.json").exists):
        foreground = stack.begin("up", "--services", "template")
        poll(is_far_enough, timeout_s=30)
        foreground.send_signal(signal.SIGINT)
        foreground.communicate(timeout=30)
        assert foreground.returncode == 0
        assert stack.living() == []
        assert not (stack.state / "stack.json").exists()

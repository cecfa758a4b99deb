"""The parts of the supervisor that can be looked at by themselves."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.errors import UnknownServiceError
from infra.local.ports import free_port, listen
from infra.local.programs import Addresses, Programs
from infra.local.services import ROOT, choose, discover
from infra.local.state import StateDir
from infra.local.supervisor import pause_before_restart


def test_a_process_restarts_at_once_and_waits_only_when_it_keeps_dying():
    pauses = [pause_before_restart(short_lives) for short_lives in range(1, 13)]
    assert pauses == [0, 0, 0, 0, 0, 0.25, 0.5, 1, 2, 4, 5, 5]


def test_services_are_found_by_the_catalogue_and_their_folders():
    found = discover()
    assert found[0] == "dispatcher"
    assert "template" in found
    assert all((ROOT / "services" / name / "app.py").is_file() for name in found)


def test_chosen_services_keep_their_order_and_unknown_ones_are_named():
    assert choose(None, ["a", "b"]) == ["a", "b"]
    assert choose(["b", "a"], ["a", "b", "c"]) == ["a", "b"]
    with pytest.raises(UnknownServiceError, match="no such service: x; there are: a, b"):
        choose(["a", "x"], ["a", "b"])


def test_a_preferred_port_is_used_again_when_it_is_free_and_left_alone_when_not():
    first = listen()
    port = first.getsockname()[1]
    with first, listen(port) as second:
        assert second.getsockname()[1] != port
    with listen(port) as again:
        assert again.getsockname()[1] == port
    assert free_port(port) == port


@pytest.fixture
def programs(tmp_path) -> Iterator[Programs]:
    state = StateDir.at(tmp_path / "state")
    state.create()
    services = ["dispatcher", "template", "blog"]
    addresses = Addresses(state, services)
    yield Programs(
        state,
        addresses,
        services,
        local_web={"FETCH_CA_FILE": "ca.pem"},
        database_url="postgresql://db",
        service_key="key",
        webhook_secret="secret",
    )
    addresses.close()


def test_a_service_is_told_where_its_world_is_and_not_that_it_is_local(programs, monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    addresses = programs.addresses
    assert programs.service("blog").env == {
        "DATABASE_URL": "postgresql://db",
        "SUPABASE_URL": addresses.url("gateway"),
        "SUPABASE_SERVICE_KEY": "key",
        "SERVICE_NAME": "blog",
        "MODEL_BASE_URL": addresses.url("emulator"),
        "GEMINI_API_KEY": "emulator",
        "FETCH_CA_FILE": "ca.pem",
        "OIDC_ISSUER": addresses.url("gateway") + "/identity",
        "OIDC_JWKS_URL": addresses.url("gateway") + "/identity/certs",
        "OIDC_AUDIENCE": addresses.url("blog"),
        "OIDC_INVOKERS": '["dispatcher@local.iam.gserviceaccount.com"]',
    }
    dispatcher = programs.service("dispatcher").env
    assert dispatcher["WEBHOOK_SECRET"] == "secret"
    assert dispatcher["SWEEP_INTERVAL_S"] == "1"
    workers = {"template": addresses.url("template"), "blog": addresses.url("blog")}
    assert json.loads(dispatcher["WORKER_URLS"]) == workers


def test_with_a_key_of_the_callers_own_services_talk_to_the_real_gemini(programs, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "real")
    # A process inherits the supervisor's environment, and with it the key.
    assert not {"MODEL_BASE_URL", "GEMINI_API_KEY"} & set(programs.service("blog").env)


def test_what_a_program_is_told_is_not_in_its_description(programs):
    assert "postgresql://db" not in repr(programs)
    assert "postgresql://db" not in repr(programs.service("blog"))


HOLD = """
import sys
from pathlib import Path
from infra.local.state import StateDir

state = StateDir.at(Path(sys.argv[1]))
lock = state.lock()
state.mark_ready(lock)
print(lock is not None, flush=True)
sys.stdin.read()
"""


def test_the_lock_belongs_to_one_process_at_a_time(tmp_path):
    state = StateDir.at(tmp_path / "state")
    state.create()
    assert state.supervisor() is None
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, state.path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        assert state.lock() is None
        supervisor = state.supervisor()
        assert supervisor is not None
        assert (supervisor.pid, supervisor.ready) == (holder.pid, True)
        holder.kill()
    assert state.supervisor() is None
    lock = state.lock()
    assert lock is not None
    assert state.still_holds(lock)
    (state.path / "lock").unlink()
    assert not state.still_holds(lock)
    os.close(lock)


def test_a_reader_never_sees_half_of_a_written_file(tmp_path):
    state = StateDir.at(tmp_path)
    state.write("stack.json", {"n": -1})
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            state.write("stack.json", {"n": number, "filler": "x" * 20_000})
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert "n" in json.loads((tmp_path / "stack.json").read_bytes())
    finally:
        stop.set()
        writer.join()


def test_secrets_stay_the_same_and_differ_between_directories(tmp_path):
    one, two = StateDir.at(tmp_path / "one"), StateDir.at(tmp_path / "two")
    for state in (one, two):
        state.create()
    assert one.secrets() == one.secrets() != two.secrets()


def test_the_tail_of_a_log_begins_where_this_start_began(tmp_path):
    state = StateDir.at(tmp_path)
    state.create()
    Path(state.log("blog")).write_text("an old failure\nthe new failure\n")
    assert state.tail("blog", since=len("an old failure\n")) == "the new failure"
    assert state.tail("blog", limit=9) == "failure"
    assert state.tail("nobody") == ""


# In a process of its own: the reaper waits for all children of a process, pytest's too.
REAP = """
import asyncio, os, signal, subprocess, sys
from infra.local.reaper import Reaper

async def main():
    reaper = Reaper()
    quick = subprocess.Popen(["true"])
    while os.path.exists(f"/proc/{quick.pid}"):  # ends, and is reaped, before it is watched
        await asyncio.sleep(0.001)
    killed = subprocess.Popen(["sleep", "60"])
    # An orphan: its parent, a shell, ends first. We adopt it.
    shell = subprocess.Popen(["sh", "-c", "sh -c 'sleep 0.3; exit 7' & echo $!"], stdout=subprocess.PIPE, text=True)
    orphan = int(shell.stdout.readline())
    watched = [reaper.watch(each.pid) for each in (quick, killed, shell)] + [reaper.watch(orphan)]
    killed.kill()
    print([await asyncio.wait_for(each, 10) for each in watched])

asyncio.run(main())
"""


def test_the_reaper_tells_how_children_ended_also_adopted_ones():
    done = subprocess.run([sys.executable, "-c", REAP], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == f"[0, {-signal.SIGKILL}, 0, 7]\n"

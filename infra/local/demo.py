"""The main job for real: asks for an article as the marketing user, watches it being made, and saves it to out/.

Everything goes the front end's way: signing in with a password, inserting a row under row level security, reading rows.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from supabase import AsyncClient, acreate_client

from infra.local.demo_files import save_article
from infra.local.demo_progress import Progress

TOPIC = "ISO 13485 na escolha de um fornecedor de implantes e instrumentos"
POLL_S = 0.4
Row = dict[str, Any]


def _stack(state: Path, *command: str) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, "-m", "infra.local", *command, "--state", str(state), "--json"],
        stdout=subprocess.PIPE, check=False, text=True,
    )  # fmt: skip
    if finished.returncode != 0:
        sys.exit(finished.returncode)
    return json.loads(finished.stdout)


def _is_running(state: Path) -> bool:
    asked = subprocess.run(
        [sys.executable, "-m", "infra.local", "status", "--state", str(state), "--json"],
        capture_output=True, check=False,
    )  # fmt: skip
    return asked.returncode == 0


async def _sign_in(stack: dict[str, Any], role: str) -> tuple[AsyncClient, Row]:
    client = await acreate_client(stack["supabase_url"], stack["anon_key"])
    user = next(user for user in stack["users"] if user["role"] == role)
    await client.auth.sign_in_with_password({"email": user["email"], "password": user["password"]})
    return client, user


async def _insert_job(client: AsyncClient, user: Row, payload: dict[str, Any]) -> Row:
    row = {"user_id": user["id"], "job_type": "blog_generate", "payload": payload, "status": "queued"}
    answer = await client.table("jobs").insert(row).execute()
    return cast("Row", answer.data[0])


async def _watch(client: AsyncClient, job_id: str, progress: Progress) -> Row:
    columns = "id,status,error,result,checkpoint_data,attempts,cost_usd"
    while True:
        answer = await client.table("jobs").select(columns).eq("id", job_id).single().execute()
        job = cast("Row", answer.data)
        progress.show(job)
        if job["status"] in ("completed", "failed", "cancelled"):
            return job
        await asyncio.sleep(POLL_S)


async def _draft_of(client: AsyncClient, job_id: str) -> Row | None:
    answer = await client.table("blog_posts").select("*").eq("job_id", job_id).execute()
    return cast("Row", answer.data[0]) if answer.data else None


async def write_article(stack: dict[str, Any], payload: dict[str, Any], out: Path, console: Console) -> bool:
    """Runs one blog job to its end. True when its draft is in the database and saved to `out`."""
    client, user = await _sign_in(stack, "marketing")
    started = time.monotonic()
    job = await _insert_job(client, user, payload)
    console.print(f"job [bold]{job['id']}[/] inserted by {user['email']}")
    with Progress(console, started) as progress:
        job = await _watch(client, job["id"], progress)
    if job["status"] != "completed":
        console.print(f"[bold red]{job['status']}[/]: {job['error']}")
        return False
    draft = await _draft_of(client, job["id"])
    if draft is None or draft["status"] != "draft":
        console.print("[bold red]The job is completed, but its draft is not in the database.[/]")
        return False
    console.print(f"\n[bold]{draft['title']}[/]\n{draft['excerpt']}\n")
    for path in await save_article(draft, out):
        console.print(f"  {path}")
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--language", default="pt-BR", choices=["pt-BR", "en"])
    parser.add_argument("--research-level", default="light", choices=["none", "light", "deep"])
    parser.add_argument("--state", type=Path, default=Path(".local"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args()


def main() -> int:
    """Exit code 0 only when the draft is in the database."""
    arguments = _arguments()
    console = Console()
    was_running = _is_running(arguments.state)
    console.print("the stack is running" if was_running else "starting the stack …")
    stack = _stack(arguments.state, "up", "--detach")
    payload = {
        "topic": arguments.topic,
        "language": arguments.language,
        "researchLevel": arguments.research_level,
        "targetAudience": "compras e engenharia de fabricantes de dispositivos médicos"
        if arguments.language == "pt-BR"
        else "purchasing and engineering of medical device manufacturers",
    }
    try:
        written = asyncio.run(write_article(stack, payload, arguments.out, console))
    finally:
        if not was_running:
            _stack(arguments.state, "down")
    if not was_running:
        console.print(
            "\n[bold]make up[/] keeps the stack running; [bold]python -m infra.local psql[/] opens its database,"
        )
        console.print("[bold]python -m infra.local logs blog[/] shows what a service did.")
    else:
        console.print("\nDatabase: [bold]python -m infra.local psql[/], logs: [bold]python -m infra.local logs blog[/]")
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())

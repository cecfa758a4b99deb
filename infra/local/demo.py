"""One job for real: asks for a draft as the marketing user, watches it being made, and saves it to out/.

Everything goes the front end's way: signing in with a password, inserting a row under row level security, reading rows.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from supabase import AsyncClient, acreate_client

from infra.local.demo_files import save_article
from infra.local.demo_piece import save_piece
from infra.local.demo_progress import Progress

POLL_S = 0.4
Row = dict[str, Any]


async def _save_as(platform: str, draft: Row, out: Path) -> list[Path]:
    return await save_piece(draft, platform, out)


@dataclass(frozen=True)
class Demo:
    """A kind as the front end asks for it. `save` writes its row of `table` into a folder and returns the paths."""

    job_type: str
    table: str
    topic: str
    save: Callable[[Row, Path], Awaitable[list[Path]]]
    payload: Row = field(default_factory=dict[str, Any])


DEMOS = {
    "blog": Demo(
        "blog_generate",
        "blog_posts",
        "ISO 13485 na escolha de um fornecedor de implantes e instrumentos",
        save_article,
    ),
    "carousel": Demo(
        "carousel_generate",
        "linkedin_carousels",
        "Parafusos pediculares: o que conferir antes de aprovar um fornecedor",
        partial(_save_as, "LinkedIn"),
        {"format": "carousel"},
    ),
    "instagram": Demo(
        "instagram",
        "instagram_posts",
        "Por dentro da sala limpa: como um instrumento cirúrgico é montado",
        partial(_save_as, "Instagram"),
        {"format": "carousel"},
    ),
}


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


async def _insert_job(client: AsyncClient, user: Row, job_type: str, payload: Row) -> Row:
    row = {"user_id": user["id"], "job_type": job_type, "payload": payload, "status": "queued"}
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


async def _draft_of(client: AsyncClient, table: str, job_id: str) -> Row | None:
    answer = await client.table(table).select("*").eq("job_id", job_id).execute()
    return cast("Row", answer.data[0]) if answer.data else None


async def make_draft(stack: dict[str, Any], demo: Demo, payload: Row, out: Path, console: Console) -> bool:
    """Runs one job to its end. True when its draft is in the database and saved to `out`."""
    client, user = await _sign_in(stack, "marketing")
    started = time.monotonic()
    job = await _insert_job(client, user, demo.job_type, demo.payload | payload)
    console.print(f"job [bold]{job['id']}[/] inserted by {user['email']}")
    with Progress(console, started) as progress:
        job = await _watch(client, job["id"], progress)
    if job["status"] != "completed":
        console.print(f"[bold red]{job['status']}[/]: {job['error']}")
        return False
    draft = await _draft_of(client, demo.table, job["id"])
    if draft is None or draft["status"] != "draft":
        console.print("[bold red]The job is completed, but its draft is not in the database.[/]")
        return False
    title, text = draft.get("title") or draft["topic"], draft.get("excerpt") or draft["caption"]
    console.print(f"\n[bold]{escape(title)}[/]\n{escape(text)}\n")
    for path in await demo.save(draft, out):
        console.print(f"  {path}")
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="blog", choices=DEMOS)
    parser.add_argument("--topic")
    parser.add_argument("--language", default="pt-BR", choices=["pt-BR", "en"])
    parser.add_argument("--research-level", default="light", choices=["none", "light", "deep"])
    parser.add_argument("--state", type=Path, default=Path(".local"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args()


def main() -> int:
    """Exit code 0 only when the draft is in the database."""
    arguments = _arguments()
    demo = DEMOS[arguments.kind]
    console = Console()
    was_running = _is_running(arguments.state)
    console.print("the stack is running" if was_running else "starting the stack …")
    stack = _stack(arguments.state, "up", "--detach")
    payload = {
        "topic": arguments.topic or demo.topic,
        "language": arguments.language,
        "researchLevel": arguments.research_level,
        "targetAudience": "compras e engenharia de fabricantes de dispositivos médicos"
        if arguments.language == "pt-BR"
        else "purchasing and engineering of medical device manufacturers",
    }
    try:
        written = asyncio.run(make_draft(stack, demo, payload, arguments.out, console))
    finally:
        if not was_running:
            _stack(arguments.state, "down")
    if not was_running:
        console.print("\n[bold]make up[/] keeps the stack running.")
    console.print("[bold]python -m infra.local psql[/] opens its database,")
    console.print(f"[bold]python -m infra.local logs {arguments.kind}[/] shows what a service did.")
    return 0 if written else 1


if __name__ == "__main__":
    sys.exit(main())

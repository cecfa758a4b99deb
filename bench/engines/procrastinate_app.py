"""The job and the worker of procrastinate; as a module it is the worker process: `… DATABASE_URL NAME`."""

import asyncio
import sys

import uvloop
from procrastinate import App, PsycopgConnector

# As its manual says: several jobs at a time, a pool that is large enough for them, notifications on (the default).
# The event loop is the one that our services run on.
CONCURRENCY = 20


def create_app(database_url: str) -> App:
    """An app with the one task, not opened yet."""
    app = App(connector=PsycopgConnector(conninfo=database_url, min_size=4, max_size=CONCURRENCY + 2))

    @app.task(name="one_step")
    async def one_step() -> dict[str, int]:  # pyright: ignore[reportUnusedFunction]  # the app knows it by its name
        return {"steps": 1}

    return app


async def _work(database_url: str) -> None:
    app = create_app(database_url)
    async with app.open_async():
        print("ready")
        await app.run_worker_async(concurrency=CONCURRENCY)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(sys.argv[1]))

"""The job and the worker of DBOS; as a module it is the worker process: `… DATABASE_URL NAME`."""

import signal
import sys
import threading

from dbos import DBOS, DBOSClient, DBOSConfig

QUEUE = "bench"
WORKFLOW = "one_step"
_POOL_SIZE = 20
# New work is polled for, by default every second. At a tenth of that jobs start sooner, and throughput is the same.
_POLLING_INTERVAL_S = 0.1
# Synchronous functions and a limit a worker were the best of the six combinations tried.
_WORKER_CONCURRENCY = 50


@DBOS.step()
def step() -> dict[str, int]:
    return {"steps": 1}


@DBOS.workflow(name=WORKFLOW)
def one_step() -> dict[str, int]:
    return step()


def create_client(database_url: str) -> DBOSClient:
    """A client that enqueues from outside of the application."""
    return DBOSClient(system_database_url=as_sqlalchemy(database_url), system_database_pool_size=4)


def as_sqlalchemy(database_url: str) -> str:
    """The URL with the driver that DBOS brings."""
    return database_url.replace("postgresql://", "postgresql+psycopg://", 1)


def launch(database_url: str, executor: str) -> None:
    """Creates the system database's tables where they are missing, and starts to work as that executor.

    The limit a worker counts the work of its executor: two of one name would share it.
    """
    config = DBOSConfig(
        name="bench",
        system_database_url=as_sqlalchemy(database_url),
        sys_db_pool_size=_POOL_SIZE,
        application_version="1",
        executor_id=executor,
        log_level="WARNING",
    )
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(
        QUEUE,
        worker_concurrency=_WORKER_CONCURRENCY,
        polling_interval_sec=_POLLING_INTERVAL_S,
        on_conflict="always_update",
    )


if __name__ == "__main__":
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    launch(sys.argv[1], sys.argv[2])
    print("ready")
    ended.wait()
    DBOS.destroy()

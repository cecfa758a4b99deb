"""One JSON object a line on stdout, with the fields that Cloud Logging understands."""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_LABELS = ("job_id", "kind", "attempt", "stage", "service")


def configure_logging(service: str, *, level: str = "INFO", project: str | None = None) -> None:
    """Sets up structlog and the standard library's logging for one process.

    Fields: `severity`, `message`, `time`, `logging.googleapis.com/trace` (from a bound `trace_id`) and
    `logging.googleapis.com/labels` (job_id, kind, attempt, stage, service), as Cloud Logging documents them.
    """

    def for_cloud_logging(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        labels = {name: str(event[name]) for name in _LABELS if event.get(name) is not None}
        labels["service"] = service
        trace_id = event.pop("trace_id", None)
        entry: dict[str, Any] = {
            "severity": "CRITICAL" if method == "critical" else str(event.pop("level", method)).upper(),
            "message": event.pop("event", ""),
            **event,
            "logging.googleapis.com/labels": labels,
        }
        if trace_id:
            entry["logging.googleapis.com/trace"] = f"projects/{project or 'local'}/traces/{trace_id}"
        return entry

    shared_processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared_processors, for_cloud_logging, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_processors,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                for_cloud_logging,
                structlog.processors.JSONRenderer(serializer=_dumps),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for own_format in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(own_format)
        logger.handlers.clear()
        logger.propagate = True
    for noisy in ("httpx", "httpcore", "httpx2", "uvicorn.access", "google_genai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _dumps(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()

"""Every error that can end an attempt, in one tree. What only one part can fail with is a leaf beside that part's code.

JobError
├── InvalidPayload        the request itself is wrong                         not retryable
├── BudgetExceeded        a spending limit would be passed                    not retryable
├── ModelError
│   ├── ModelUnavailable  408, 429, 5xx, time-outs after all retries          retryable
│   ├── ModelRejected     any other 4xx: our request or our key is wrong      not retryable
│   ├── ModelRefused      blocked by the provider's safety filters            not retryable
│   └── ModelOutputInvalid  truncated, empty or not what the schema asks      retryable
├── SourcesInsufficient   research found too little to write honestly         not retryable
├── CopyRejected          the copy breaks limits or claim rules, also repaired not retryable
├── ReviewRejected        the draft stayed below the bar after its revision   not retryable
├── StorageUnavailable    a file could not be stored                          retryable
├── DatabaseUnavailable   Postgres did not answer while the job needed it     retryable
└── UnexpectedError       anything else: a defect                             retryable

AttemptInterrupted        not an error of the job: the attempt stops before its end
├── LeaseLost             another attempt holds the job now, or may do so
├── JobCancelled          a person cancelled it
├── WorkerDraining        this worker shuts down; the lease is given back
├── EnginePaused          a kill switch is engaged; the lease is given back
└── ModelPutOff           a model has failed again and again; the job goes on later
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class JobError(Exception):
    """A failure that a person can read. `message` is for the marketing lead, `code` for programs."""

    code: ClassVar[str] = "job_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, stage: str | None = None, slide_index: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.stage = stage
        self.slide_index = slide_index

    def detail(self) -> dict[str, Any]:
        """The JSON of `jobs.error_detail`: stage, slide_index, message, retryable, code."""
        return {
            "code": self.code,
            "stage": self.stage,
            "slide_index": self.slide_index,
            "message": self.message,
            "retryable": self.retryable,
        }


class InvalidPayload(JobError):
    """The payload does not fit the kind's schema; the message names the field and the rule."""

    code = "invalid_payload"


class BudgetExceeded(JobError):
    """A spending limit would be passed; the message names the limit and when it resets.

    `limit` is the limit for programs: its scope, scope_key, limit_usd, spent_usd, asked_usd and resets_at.
    """

    code = "budget_exceeded"

    def __init__(self, message: str, *, stage: str | None = None, limit: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, stage=stage)
        self.limit = limit

    def detail(self) -> dict[str, Any]:
        """As every error's, with the limit."""
        return super().detail() | ({"limit": dict(self.limit)} if self.limit else {})


class ModelError(JobError):
    """A model did not give a usable answer."""

    code = "model_error"


class ModelUnavailable(ModelError):
    """The provider answered 408, 429 or 5xx, or not at all, until the call's deadline."""

    code = "model_unavailable"
    retryable = True


class ModelRejected(ModelError):
    """The provider refuses our request (another 4xx): retrying cannot help."""

    code = "model_rejected"


class ModelRefused(ModelError):
    """The provider's safety filter blocked the prompt or the answer."""

    code = "model_refused"


class ModelOutputInvalid(ModelError):
    """The answer was truncated, empty or not valid after its repair round."""

    code = "model_output_invalid"
    retryable = True


class SourcesInsufficient(JobError):
    """Research found too little evidence to write about the topic without inventing."""

    code = "sources_insufficient"


class CopyRejected(JobError):
    """The copy breaks a limit of the platform or makes a claim that nothing supports, also after its repair."""

    code = "copy_rejected"


class ReviewRejected(JobError):
    """The draft stayed below the threshold after its revision; the message gives the reasons."""

    code = "review_rejected"


class StorageUnavailable(JobError):
    """A file could not be stored."""

    code = "storage_unavailable"
    retryable = True


class DatabaseUnavailable(JobError):
    """Postgres did not answer for longer than the attempt could wait."""

    code = "database_unavailable"
    retryable = True


class UnexpectedError(JobError):
    """A defect. The message for people is general; the log has the traceback."""

    code = "unexpected"
    retryable = True


class AttemptInterrupted(Exception):
    """The attempt stops before its end, through no fault of the job: what becomes of the job is decided already."""


class LeaseLost(AttemptInterrupted):
    """The lease is no longer ours: it expired and was taken over, or the job has ended."""


class JobCancelled(AttemptInterrupted):
    """A person cancelled the job while it ran."""


class WorkerDraining(AttemptInterrupted):
    """This worker is shutting down: the job goes back to the queue with its checkpoint, the attempt uncounted."""


class EnginePaused(AttemptInterrupted):
    """A kill switch is engaged: the job goes back to the queue with its checkpoint, the attempt uncounted."""


class ModelPutOff(AttemptInterrupted):
    """The circuit of a model is open: the job keeps its checkpoint and is due again after `after_s` seconds."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s

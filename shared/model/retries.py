"""When a request is tried again, how long to wait before, and when to give up. The only retry layer of model calls."""

from dataclasses import dataclass
from time import monotonic

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from shared.model.failures import ProviderFailure
from shared.model.ledger import CallKind


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How long one request and one call (all its tries and waits) may take, in seconds, and how tries are spaced."""

    request_timeout_s: float
    deadline_s: float
    max_tries: int = 6
    base_s: float = 0.5
    cap_s: float = 20.0
    longest_server_delay_s: float = 60.0


POLICIES: dict[CallKind, CallPolicy] = {
    "text": CallPolicy(request_timeout_s=120, deadline_s=300),
    "search": CallPolicy(request_timeout_s=90, deadline_s=240),
    "image": CallPolicy(request_timeout_s=180, deadline_s=420),
    "embedding": CallPolicy(request_timeout_s=30, deadline_s=120),
}


def retrying(policy: CallPolicy, deadline: float) -> AsyncRetrying:
    """Exponential back-off with full jitter between the tries of a call, on top of the delay that the server asks for.

    Stops after `max_tries`, and at once when the next try could not begin before `deadline` (on the monotonic clock) or
    the server asks for more than `longest_server_delay_s`. The last ProviderFailure is raised.
    """
    jitter = wait_random_exponential(multiplier=policy.base_s, max=policy.cap_s)

    def wait(state: RetryCallState) -> float:
        # On top: many calls that are told to wait for the same time should not come back together.
        return _delay_asked_for(state) + jitter(state)

    def stop(state: RetryCallState) -> bool:
        return (
            state.attempt_number >= policy.max_tries
            or _delay_asked_for(state) > policy.longest_server_delay_s
            or monotonic() + state.upcoming_sleep >= deadline
        )

    return AsyncRetrying(wait=wait, stop=stop, retry=retry_if_exception(_is_transient), reraise=True)


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, ProviderFailure) and error.transient


def _delay_asked_for(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.delay_s or 0.0) if isinstance(error, ProviderFailure) else 0.0

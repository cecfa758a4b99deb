"""How long a service takes from its start as a whole process until it is ready, as in a new container."""

from bench.cpu import process_seconds
from bench.figures import Figure, Measured, at_most
from bench.percentiles import describe, median
from bench.service_process import DISPATCHER, started
from bench.setting import Setting


async def measure(setting: Setting) -> Measured:
    """The command of the image, `uvicorn services.<folder>.app:create_app --factory`; the exec to 200 from /readyz.

    The first start of each service compiles its modules, as the build of an image does, and does not count.
    """
    stack = setting.stack
    figures: list[Figure] = []
    raw: dict[str, dict[str, dict[str, float]]] = {}
    for service in stack.services:
        async with started(service, stack):
            pass
        seconds: list[float] = []
        cpu_s: list[float] = []
        for _ in range(setting.scale.cold_starts):
            async with started(service, stack) as process:
                seconds.append(process.ready_after_s)
                cpu_s.append(process_seconds(process.pid))
        raw[service] = {"seconds": describe(seconds), "cpu_s": describe(cpu_s)}
        figures += [
            Figure(f"{service}: process start to ready, p50", median(seconds), "s", at_most(_limit_s(service))),
            Figure(f"{service}: processor time until then, p50", median(cpu_s), "s"),
        ]
    return Measured(figures, raw)


def _limit_s(service: str) -> float:
    return 1.5 if service == DISPATCHER else 4.0

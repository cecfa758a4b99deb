"""What a service that waits for work keeps in memory."""

import asyncio

import psutil

from bench.figures import Figure, Measured, at_most
from bench.service_process import started
from bench.setting import Setting

_MIB = 1024 * 1024
_LIMIT_MIB = {"dispatcher": 90.0}
_WORKER_LIMIT_MIB = 180.0


async def measure(setting: Setting) -> Measured:
    """Resident memory, of the stack's processes and of whole processes as a container has them.

    The stack forks its services from one process that has imported what they share; the resident set counts the
    shared pages in full, the proportional one (PSS) in parts, the unique one (USS) not at all.
    """
    stack = setting.stack
    figures: list[Figure] = []
    raw: dict[str, dict[str, dict[str, float]]] = {}
    await asyncio.sleep(setting.scale.idle_s)
    for service in stack.services:
        in_stack = memory_mib(stack.pid(service))
        async with started(service, stack) as process:
            await asyncio.sleep(setting.scale.idle_s)
            alone = memory_mib(process.pid)
        raw[service] = {"in_stack": in_stack, "alone": alone}
        target = at_most(_LIMIT_MIB.get(service, _WORKER_LIMIT_MIB))
        figures += [
            Figure(f"{service}: idle memory of a process of its own (RSS)", alone["rss"], "MiB", target),
            Figure(f"{service}: idle memory in the stack (RSS)", in_stack["rss"], "MiB", target),
            Figure(f"{service}: idle memory in the stack (PSS)", in_stack["pss"], "MiB"),
        ]
    return Measured(figures, {"mib": raw})


def memory_mib(pid: int) -> dict[str, float]:
    """Resident, unique and proportional set of a process, in MiB."""
    memory = psutil.Process(pid).memory_full_info()
    return {name: round(getattr(memory, name) / _MIB, 1) for name in ("rss", "uss", "pss")}

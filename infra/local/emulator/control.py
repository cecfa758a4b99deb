"""The emulator's own paths: faults, meter and health."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from infra.local.emulator.api import Emulator
from infra.local.emulator.faults import FaultPlan


def create_control_router(emulator: Emulator) -> APIRouter:
    """Paths under `/__emulator`, `/healthz` and `/readyz`."""
    router = APIRouter()

    @router.get("/__emulator/faults")
    async def faults() -> dict[str, Any]:
        """The plan in force, the steps left, and the known faults."""
        return emulator.faults.as_json()

    @router.post("/__emulator/faults")
    async def set_faults(plan: FaultPlan) -> dict[str, Any]:
        """Replaces the plan; 422 says which faults are known."""
        emulator.faults.set(plan)
        return emulator.faults.as_json()

    @router.delete("/__emulator/faults")
    async def clear_faults() -> dict[str, Any]:
        """No faults any more."""
        emulator.faults.set(FaultPlan())
        return emulator.faults.as_json()

    @router.get("/__emulator/meter")
    async def meter(*, requests: bool = False) -> dict[str, Any]:
        """What was served and what it would have cost; `?requests=1` lists the last requests too."""
        return emulator.meter.as_json(requests=requests)

    @router.post("/__emulator/meter/reset")
    @router.delete("/__emulator/meter")
    async def reset_meter() -> dict[str, Any]:
        """Forgets everything counted."""
        emulator.meter.reset()
        return emulator.meter.as_json()

    @router.get("/healthz")
    @router.get("/readyz")
    async def health() -> Response:
        """The process answers."""
        return JSONResponse({"status": "ok", "model_version": "emulator"})

    return router

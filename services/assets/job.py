"""The job `index_assets`: what it takes, and how it goes from slice to slice."""

from services.assets.steps import Index, Models, embed_slice
from shared.engine.context import JobContext
from shared.engine.outcome import Continue, Done, Outcome
from shared.engine.payload import Payload, parse_payload

SLICES_AT_A_TIME = 10


class IndexAssetsPayload(Payload):
    """Nothing to say: whatever has no embedding gets one."""


async def index_assets(context: JobContext, index: Index, models: Models) -> Outcome:
    """Brings the index in step with its sources, then embeds the texts that wait, slice by slice.

    After `SLICES_AT_A_TIME` slices it gives its slot back, so that others have a turn. The result tells how many rows
    were `out_of_step` and how many texts were `embedded`.
    """
    parse_payload(IndexAssetsPayload, context.job.payload)
    if "out_of_step" not in context.saved:
        async with context.stage("refresh"):
            await context.checkpoint({"out_of_step": await index.refresh()}, {"message": "Looked through all sources"})
    async with context.stage("embed"):
        for _ in range(SLICES_AT_A_TIME):
            kept = await embed_slice(index, models)
            if kept is None:
                return Done({"out_of_step": context.saved["out_of_step"], "embedded": context.saved.get("embedded", 0)})
            embedded = context.saved.get("embedded", 0) + kept
            left = await index.count_waiting()
            progress = {"message": f"{embedded} texts embedded", "done": embedded, "total": embedded + left}
            await context.checkpoint({"embedded": embedded}, progress)
    return Continue()

"""One module for each measurement, each with `async def measure(bench) -> Measured`."""

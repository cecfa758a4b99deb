"""The engines that are measured side by side: ours, procrastinate and DBOS, on one Postgres server."""

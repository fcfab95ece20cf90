"""The commands, their modules and their one-line summaries, so that ``--help`` imports none of them."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "setup": ("headwater.cli.setup", "Create the database, its tables and sample rows."),
    "check": ("headwater.cli.check", "Check every prerequisite, with the remedy for each failure."),
    "bucket": ("headwater.cli.bucket", "Create the S3 bucket, or adopt it when it is yours."),
    "generate": ("headwater.cli.generate", "Write synthetic orders and events as partitioned Parquet."),
    "upload": ("headwater.cli.upload", "Sync output/ to the lake, then list and verify it."),
    "ingest": ("headwater.cli.ingest", "Copy a live PostgreSQL table into the lake."),
    "catalog": ("headwater.cli.catalog", "Create the Athena database, tables and partitions."),
    "query": ("headwater.cli.query", "Run the example queries, or any SQL, in Athena."),
    "backup": ("headwater.cli.backup", "Back up PostgreSQL to S3: create, verify, watch, prune."),
    "restore": ("headwater.cli.restore", "Restore a backup into a database, checked first."),
    "clean": ("headwater.cli.clean", "Show what would go, ask, then remove it."),
    "demo": ("headwater.cli.demo", "Run the whole pipeline on the embedded stack."),
    "up": ("headwater.cli.stack", "Start the embedded stack."),
    "down": ("headwater.cli.stack", "Stop the embedded stack."),
    "status": ("headwater.cli.stack", "Show whether the embedded stack runs, and where."),
    "env": ("headwater.cli.stack", "Print variables that point other tools at the stack."),
}

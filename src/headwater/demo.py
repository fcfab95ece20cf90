"""The whole pipeline in order, step by step, with what each step showed: the first thing that a new user runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from headwater.errors import CheckFailed, Refused, VerificationError
from headwater.model import OnProgress, no_progress
from headwater.pipeline import Headwater

FLIGHTS_BY_CARRIER = """\
SELECT carrier, count(*) AS flights, count(dep_time) AS departed, sum(distance) AS miles
FROM flights GROUP BY carrier ORDER BY carrier"""
FLIGHTS_OF_A_DAY = """\
SELECT origin, count(*) AS flights, count(DISTINCT tailnum) AS planes, max(dep_delay) AS longest_delay
FROM flights WHERE time_hour_year = 2013 AND time_hour_month = 7 AND time_hour_day = 4
GROUP BY origin ORDER BY origin"""


@dataclass(frozen=True)
class Step:
    """One step of the demo: what was done, what came out, and how long it took."""

    name: str
    seconds: float
    facts: tuple[str, ...]
    rows: int = 0
    bytes_scanned: int = 0
    price_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class DemoReport:
    """All steps, and the sums that matter."""

    steps: tuple[Step, ...]
    seconds: float
    bytes_scanned: int
    price_usd: Decimal
    endpoint_url: str
    postgres: str
    next: tuple[str, ...]


@dataclass(frozen=True)
class _Outcome:
    facts: tuple[str, ...]
    rows: int = 0
    bytes_scanned: int = 0
    price_usd: Decimal = Decimal(0)


Act = Callable[[Headwater, OnProgress], _Outcome]


def run(hw: Headwater, on_step: Callable[[Step], None], on_progress: OnProgress = no_progress) -> DemoReport:
    """Run every step; ``on_step`` sees each as it ends. A second run changes nothing but adds a backup.

    Raises Refused unless ``TARGET = "local"``: the demo fills whatever bucket and database it is given.
    """
    if hw.settings.target != "local":
        raise Refused("the demo runs on the embedded stack only", hint="set HEADWATER_TARGET=local")
    began = time.monotonic()
    steps = []
    for name, act in _acts():
        started = time.monotonic()
        outcome = act(hw, on_progress)
        step = Step(
            name,
            time.monotonic() - started,
            outcome.facts,
            outcome.rows,
            outcome.bytes_scanned,
            outcome.price_usd,
        )
        steps.append(step)
        on_step(step)
    variables = hw.connections.environment()
    return DemoReport(
        steps=tuple(steps),
        seconds=time.monotonic() - began,
        bytes_scanned=sum(step.bytes_scanned for step in steps),
        price_usd=sum((step.price_usd for step in steps), Decimal(0)),
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        postgres=f"{variables['PGHOST']}:{variables['PGPORT']}",
        next=(
            'headwater query "SELECT dest, count(*) FROM flights GROUP BY dest ORDER BY 2 DESC LIMIT 5"',
            'eval "$(headwater env)"    then aws, psql, boto3 or any AWS client talk to the stack',
            "headwater backup list",
            "headwater clean            shows what it would remove, and asks",
            "headwater down             stops the stack; headwater up brings it back with all its data",
        ),
    )


def _acts() -> Iterator[tuple[str, Act]]:
    yield "stack", _stack
    yield "setup", _setup
    yield "check", _check
    yield "bucket", _bucket
    yield "generate", _generate
    yield "upload", _upload
    yield "catalog", _catalog
    yield "query", _query
    yield "backup", _backup
    yield "restore", _restore
    yield "flights", _flights
    yield "ingest", _ingest
    yield "query flights", _query_flights


def _stack(hw: Headwater, _: OnProgress) -> _Outcome:
    variables = hw.connections.environment()
    return _Outcome(
        (
            f"S3, STS, Glue and Athena at {variables['AWS_ENDPOINT_URL']}",
            f"PostgreSQL at {variables['PGHOST']}:{variables['PGPORT']}",
        )
    )


def _setup(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.setup(on_progress=on_progress)
    tables = ", ".join(f"{name} {rows:,}" for name, rows in report.rows.items())
    return _Outcome((f"database {report.database}: {tables} rows",), sum(report.rows.values()))


def _check(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.check(on_progress)
    failed = [finding for finding in report.findings if finding.status == "failed"]
    if failed:
        raise CheckFailed(f"{failed[0].name}: {failed[0].detail}", hint=failed[0].remedy)
    return _Outcome(tuple(f"{finding.name}: {finding.detail}" for finding in report.findings))


def _bucket(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.bucket(on_progress)
    how = "created" if report.created else "was there"
    return _Outcome((f"s3://{report.bucket} in {report.region} {how}: private, encrypted, TLS only",))


def _generate(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.generate(on_progress=on_progress)
    fact = f"{report.files} Parquet files in {report.output}: {report.written} written, {report.unchanged} unchanged"
    return _Outcome((fact,), report.rows)


def _upload(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.upload(on_progress=on_progress)
    fact = f"{report.uploaded} files uploaded, {report.unchanged} unchanged, {report.verified} verified by checksum"
    return _Outcome((fact,))


def _catalog(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.catalog(on_progress=on_progress)
    facts = (f"{table.name}: {table.partitions} partitions, {table.new_partitions} new" for table in report.tables)
    return _Outcome(tuple(facts))


def _query(hw: Headwater, _: OnProgress) -> _Outcome:
    facts, rows, scanned, price = [], 0, 0, Decimal(0)
    for statement in hw.query_plan().statements:
        result = hw.query(statement.sql)
        count = sum(1 for _ in result.texts())
        execution = result.execution
        facts.append(f"{statement.title}: {count} rows, {execution.bytes_scanned:,} bytes scanned")
        rows, scanned, price = rows + count, scanned + execution.bytes_scanned, price + execution.price_usd
    return _Outcome(tuple(facts), rows, scanned, price)


def _backup(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    report = hw.backup_create(on_progress)
    kept, removed = len(report.pruned.kept), len(report.pruned.removed)
    return _Outcome((f"backup {report.backup.id} verified in S3; retention: {kept} kept, {removed} removed",))


def _restore(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    """Restore into a database named after this moment, compare it with the original, drop it again."""
    from headwater.services import postgres
    from headwater.stages.restore import RestoreOptions

    source = hw.settings.db_name
    target = f"{source[:40]}_demo_{time.time_ns():x}"
    hw.restore(RestoreOptions(to=target), on_progress)
    try:
        comparison = hw.compare(source, target)
    finally:
        postgres.drop_database(hw.connections.postgres("postgres"), target)
    if not comparison.equal:
        differing = ", ".join(table.table for table in comparison.tables if not table.equal)
        raise VerificationError(f"the restored database differs from {source} in {differing}")
    rows = sum(table.left.rows for table in comparison.tables if table.left is not None)
    return _Outcome((f"{len(comparison.tables)} tables equal the original's, row by row",), rows)


def _flights(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    from headwater.stages import demo as flights

    report = flights.load(hw.connections, on_progress)
    how = "loaded" if report.loaded else "were there"
    return _Outcome((f"{report.rows:,} real flights (New York, 2013) in {report.table} {how}",), report.rows)


def _ingest(hw: Headwater, on_progress: OnProgress) -> _Outcome:
    from headwater.stages.ingest import IngestOptions

    report = hw.ingest(IngestOptions("flights", "time_hour"), on_progress)
    return _Outcome(
        (
            f"{report.source} -> {report.table}: {report.partitions} day partitions (UTC)",
            "equal row counts in PostgreSQL's snapshot, in the Parquet files and in Athena",
        ),
        report.rows,
    )


def _query_flights(hw: Headwater, _: OnProgress) -> _Outcome:
    """Ask Athena, compute the same from the package's file without SQL, and insist that they agree."""
    from headwater.stages import demo as flights

    expected = flights.expected()
    facts, rows, scanned, price = [], 0, 0, Decimal(0)
    for title, sql, wanted in (
        ("by carrier", FLIGHTS_BY_CARRIER, expected.by_carrier),
        ("4 July", FLIGHTS_OF_A_DAY, expected.of_a_day),
    ):
        result = hw.query(sql)
        found = list(result.rows())
        if found != wanted:
            raise VerificationError(f"flights {title}: Athena says {found}, the source file says {wanted}")
        execution = result.execution
        facts.append(f"{title}: {len(found)} rows equal the source file's; {execution.bytes_scanned:,} bytes scanned")
        rows, scanned, price = rows + len(found), scanned + execution.bytes_scanned, price + execution.price_usd
    return _Outcome(tuple(facts), rows, scanned, price)

"""Writes the planned files, several at a time, each whole or not at all; files with the same bytes stay untouched."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pyarrow.parquet as pq

from headwater.errors import InputError
from headwater.model import OnProgress, Progress, no_progress
from headwater.stages.generate.plan import GeneratePlan, PlannedFile
from headwater.stages.generate.rows import SCHEMAS, blocks


@dataclass(frozen=True)
class GenerateReport:
    """What the output folder holds of the planned days; ``others`` counts files of other days, left as they are."""

    output: Path
    files: int
    written: int
    unchanged: int
    rows: int
    size: int
    others: int


def apply(plan: GeneratePlan, on_progress: OnProgress = no_progress, workers: int | None = None) -> GenerateReport:
    """Write the files of a plan with ``workers`` threads (default: one per processor).

    Threads, as NumPy and Arrow let go of the interpreter's lock: two of them write twice as much as one. Raises
    InputError if the folder cannot be written; an interrupted run leaves only whole files.
    """
    stop, sizes, written = Event(), 0, 0
    with _file_errors(plan.output), ThreadPoolExecutor(workers or os.cpu_count()) as threads:
        tasks = [threads.submit(_write, file, plan, stop) for file in plan.files]
        try:
            for done, task in enumerate(as_completed(tasks), start=1):
                size, changed = task.result()
                sizes += size
                written += changed
                on_progress(Progress("generate", done, len(tasks), "files"))
        except BaseException:
            stop.set()
            threads.shutdown(wait=True, cancel_futures=True)
            raise
    return GenerateReport(
        plan.output, len(plan.files), written, len(plan.files) - written, plan.rows, sizes, len(plan.others)
    )


@contextmanager
def _file_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write below {output}: {error}", hint="check its owner and the free space") from error


def _write(file: PlannedFile, plan: GeneratePlan, stop: Event) -> tuple[int, bool]:
    """Write one file beside its place and move it there; its size, and whether it differs from what was there."""
    file.path.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.path.with_suffix(".tmp")
    try:
        write_day(temporary, file, plan, stop)
        size = temporary.stat().st_size
        if file.path.is_file() and filecmp.cmp(temporary, file.path, shallow=False):
            return size, False
        temporary.replace(file.path)
        return size, True
    finally:
        temporary.unlink(missing_ok=True)


def write_day(path: Path, file: PlannedFile, plan: GeneratePlan, stop: Event) -> None:
    """Write a table's day to ``path``, a row group at a time; ends early, incomplete, when ``stop`` is set."""
    with pq.ParquetWriter(path, SCHEMAS[file.table], **WRITER_OPTIONS[file.table]) as writer:
        for block in blocks(file.table, file.day, plan.rows_per_day, plan.seed):
            if stop.is_set():
                raise InterruptedError(path)
            writer.write_table(block)


def _writer_options(table: str) -> dict[str, object]:
    repeated = [field.name for field in SCHEMAS[table] if field.name in ("user_id", "amount")]
    repeated += [field.name for field in SCHEMAS[table] if "dictionary" in str(field.type)]
    # Without Arrow's own schema in the file, readers see plain string columns and not Arrow dictionaries.
    return {"compression": "zstd", "compression_level": 1, "use_dictionary": repeated, "store_schema": False}


WRITER_OPTIONS = {table: _writer_options(table) for table in SCHEMAS}

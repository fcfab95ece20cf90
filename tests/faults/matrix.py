"""The detection matrix: every fault, what has to happen under it, and what the naive script says under it.

The tests take what they assert from here, and ``docs/backup-faults.md`` is this table: a claim that is not tested has
nowhere to stand. ``python tests/faults/matrix.py`` writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backup-faults.md"

# What has to happen while a backup is made.
REFUSED = "refused: error, nothing stored"
SURVIVED = "survived: retried, backup whole"
KEPT_OUT = "never a backup; the next one succeeds"
COMMITTED = "the backup is whole"
# At which level damage to what is stored is found, each including the ones before.
LISTED = "list"
HEAD = "head"
FULL = "full"
RESTORED = "restore"
# The groups pg_dump (as far as it applies), killed and stored are tried with each.
FORMS = ("custom", "directory", "encrypted")
LEVELS = (LISTED, HEAD, FULL, RESTORED)
HOLDS = "holds"
# What has to happen where a provider can do less than Amazon's S3.
RECORDED = "backup whole; the manifest says what was done instead"
# What pg_dump | gzip | upload, gunzip | psql say.
NOTICED = "noticed"
BELIEVED = "**believed**"
FINE = "survived"
NONE = ""


@dataclass(frozen=True)
class Fault:
    """One fault: ``headwater`` has to happen, ``naive`` does happen with the naive script."""

    group: str
    id: str
    what: str
    headwater: str
    naive: str = NONE


FAULTS = (
    Fault("pg_dump", "kill-1", "SIGKILL at 1 % of the output", REFUSED, BELIEVED),
    Fault("pg_dump", "kill-50", "SIGKILL at 50 %", REFUSED, BELIEVED),
    Fault("pg_dump", "kill-99", "SIGKILL at 99 %", REFUSED, BELIEVED),
    Fault("pg_dump", "term-1", "SIGTERM at 1 %", REFUSED, BELIEVED),
    Fault("pg_dump", "term-50", "SIGTERM at 50 %", REFUSED, BELIEVED),
    Fault("pg_dump", "term-99", "SIGTERM at 99 %", REFUSED, BELIEVED),
    Fault("pg_dump", "exit-1", "exit code 1 after all of its output", REFUSED, FINE),
    Fault("pg_dump", "short", "exit code 0 after half of its output", FULL, BELIEVED),
    Fault("pg_dump", "silent", "exit code 0 without output", REFUSED, BELIEVED),
    Fault("pg_dump", "noise", "exit code 0, and something else on its output", REFUSED, BELIEVED),
    Fault("pg_dump", "backend", "its server process is ended (`pg_terminate_backend`)", REFUSED, BELIEVED),
    Fault("pg_dump", "stderr", "a stderr that fills the pipe", SURVIVED, FINE),
    Fault("pg_dump", "old", "an older version than the server", REFUSED, BELIEVED),
    Fault("upload", "flip-once", "one bit of a part changes on the way", SURVIVED),
    Fault("upload", "flip-always", "every attempt at a part changes a bit", REFUSED),
    Fault("upload", "cut-once", "the connection breaks inside a part", SURVIVED),
    Fault("upload", "cut-always", "every attempt at a part breaks", REFUSED),
    Fault("upload", "acknowledged", "a part is acknowledged and not stored", REFUSED),
    Fault("upload", "slow-down", "503 Slow Down, twice", SURVIVED),
    Fault("upload", "error-500", "500 at every attempt at a part", REFUSED),
    Fault("upload", "expired", "the credentials expire after the first part", REFUSED),
    Fault("upload", "stall", "a part stalls until the client gives up", SURVIVED),
    Fault("upload", "completion-lost", "the answer to the completion is lost", SURVIVED),
    Fault("upload", "completion-200-once", "the completion says 200 with an error in its body", SURVIVED),
    Fault("upload", "completion-200", "the same at every attempt", REFUSED),
    Fault("upload", "completion-409", "409 at the completion", REFUSED),
    Fault("upload", "completion-412", "412 at the completion", REFUSED),
    Fault("upload", "manifest-lost", "the answer to the manifest is lost", SURVIVED),
    Fault("upload", "manifest-503", "the manifest cannot be written", REFUSED),
    Fault("upload", "put-lost", "the answer to a small dump's only request is lost", SURVIVED),
    Fault("provider", "no-condition", "`If-None-Match` is refused with 501", RECORDED),
    Fault("provider", "no-condition-400", "`If-None-Match` is refused with 400", RECORDED),
    Fault("provider", "ignored-condition", "`If-None-Match` is ignored, and two backups begin at once", HOLDS),
    Fault("provider", "no-whole", "a checksum of the whole object (`FULL_OBJECT`) is refused", RECORDED),
    Fault("provider", "no-crc32", "all CRC32 headers are refused: Content-MD5, and read back", RECORDED),
    Fault("provider", "no-checksum", "Content-MD5 is refused as well: read back", RECORDED),
    Fault("provider", "no-checksum-flip", "the same, and a bit of a part changes on the way", REFUSED),
    Fault("provider", "nothing", "conditions and checksums are refused", RECORDED),
    Fault("provider", "no-tags", "object tags are refused, and there is neither STS nor lifecycle", RECORDED),
    Fault("killed", "before-create", "before the upload begins", KEPT_OUT),
    Fault("killed", "after-create", "after the upload began", KEPT_OUT),
    Fault("killed", "before-part-1", "before part 1", KEPT_OUT),
    Fault("killed", "after-part-1", "after part 1", KEPT_OUT),
    Fault("killed", "before-part-2", "before part 2", KEPT_OUT),
    Fault("killed", "after-part-2", "after part 2", KEPT_OUT),
    Fault("killed", "before-part-3", "before part 3, the last", KEPT_OUT),
    Fault("killed", "after-part-3", "after part 3", KEPT_OUT),
    Fault("killed", "before-complete", "before the completion", KEPT_OUT),
    Fault("killed", "after-complete", "after the completion", KEPT_OUT),
    Fault("killed", "before-manifest", "before the manifest", KEPT_OUT),
    Fault("killed", "after-manifest", "after the manifest", COMMITTED),
    Fault("stored", "truncated", "the dump is replaced by its first half", LISTED, BELIEVED),
    Fault("stored", "gone", "the dump is deleted", LISTED, NOTICED),
    Fault("stored", "flipped", "the dump is replaced by one with a bit flipped", HEAD, BELIEVED),
    Fault("stored", "rotten", "a bit flips on the storage's disk, its checksums do not", FULL, NOTICED),
    Fault("stored", "swapped", "two dumps are swapped", HEAD, BELIEVED),
    Fault("stored", "manifest-gone", "the manifest is deleted", LISTED),
    Fault("stored", "manifest-cut", "the manifest is cut in half", LISTED),
    Fault("stored", "manifest-digest", "another SHA-256 is edited into the manifest", LISTED),
    Fault("stored", "manifest-size", "another size is edited into the manifest", LISTED),
    Fault("stored", "manifest-rows", "another row count is edited into the manifest", LISTED),
    Fault("stored", "manifest-unsealed", "the same, and the manifest's own digest is taken out", LISTED),
    Fault("stored", "manifest-forged", "another SHA-256 is edited in, and the manifest's digest made anew", FULL),
    Fault("stored", "manifest-forged-rows", "another row count is, and the manifest's digest made anew", RESTORED),
    Fault("stored", "manifest-other", "the manifest is another database's", LISTED),
    Fault("restore", "download-flip", "a bit changes in the download", FULL, NOTICED),
    Fault("restore", "download-cut", "the download breaks once", HOLDS, FINE),
    Fault("restore", "spool-full", "the disk of the spool is full", HOLDS),
    Fault("restore", "server-full", "the server's disk is full, or it ends the connection, amid the rows", HOLDS),
    Fault("restore", "killed", "SIGKILL of Headwater while pg_restore works", HOLDS),
    Fault("physical", "copy-killed", "SIGKILL of pg_basebackup, or exit code 1, or no output at all", REFUSED),
    Fault("physical", "copy-step", "SIGKILL of Headwater before or after each step of the upload", KEPT_OUT),
    Fault("physical", "copy-committed", "SIGKILL of Headwater after the manifest", COMMITTED),
    Fault("physical", "copy-pruned", "the base is removed while an incremental backup is made", REFUSED),
    Fault("physical", "copy-damaged", "a bit of the copy flips, its end is missing, or it is gone", LISTED),
    Fault("physical", "copy-file", "a file is missing in the copy, and all our digests fit", FULL),
    Fault("physical", "copy-lost", "the server had lost a table's file before it was copied", RESTORED),
    Fault("physical", "copy-manifest", "the manifest is edited", LISTED),
    Fault("physical", "copy-base", "the backup that an incremental one builds on is gone", LISTED),
    Fault("physical", "log-gap", "a segment of the archived log is missing", "status names it; no recovery past it"),
    Fault("physical", "log-damaged", "a bit of a segment flips", "full, with `--log`; nothing is rebuilt with it"),
    Fault("physical", "log-replaced", "a segment is replaced by another whole one", "head, with `--log`"),
    Fault("physical", "log-last", "the last segment is gone", "status names it"),
    Fault("physical", "log-step", "SIGKILL before or after each of a segment's two objects", "no gap, nothing twice"),
    Fault("physical", "log-killed", "archiving is interrupted, its spool is lost", "taken up without a gap"),
    Fault("physical", "log-sigkill", "SIGKILL of Headwater while it archives", "its receiver ends too; no gap"),
    Fault("physical", "log-away", "S3 answers 503 for a while", "tried again; no gap"),
    Fault("physical", "log-refused", "S3 stays away, or refuses", "error before the spool's limit; no gap afterwards"),
    Fault("physical", "log-full", "the disk is full, while archiving and recovering", "error, nothing left, no gap"),
    Fault("physical", "log-slot", "the slot was dropped, and the server went on", "error that names the remedy"),
    Fault("physical", "log-other", "another segment of the same name is archived", "refused: error, nothing replaced"),
    Fault("physical", "moment", "a moment before the first backup, or after the log", "refused, what there is named"),
    Fault("physical", "timeline", "the cluster was recovered once, and went on", "each moment on its own timeline"),
    Fault("together", "two-backups", "two backups of one database in the same second", HOLDS),
    Fault("together", "prune-create", "a prune while a backup waits for its manifest", HOLDS),
    Fault("together", "prune-restore", "a prune removes the backup that is being downloaded", HOLDS),
    Fault("together", "create-spool-full", "the disk of a directory dump's spool is full", REFUSED),
    Fault("together", "stopped", "SIGKILL of Headwater while pg_dump is stopped for a full spool", HOLDS),
    Fault("together", "lifecycle", "two programs write the bucket's lifecycle rules at once", HOLDS),
    Fault("together", "many", "a prune of 1,100 backups, in a versioned bucket too", HOLDS),
    Fault("together", "secrets", "a look at every process's arguments, the output, the logs, the bucket", HOLDS),
    Fault("together", "fidelity", "large objects, identity, policies, partitions, rights, triggers, odd names", HOLDS),
    Fault("together", "memory", "ten times the data: no more memory", HOLDS),
)  # fmt: skip

GROUPS = {
    "pg_dump": ("pg_dump", "what must happen"),
    "upload": ("Between Headwater and S3, while a backup of three parts is made", "what must happen"),
    "provider": ("Providers that can do less than Amazon's S3", "what must happen"),
    "killed": ("SIGKILL of Headwater while it makes a backup", "what must be believed"),
    "stored": ("What is stored", "found at the latest by"),
    "restore": ("While restoring", "what must happen"),
    "physical": ("Physical backups and the archived log", "what must happen, or the level that finds it"),
    "together": ("Several things at once, and all the time", "what must happen"),
}

TOP = """\
# Faults

What may go wrong with a backup, and what has to happen then. The tests in `tests/faults/` (and
`tests/physical/`) cause every one of these for real (a proxy before S3, signals, broken programs, edited
objects) and assert what the table says; the page is written from the very table that they read. Beside it, where there
is something to compare, what `pg_dump | gzip > file`, an upload with boto3, and `gunzip | psql` report under the same
fault: **believed** means that both ends said success, and the rows were not there.

Levels: **list** is `backup list` (manifests and a listing), the others are those of `backup verify`: **head** sizes
and checksums as S3 reports them, **full** every byte read, compared and decoded, **restore** a scratch restore with its
rows counted, and for a physical backup PostgreSQL started on it and all read.
Each one also finds what those before it find, and `restore` refuses all of it.
What pg_dump, SIGKILL and damage to what is stored may do is tried with the custom format, the directory format and
encrypted backups.
*refused* includes: the exit code is not 0, no object, no unfinished upload. *holds*: the command ends well, or ends
with an error and leaves no database behind.
"""


def of(group: str) -> tuple[Fault, ...]:
    """The faults of a group, in the order of the page."""
    return tuple(fault for fault in FAULTS if fault.group == group)


def page() -> str:
    """The page."""
    parts = [TOP]
    for group, (title, heading) in GROUPS.items():
        rows = of(group)
        if any(fault.naive != NONE for fault in rows):
            parts.append(f"\n## {title}\n\n| fault | {heading} | naive |\n|---|---|---|\n")
            parts += [f"| {fault.what} | {fault.headwater} | {fault.naive or '-'} |\n" for fault in rows]
        else:
            parts.append(f"\n## {title}\n\n| fault | {heading} |\n|---|---|\n")
            parts += [f"| {fault.what} | {fault.headwater} |\n" for fault in rows]
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())

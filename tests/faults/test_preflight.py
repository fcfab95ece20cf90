"""What stands in a backup's way is found before pg_dump begins: rights, locks, clocks, versions, sizes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import proxy
import pytest
from fault_site import Site
from proxy import Rule

from headwater.connections import Connections
from headwater.errors import BackupError, HeadwaterError
from headwater.services import postgres, tools
from headwater.services.checksums import part_size
from headwater.services.preflight import MOST_BYTES
from headwater.services.storage import Storage
from headwater.stages.backup import CreateOptions, VerifyOptions, preflight

FACTS = preflight.ServerFacts(18, "18.1", 10, 50, 6400, False, "30s")


def never_dumped(site: Site) -> None:
    """Let the test fail if pg_dump is started for more than its version."""
    site.wrap('touch "$0.started"; exec "$REAL" "$@"')


def started(site: Site) -> bool:
    return (site.folder / "wrapped" / "pg_dump.started").exists()


@pytest.mark.parametrize(
    ("pattern", "fault", "error"),
    [
        (proxy.CREATE, proxy.fail(403, "AccessDenied"), "begin an upload"),
        ("HEAD /faults", proxy.fail(403, "AccessDenied"), "lacks s3:ListBucket"),
        ("GET .*list-type", proxy.fail(403, "AccessDenied"), "cannot list"),
    ],
    ids=["no-put", "no-bucket", "no-list"],
)
def test_a_missing_right_is_found_before_the_dump(site: Site, pattern: str, fault: proxy.Break, error: str) -> None:
    never_dumped(site)
    with (
        proxy.faults(site.stack.endpoint_url, Rule(pattern, fault, 100)) as denied,
        pytest.raises(HeadwaterError, match=error) as caught,
    ):
        site.through(denied.url).backup_create()
    assert caught.value.exit_code in (5, 6)
    assert not started(site)


def test_a_clock_that_is_off_is_found_before_the_dump(site: Site) -> None:
    never_dumped(site)

    def late(request: proxy.Request, forward: proxy.Forward) -> proxy.Answer:
        answer = forward(request)
        date = format_datetime(datetime.now(timezone.utc) - timedelta(minutes=10), usegmt=True)
        kept = [(name, value) for name, value in answer.headers if name.lower() != "date"]
        return proxy.Answer(answer.status, [*kept, ("Date", date)], answer.body)

    with (
        proxy.faults(site.stack.endpoint_url, Rule(r"GET .*\?versioning", late, 100)) as shifted,
        pytest.raises(BackupError, match=r"clock is \+\d+ s off"),
    ):
        site.through(shifted.url).backup_create()
    assert not started(site)


def test_a_lock_needs_a_bucket_that_locks(site: Site) -> None:
    never_dumped(site)
    with pytest.raises(BackupError, match="no Object Lock"):
        site.headwater.backup_create(options=CreateOptions(storage=Storage(lock_days=1)))
    assert not started(site)


def test_rights_that_are_missing_only_for_looking_do_no_harm(site: Site) -> None:
    rules = [Rule(r"GET .*\?(versioning|object-lock|lifecycle)", proxy.fail(403, "AccessDenied"), 100)]
    with proxy.faults(site.stack.endpoint_url, *rules) as denied:
        made = site.through(denied.url).backup_create().backup
    assert made.integrity["versioning"] == "unknown"


def test_the_state_of_versioning_is_in_the_manifest(site: Site) -> None:
    assert site.headwater.backup_create().backup.integrity["versioning"] == "Disabled"
    s3 = site.headwater.connections.s3
    s3.put_bucket_versioning(Bucket=site.bucket, VersioningConfiguration={"Status": "Enabled"})
    assert site.headwater.backup_create().backup.integrity["versioning"] == "Enabled"


def test_a_table_that_somebody_holds_ends_the_dump_in_time(site: Site) -> None:
    with postgres.connect(site.address()) as connection:
        connection.execute("LOCK TABLE facts IN ACCESS EXCLUSIVE MODE")
        began = datetime.now(timezone.utc)
        with pytest.raises(BackupError, match="statement timeout"):
            site.headwater.backup_create(options=CreateOptions(lock_wait_seconds=1))
    assert datetime.now(timezone.utc) - began < timedelta(seconds=20)
    assert site.empty()


def test_what_the_server_says_is_judged() -> None:
    assert preflight.judge(FACTS, 18) == ()
    assert "raise max_locks_per_transaction" in preflight.judge(replace(FACTS, relations=6000), 18)[0]
    assert "max_standby_streaming_delay (30s)" in preflight.judge(replace(FACTS, standby=True), 18)[0]
    assert "may not restore into a server 16" in preflight.judge(replace(FACTS, major=16), 18)[0]
    with pytest.raises(BackupError, match="may not fit into one S3 object"):
        preflight.judge(replace(FACTS, size=MOST_BYTES + 1), 18)


def test_the_parts_of_the_largest_object_are_within_the_endpoints_limits() -> None:
    """S3: at most 10,000 parts of 5 MiB to 5 GiB, and 5 TiB in all."""
    sizes = [part_size(number) for number in range(1, 10_001)]
    assert min(sizes) >= 5 * 1024**2
    assert max(sizes) <= 5 * 1024**3
    assert sum(sizes) >= MOST_BYTES


def test_a_pg_dump_that_is_newer_than_the_server_is_used_with_a_warning(site: Site) -> None:
    newer = site.wrap('exec "$REAL" "$@"')
    newer.write_text(newer.read_text().replace('exec "$REAL" --version', 'echo "pg_dump (PostgreSQL) 19.1"'))
    site.monkeypatch.setattr(tools, "_FOLDERS", ())
    site.monkeypatch.setattr(Connections, "postgres_tools", ())

    plan = site.headwater.backup_plan()

    assert plan.tool.major == 19
    assert "pg_dump 19 is newer than the server" in plan.warnings[0]


def test_small_databases_are_hashed_and_verifications_say_what_was_compared(site: Site) -> None:
    assert site.headwater.backup_create().backup.content_hashes is not None
    detail = site.headwater.backup_verify(VerifyOptions("restore")).results[0].detail
    assert detail.endswith("row counts and content hashes equal the manifest's")

    made = site.headwater.backup_create(options=CreateOptions(hashes=False)).backup
    assert made.content_hashes is None
    assert made.row_counts is not None
    detail = site.headwater.backup_verify(VerifyOptions("restore")).results[0].detail
    assert detail.endswith("row counts (it has no content hashes) equal the manifest's")


def test_a_row_that_cannot_be_hashed_is_counted(site: Site) -> None:
    """A virtual column whose expression fails: pg_dump does not read it, a hash of the whole row would."""
    with postgres.connect(site.address()) as connection:
        connection.execute("CREATE TABLE ratios (a int, b int, c int GENERATED ALWAYS AS (a / b) VIRTUAL)")
        connection.execute("INSERT INTO ratios VALUES (1, 0)")
    try:
        made = site.headwater.backup_create().backup
    finally:
        with postgres.connect(site.address()) as connection:
            connection.execute("DROP TABLE ratios")

    assert made.content_hashes is None
    assert (made.row_counts or {})["public.ratios"] == 1

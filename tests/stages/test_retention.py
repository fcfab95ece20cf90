"""Retention never loses the last backup, never touches another database's, and gives a reason for everything."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import BackupError, SettingsError
from headwater.manifest import BackupManifest, SourceDatabase, StoredDump, backup_id, parse
from headwater.retention import parse_rules
from headwater.stages.backup import Policy, decide

NOW = datetime(2025, 3, 31, 12, tzinfo=timezone.utc)


def manifest(database: str, taken: datetime) -> BackupManifest:
    name = backup_id(taken)
    return BackupManifest(
        id=name,
        database=database,
        taken=taken,
        seconds=1.5,
        retention_days=30,
        dump=StoredDump(f"b/{database}/backup_{name}.dump.zst", 10, "aa", 1, "AAAA", "etag", 20, "bb", "zstd"),
        source=SourceDatabase(database, "18.1", 18, "7", "UTF8", "C", "C", "libc", None, 100),
        client_version="18.1",
        snapshot="s",
        row_counts={"public.t": 1},
        warnings=(),
        headwater_version="0",
    )


ages = st.timedeltas(min_value=timedelta(days=-5), max_value=timedelta(days=400))
sets = st.lists(st.builds(lambda db, age: manifest(db, NOW - age), st.sampled_from(["app", "app2"]), ages), max_size=30)
policies = st.builds(Policy, st.just("app"), st.integers(1, 365))
counts = st.integers(0, 6)
ruled = st.builds(
    lambda rules, minimum: Policy("app", *rules, minimum=minimum),
    st.tuples(*[counts] * 7).filter(any),
    st.integers(1, 4),
)


@given(sets, policies)
def test_the_newest_is_always_kept(manifests: list[BackupManifest], policy: Policy) -> None:
    mine = [m for m in manifests if m.database == "app"]
    kept = [d.backup for d in decide(manifests, policy, NOW) if d.action == "keep" and d.backup.database == "app"]

    if mine:
        assert max(m.taken for m in mine) in {m.taken for m in kept}
    else:
        assert kept == []


@given(sets, policies)
def test_only_what_is_too_old_goes(manifests: list[BackupManifest], policy: Policy) -> None:
    for decision in decide(manifests, policy, NOW):
        if decision.action == "remove":
            assert decision.backup.database == "app"
            assert NOW - decision.backup.taken > timedelta(days=policy.retention_days)
        assert decision.reason


@given(sets, policies)
def test_each_backup_gets_one_decision(manifests: list[BackupManifest], policy: Policy) -> None:
    decided = [d.backup for d in decide(manifests, policy, NOW)]

    assert sorted(map(id, decided)) == sorted(map(id, manifests))
    assert [m.taken for m in decided] == sorted((m.taken for m in manifests), reverse=True)


@given(sets, policies)
def test_what_is_kept_is_kept_by_a_second_run(manifests: list[BackupManifest], policy: Policy) -> None:
    kept = [d.backup for d in decide(manifests, policy, NOW) if d.action == "keep"]

    assert all(d.action == "keep" for d in decide(kept, policy, NOW))


@given(sets, st.integers(1, 365), st.integers(0, 100))
def test_a_longer_retention_never_removes_more(manifests: list[BackupManifest], days: int, more: int) -> None:
    def removed(policy: Policy) -> set[int]:
        return {id(d.backup) for d in decide(manifests, policy, NOW) if d.action == "remove"}

    assert removed(Policy("app", days + more)) <= removed(Policy("app", days))


@given(sets, ruled, st.data())
def test_no_rule_touches_the_newest_the_proven_the_minimum_or_another_database(
    manifests: list[BackupManifest], policy: Policy, data: st.DataObject
) -> None:
    unique = {m.id: m for m in manifests if m.database == "app"}.values()
    mine = sorted((m for m in unique if m.taken <= NOW), key=lambda m: m.taken)
    manifests = [*mine, *(m for m in manifests if m.database != "app")]
    proven = {m.id for m in mine if data.draw(st.booleans())}
    decisions = decide(manifests, policy, NOW, proven)
    kept = {d.backup.id for d in decisions if d.action == "keep" and d.backup.database == "app"}

    assert all(d.action == "keep" for d in decisions if d.backup.database != "app")
    assert len(kept) >= min(len(mine), policy.minimum)
    if mine:
        assert mine[-1].id in kept
    if proven:
        assert max(proven) in kept  # ids sort by time
    assert all(d.reason for d in decisions)


@given(sets, ruled)
def test_each_rule_keeps_what_it_promises(manifests: list[BackupManifest], policy: Policy) -> None:
    mine = sorted({m.id: m for m in manifests if m.database == "app"}.values(), key=lambda m: m.taken, reverse=True)
    kept = {d.backup.id for d in decide(mine, policy, NOW) if d.action == "keep"}
    past = [m for m in mine if m.taken <= NOW]

    assert {m.id for m in past[: policy.last]} <= kept
    for count, period in ((policy.daily, "%Y-%m-%d"), (policy.monthly, "%Y-%m"), (policy.yearly, "%Y")):
        newest_of = {m.taken.strftime(period): m.id for m in reversed(past)}
        assert set(sorted(newest_of.items(), reverse=True)[:count]) <= {
            (k, v) for k, v in newest_of.items() if v in kept
        }


@given(sets, ruled)
def test_what_the_rules_keep_a_second_run_keeps(manifests: list[BackupManifest], policy: Policy) -> None:
    kept = [d.backup for d in decide(manifests, policy, NOW) if d.action == "keep"]

    assert all(d.action == "keep" for d in decide(kept, policy, NOW))


more_rules = st.fixed_dictionaries(
    {name: st.integers(0, 5) for name in ("retention_days", "last", "daily", "weekly", "monthly", "minimum")}
)


@given(sets, ruled, more_rules, st.data())
def test_more_to_keep_never_removes_more(
    manifests: list[BackupManifest], policy: Policy, more: dict[str, int], data: st.DataObject
) -> None:
    proven = data.draw(st.sets(st.sampled_from([m.id for m in manifests]))) if manifests else set()
    larger = replace(policy, **{name: getattr(policy, name) + number for name, number in more.items()})

    assert kept_of(manifests, policy, proven) <= kept_of(manifests, larger, proven)


@given(sets, ruled, st.data())
def test_a_verification_only_ever_saves_backups(
    manifests: list[BackupManifest], policy: Policy, data: st.DataObject
) -> None:
    """Proof of one is proof of nothing else: that it is there removes no other backup."""
    proven = data.draw(st.sets(st.sampled_from([m.id for m in manifests]))) if manifests else set()
    less, more = kept_of(manifests, policy, set()), kept_of(manifests, policy, proven)

    assert len(more - less) <= 1
    assert len(less - more) <= policy.minimum


def kept_of(manifests: list[BackupManifest], policy: Policy, proven: set[str]) -> set[int]:
    return {id(d.backup) for d in decide(manifests, policy, NOW, proven) if d.action == "keep"}


@given(sets.filter(bool), ruled, ages)
def test_nothing_is_ever_left_without_a_backup(
    manifests: list[BackupManifest], policy: Policy, later: timedelta
) -> None:
    for now in (NOW, NOW + later, NOW + timedelta(days=36_500)):
        for database in ("app", "app2"):
            there = [
                d for d in decide(manifests, replace(policy, database=database), now) if d.backup.database == database
            ]
            assert not there or any(d.action == "keep" for d in there)


@given(sets, sets, ruled)
def test_another_databases_backups_change_no_decision(
    manifests: list[BackupManifest], others: list[BackupManifest], policy: Policy
) -> None:
    mine = [m for m in manifests if m.database == "app"]
    strangers = [
        replace(m, database=name) for m, name in zip(others, ["app2", "ap", "App", "app_restored"] * 9, strict=False)
    ]
    mixed = [
        (id(d.backup), d.action, d.reason)
        for d in decide([*mine, *strangers], policy, NOW)
        if d.backup.database == "app"
    ]

    assert mixed == [(id(d.backup), d.action, d.reason) for d in decide(mine, policy, NOW)]


@given(sets, ruled)
def test_partial_backups_count_for_no_whole_one(manifests: list[BackupManifest], policy: Policy) -> None:
    """Nor do failed runs, which have no manifest at all: what is no whole backup changes nothing about these."""
    whole = [m for m in manifests if m.database == "app"]
    partial = [replace(m, id=f"{m.id}p", taken=m.taken + timedelta(minutes=1), partial=True) for m in whole]
    among = {
        id(d.backup) for d in decide([*whole, *partial], policy, NOW) if d.action == "keep" and not d.backup.partial
    }

    assert among == kept_of(whole, policy, set())


@given(sets, ruled, st.lists(st.timedeltas(timedelta(seconds=1), timedelta(days=9_000)), min_size=1, max_size=8))
def test_backups_from_the_future_take_no_others_place(
    manifests: list[BackupManifest], policy: Policy, ahead: list[timedelta]
) -> None:
    past = [m for m in manifests if m.taken <= NOW]
    future = [manifest("app", NOW + by) for by in ahead]
    decided = decide([*past, *future], policy, NOW)

    assert all(d.action == "keep" for d in decided if d.backup.taken > NOW)
    assert {id(d.backup) for d in decided if d.action == "keep" and d.backup.taken <= NOW} == kept_of(
        past, policy, set()
    )


def test_a_partial_backup_never_takes_a_whole_ones_place() -> None:
    whole = manifest("app", NOW - timedelta(days=400))
    partial = replace(manifest("app", NOW - timedelta(days=100)), partial=True)

    assert [(d.backup.id, d.action) for d in decide([whole, partial], Policy("app", last=1), NOW)] == [
        (partial.id, "remove"),
        (whole.id, "keep"),
    ]


@pytest.mark.parametrize("text", ["weekly", "weekly=-1", "nonsense=3", "within=x"])
def test_rules_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_rules(Policy("app", 30), text)


def test_rules_are_read_from_text() -> None:
    assert parse_rules(Policy("app", 30), "within=2, daily=7 minimum=3") == Policy("app", 2, daily=7, minimum=3)
    with pytest.raises(SettingsError):
        parse_rules(Policy("app", 30), "within=0")


def test_reasons_say_why() -> None:
    manifests = [manifest("app", NOW - timedelta(days=days)) for days in (0, 1, 30, 31)]
    decisions = decide([*manifests, manifest("app2", NOW)], Policy("app", 30), NOW)

    assert {(d.backup.database, d.action, d.reason) for d in decisions} == {
        ("app2", "keep", "belongs to app2, not to app"),
        ("app", "keep", "the newest; 0 days old, within 30 days"),
        ("app", "keep", "1 day old, within 30 days"),
        ("app", "keep", "30 days old, within 30 days"),
        ("app", "remove", "31 days old, over 30 days"),
    }


def test_a_retention_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError):
        Policy("app", 0)


def test_a_manifest_reads_back_as_it_was_written() -> None:
    written = manifest("app", NOW)

    assert parse(written.to_json(), "key") == written


def test_an_edit_of_any_field_shows() -> None:
    body = json.loads(manifest("app", NOW).to_json())
    for name, value in body.items():
        edited = {**body, name: [value]} if name != "digest" else {**body, name: "0" * 64}
        with pytest.raises(BackupError, match="some/key"):
            parse(json.dumps(edited).encode(), "some/key")
    with pytest.raises(BackupError, match="was changed"):
        parse(json.dumps({**body, "unknown": 1}).encode(), "some/key")
    assert parse(json.dumps(body).encode(), "key").id == body["id"]  # blanks are no edit


def test_a_manifest_from_before_there_was_a_digest_is_read() -> None:
    body = json.loads(manifest("app", NOW).to_json())
    del body["digest"]
    old = json.dumps({**body, "schema_version": 1}).encode()

    assert parse(old, "key") == replace(manifest("app", NOW), schema_version=1)
    with pytest.raises(BackupError, match="was changed"):  # the present one always has a digest
        parse(json.dumps(body).encode(), "key")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"schema_version": 2}', b'{"schema_version": 1}', b"\xff"])
def test_what_is_not_a_manifest_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BackupError, match="some/key"):
        parse(data, "some/key")

"""The page says what the tests assert, and every row of it is tested."""

from __future__ import annotations

import ast
from pathlib import Path

import matrix
import test_killed
import test_pg_dump
import test_providers
import test_upload

FOLDER = Path(__file__).resolve().parent

# Rows that are no parameter of a test, and the test of each.
TESTS = {
    "download-flip": "test_a_bit_changes_in_the_download",
    "download-cut": "test_the_download_breaks_once",
    "server-full": "test_the_server_fails_amid_the_rows",
    "spool-full": "test_the_disk_of_the_spool_is_full",
    "killed": "test_headwater_is_killed_while_pg_restore_works",
    "copy-killed": "test_a_copy_that_went_wrong_never_becomes_a_backup",
    "copy-step": "test_headwater_is_killed_while_it_copies",
    "copy-committed": "test_headwater_is_killed_while_it_copies",
    "copy-pruned": "test_a_base_that_is_removed_meanwhile_makes_no_incremental_backup",
    "copy-file": "test_a_file_that_is_missing_in_the_copy_is_found",
    "copy-lost": "test_a_table_whose_file_the_server_had_lost_is_found_by_reading_only",
    "copy-manifest": "test_an_edited_manifest_is_no_backup",
    "log-sigkill": "test_archiving_that_is_killed_leaves_nobody_behind_and_no_gap",
    "log-away": "test_s3_that_is_away_is_tried_again",
    "log-refused": "test_s3_that_stays_away_ends_archiving_before_the_disk_is_full",
    "log-full": "test_a_full_disk_ends_archiving_and_recovery_with_an_error",
    "log-slot": "test_a_slot_that_was_dropped_for_long_names_the_remedy",
    "timeline": "test_a_moment_is_recovered_on_the_timeline_that_the_cluster_was_on",
    "copy-damaged": "test_damage_is_found_before_there_is_a_data_directory",
    "copy-base": "test_a_backup_whose_base_is_gone_is_listed_as_useless",
    "log-gap": "test_a_gap_makes_the_status_fail_and_names_the_segments",
    "log-damaged": "test_a_damaged_segment_is_found",
    "log-replaced": "test_a_segment_that_was_replaced_by_another_whole_one_is_found",
    "log-last": "test_the_last_segment_is_missed_too",
    "log-step": "test_archiving_is_killed_around_each_of_a_segments_objects",
    "log-killed": "test_archiving_that_was_killed_is_taken_up_without_a_gap",
    "log-other": "test_another_cluster_never_overwrites_a_segment",
    "moment": "test_a_moment_outside_of_what_is_stored_is_refused_before_anything_is_fetched",
    "two-backups": "test_two_backups_in_one_second",
    "prune-create": "test_a_prune_while_a_backup_waits_for_its_manifest",
    "prune-restore": "test_a_prune_removes_the_backup_that_is_being_downloaded",
    "create-spool-full": "test_the_disk_of_the_spool_of_a_directory_dump_is_full",
    "stopped": "test_a_killed_directory_backup_leaves_no_pg_dump_and_its_spool_is_removed_by_the_next",
    "lifecycle": "test_two_databases_apply_their_lifecycle_at_once",
    "many": "test_more_than_a_thousand_backups_are_pruned",
    "secrets": "test_no_secret_is_ever_shown",
    "fidelity": "test_every_kind_of_object_comes_back",
    "memory": "test_ten_times_the_data_need_no_more_memory",
}


def test_the_page_is_the_matrix() -> None:
    assert matrix.PAGE.read_text() == matrix.page(), "run `python tests/faults/matrix.py`"


def test_every_row_is_tested() -> None:
    assert {fault.id for fault in matrix.of("pg_dump")} == set(test_pg_dump.BROKEN)
    assert {fault.id for fault in matrix.of("upload")} == set(test_upload.RULES)
    assert {fault.id for fault in matrix.of("provider")} == set(test_providers.REFUSED)
    steps = {f"{when}-{step}" for when in ("before", "after") for step in test_killed.STEPS}
    assert {fault.id for fault in matrix.of("killed")} == steps
    defined = {
        node.name
        for folder in (FOLDER, FOLDER.parent / "physical", FOLDER.parent / "stages")
        for path in folder.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert set(TESTS.values()) <= defined
    assert {fault.id for group in ("restore", "physical", "together") for fault in matrix.of(group)} == set(TESTS)

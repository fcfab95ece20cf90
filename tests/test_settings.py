"""Settings come from config.py and the environment, and whatever is wrong is named before anything happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.errors import SettingsError
from headwater.settings import bucket_name, load


def written(folder: Path, text: str) -> Path:
    (folder / "config.py").write_text(text)
    return folder


def test_the_environment_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    folder = written(tmp_path, "BUCKET_NAME = 'from-file'\nREGION = 'eu-west-1'\nDB_PORT = 5433\n")
    found = load(folder, environ={"HEADWATER_BUCKET_NAME": "from-env", "HEADWATER_RETENTION_DAYS": "7", "OTHER": "x"})
    assert (found.bucket_name, found.region, found.db_port, found.retention_days) == ("from-env", "eu-west-1", 5433, 7)
    assert found.athena_database == "saas_datalake"


def test_the_repositorys_config_file_holds_the_defaults() -> None:
    root = Path(__file__).resolve().parent.parent
    assert load(root, environ={}) == load(root / "docs", environ={}).__class__(project=root)


@pytest.mark.parametrize(
    ("name", "meant"), [("BUKET_NAME", "BUCKET_NAME"), ("DB_PASSWD", "DB_PASSWORD"), ("RETENTION", "RETENTION_DAYS")]
)
def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path: Path, name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=name) as raised:
        load(written(tmp_path, f"{name} = 'x'\n"), environ={})
    assert f"did you mean {meant}?" in raised.value.hint


def test_an_unknown_variable_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HEADWATER_BUCKETNAME") as raised:
        load(tmp_path, environ={"HEADWATER_BUCKETNAME": "x"})
    assert "HEADWATER_BUCKET_NAME" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGET", "cloud"),
        ("BUCKET_NAME", "My_Bucket"),
        ("BUCKET_NAME", "ab"),
        ("BUCKET_NAME", "192.168.0.1"),
        ("BUCKET_NAME", "a..b"),
        ("BUCKET_NAME", "-ab"),
        ("BUCKET_NAME", "a" * 64),
        ("BUCKET_NAME", "xn--abc"),
        ("BUCKET_NAME", ""),
        ("REGION", "us_east_1"),
        ("DB_PORT", "0"),
        ("DB_PORT", "65536"),
        ("DB_PORT", "54a"),
        ("DB_NAME", ""),
        ("DB_NAME", "a" * 64),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "-1"),
        ("RETENTION_DAYS", "1.5"),
        ("DATALAKE_PREFIX", "a//b"),
        ("DATALAKE_PREFIX", "../up"),
        ("DATALAKE_PREFIX", "backups"),
        ("BACKUP_PREFIX", "datalake/backups"),
        ("BACKUP_PREFIX", "athena-results"),
        ("ATHENA_DATABASE", "Has-Hyphen"),
        ("ATHENA_DATABASE", "1st"),
    ],
)
def test_malformed_values_are_refused_and_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name.partition("_")[0]):
        load(tmp_path, environ={f"HEADWATER_{name}": value})


def test_a_bad_password_is_never_shown(tmp_path: Path) -> None:
    folder = written(tmp_path, "DB_PASSWORD = 12345\n")
    with pytest.raises(SettingsError) as raised:
        load(folder, environ={})
    assert "12345" not in str(raised.value)
    assert "hunter2" not in repr(load(tmp_path / "none", environ={"HEADWATER_DB_PASSWORD": "hunter2"}))


def test_a_config_file_with_an_error_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config\.py"):
        load(written(tmp_path, "BUCKET_NAME = \n"), environ={})


def test_prefixes_lose_their_outer_slashes(tmp_path: Path) -> None:
    assert load(tmp_path, environ={"HEADWATER_DATALAKE_PREFIX": "/a/b/"}).datalake_prefix == "a/b"


@given(st.text(max_size=70))
def test_any_text_is_a_bucket_name_or_a_clear_refusal(text: str) -> None:
    try:
        assert bucket_name(text) == text
    except ValueError as error:
        assert str(error)
    else:
        assert 3 <= len(text) <= 63
        assert text == text.lower()

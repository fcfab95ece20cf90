"""Connections: the user's own AWS configuration reaches AWS and never the local stack; mistakes in it are explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from headwater import Headwater
from headwater.errors import AwsError


def test_the_local_stack_ignores_the_users_aws_configuration(
    hw: Headwater, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").write_text("this is not a configuration")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert hw.connections.sts.get_caller_identity()["Account"] == "000000000000"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [("AWS_PROFILE", "missing", "profile"), ("AWS_ENDPOINT_URL", "nonsense", "Invalid endpoint")],
)
def test_a_mistake_in_the_aws_configuration_is_an_aws_error(
    hw: Headwater, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "000000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv(variable, value)
    with pytest.raises(AwsError, match=message):
        Headwater(settings=replace(hw.settings, target="aws")).bucket()

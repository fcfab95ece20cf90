"""All settings of a project, from ``config.py`` and the environment; the only place that reads the environment."""

from __future__ import annotations

import os
import re
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from headwater.errors import SettingsError
from headwater.layout import ATHENA_RESULTS_PREFIX, Layout

ENVIRONMENT_PREFIX = "HEADWATER_"
CONFIG_FILE = "config.py"


def _setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"help": help_text})


@dataclass(frozen=True)
class Settings:
    """One project's settings, checked. Each is a name in ``config.py`` and a variable ``HEADWATER_<NAME>``.

    >>> Settings(bucket_name="my-lake").region
    'us-east-1'
    """

    target: str = _setting("local", "`local`: the embedded stack on this machine. `aws`: your AWS account.")
    bucket_name: str = _setting("headwater-datalake", "S3 bucket of lake, backups and query results.")
    region: str = _setting("us-east-1", "AWS region of the bucket, Glue and Athena.")
    db_host: str | None = _setting(None, "PostgreSQL host. None: the stack's (local) or `localhost` (aws).")
    db_port: int | None = _setting(None, "PostgreSQL port. None: the stack's (local) or 5432 (aws).")
    db_user: str | None = _setting(None, "PostgreSQL user. None: the stack's (local) or `postgres` (aws).")
    db_password: str | None = _setting(
        None, "PostgreSQL password. None: the stack's (local) or libpq's own rules (aws).", secret=True
    )
    db_name: str = _setting("saas_platform", "PostgreSQL database.")
    backup_prefix: str = _setting("backups/postgres", "Key prefix of the backups.")
    datalake_prefix: str = _setting("datalake", "Key prefix of the lake.")
    athena_database: str = _setting("saas_datalake", "Athena (Glue) database.")
    retention_days: int = _setting(30, "Days that a backup is kept.")
    retention_rules: str = _setting(
        "", "More backups to keep: `last=7 hourly=24 daily=14 weekly=8 monthly=12 yearly=3 minimum=2` or some of these."
    )
    project: Path = field(default_factory=Path.cwd)

    @property
    def layout(self) -> Layout:
        """The places that follow from these settings."""
        return Layout(self.bucket_name, self.datalake_prefix, self.backup_prefix, self.project)


NAMES = tuple(f.name.upper() for f in fields(Settings) if f.name != "project")


def load(
    project: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str | int | None] | None = None,
) -> Settings:
    """Read ``config.py`` in ``project`` (default: the current folder), then the environment, then ``overrides``.

    Raises SettingsError for an unknown or malformed setting, naming where it was found.
    """
    folder = (project or Path.cwd()).resolve()
    values: dict[str, tuple[Any, str]] = {}
    for name, value in _from_file(folder / CONFIG_FILE).items():
        values[name] = (value, CONFIG_FILE)
    for name, value in _from_environment(os.environ if environ is None else environ).items():
        values[name] = (value, f"{ENVIRONMENT_PREFIX}{name}")
    for name, value in (overrides or {}).items():
        values[name.upper()] = (value, f"the argument {name}")
    return validated(folder, values)


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        module = runpy.run_path(str(path))
    except Exception as error:
        raise SettingsError(
            f"{path} cannot be read: {error}", hint="config.py is plain Python: NAME = value"
        ) from error
    found = {name: value for name, value in module.items() if name.isupper() and not name.startswith("_")}
    for name in found:
        _known(name, str(path))
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for variable, value in environ.items():
        if variable.startswith(ENVIRONMENT_PREFIX):
            name = variable[len(ENVIRONMENT_PREFIX) :]
            _known(name, "the environment", shown=variable)
            found[name] = value
    return found


def _known(name: str, where: str, shown: str | None = None) -> None:
    if name in NAMES:
        return
    near = get_close_matches(name, NAMES, n=1, cutoff=0.5)
    prefix = ENVIRONMENT_PREFIX if shown else ""
    hint = f"did you mean {prefix}{near[0]}?" if near else f"the settings are {', '.join(NAMES)}"
    raise SettingsError(f"unknown setting {shown or name} in {where}", hint=hint)


def validated(project: Path, values: Mapping[str, tuple[Any, str]]) -> Settings:
    """Build Settings from ``{NAME: (value, where it came from)}``; each rule's error names that place."""
    checked: dict[str, Any] = {}
    for name, (value, where) in values.items():
        _known(name, where)
        try:
            checked[name.lower()] = _RULES.get(name, _text)(value)
        except ValueError as error:
            shown = "" if name == "DB_PASSWORD" else f" = {value!r}"
            raise SettingsError(f"{name}{shown} ({where}): {error}", hint=_hint(name)) from None
    settings = Settings(project=project, **checked)
    _check_prefixes(settings)
    return settings


def _hint(name: str) -> str:
    text: str = next(f.metadata["help"] for f in fields(Settings) if f.name == name.lower())
    return text.replace("`", "")


def _check_prefixes(settings: Settings) -> None:
    """Refuse prefixes inside one another: clean-up and retention would then reach into the neighbour's objects."""
    named = {
        "DATALAKE_PREFIX": settings.datalake_prefix,
        "BACKUP_PREFIX": settings.backup_prefix,
        "the Athena results prefix": ATHENA_RESULTS_PREFIX,
    }
    for name, prefix in named.items():
        for other, inner in named.items():
            if name != other and f"{inner}/".startswith(f"{prefix}/"):
                raise SettingsError(f"{other} ({inner}) is inside {name} ({prefix})", hint="choose separate prefixes")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text and not empty")
    return value


def _target(value: Any) -> str:
    if value not in ("local", "aws"):
        raise ValueError("must be 'local' or 'aws'")
    return str(value)


def bucket_name(value: Any) -> str:
    """Check a bucket name against S3's rules.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html

    >>> bucket_name("my-lake")
    'my-lake'
    """
    name = _text(value)
    rules = (
        (3 <= len(name) <= 63, "must be 3 to 63 characters long"),
        (re.fullmatch(r"[a-z0-9.-]+", name), "may hold only lower-case letters, digits, hyphens and dots"),
        (name[0].isalnum() and name[-1].isalnum(), "must begin and end with a letter or a digit"),
        (".." not in name, "may not hold two dots in a row"),
        (not re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name), "may not look like an IP address"),
        (not name.startswith(("xn--", "sthree-", "amzn-s3-demo-")), "begins with a prefix that S3 reserves"),
        (not name.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")), "ends with a reserved suffix"),
    )
    for holds, message in rules:
        if not holds:
            raise ValueError(f"an S3 bucket name {message}")
    return name


def _region(value: Any) -> str:
    name = _text(value)
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", name):
        raise ValueError("must look like us-east-1")
    return name


def _optional_text(value: Any) -> str | None:
    return None if value in (None, "") else _text(value)


def _port(value: Any) -> int | None:
    return None if value in (None, "") else _whole(value, 1, 65535)


def _rules(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"([a-z]+=\d{1,6}[ ,]*)*", value.strip()):
        raise ValueError("must be rules such as daily=7 monthly=12")
    return value.strip()


def _days(value: Any) -> int:
    return _whole(value, 1, 36500)


def _whole(value: Any, low: int, high: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
        raise ValueError(f"must be a whole number from {low} to {high}")
    return int(text)


def for_database(settings: Settings, name: str) -> Settings:
    """The same settings for another database. Raises SettingsError for a name that has no place in the bucket."""
    try:
        return replace(settings, db_name=_postgres_name(name))
    except ValueError as error:
        raise SettingsError(f"database {name!r}: {error}") from error


def _postgres_name(value: Any) -> str:
    name = _text(value)
    if len(name.encode()) > 63 or "\0" in name or "/" in name:
        raise ValueError("must be a PostgreSQL name of at most 63 bytes, without slashes")
    if re.fullmatch(r"cluster-\d+", name):
        raise ValueError("must not look like cluster-1: so the folders of physical backups are called")
    return name


def _prefix(value: Any) -> str:
    prefix = _text(value).strip("/")
    if not re.fullmatch(r"[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*", prefix) or ".." in prefix:
        raise ValueError("must be S3 key parts of letters, digits and !_.*'()=- joined by single slashes")
    return prefix


def _athena_name(value: Any) -> str:
    name = _text(value)
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,254}", name):
        raise ValueError("must be lower-case letters, digits and underscores, not beginning with a digit")
    return name


_RULES = {
    "TARGET": _target,
    "BUCKET_NAME": bucket_name,
    "REGION": _region,
    "DB_HOST": _optional_text,
    "DB_PORT": _port,
    "DB_USER": _optional_text,
    "DB_PASSWORD": _optional_text,
    "DB_NAME": _postgres_name,
    "BACKUP_PREFIX": _prefix,
    "DATALAKE_PREFIX": _prefix,
    "ATHENA_DATABASE": _athena_name,
    "RETENTION_DAYS": _days,
    "RETENTION_RULES": _rules,
}

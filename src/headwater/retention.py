"""Which backups are kept and which go: pure, of manifests, proofs, policy and time, with a reason each.

Logical and physical backups go by the same rules; what a kept one builds on is kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Generic, Literal, Protocol, TypeVar

from headwater.errors import SettingsError

ORPHAN_GRACE = timedelta(days=2)
"""How old an object without a manifest has to be before it goes: a backup that is being made has none either."""
_PERIODS: dict[str, Callable[[datetime], object]] = {
    "hourly": lambda moment: moment.strftime("%Y-%m-%d %H"),
    "daily": lambda moment: moment.date(),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
    "yearly": lambda moment: moment.year,
}


class Kept(Protocol):
    """What the rules look at. ``database``: whose backup it is; ``previous``: the id that it builds on, if any."""

    @property
    def id(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def taken(self) -> datetime: ...
    @property
    def partial(self) -> bool: ...
    @property
    def previous(self) -> str | None: ...


B = TypeVar("B", bound=Kept)


@dataclass(frozen=True)
class Policy:
    """What to keep of ``database``'s backups; whatever any rule keeps, stays.

    ``retention_days``: everything at most so old (0: no such rule). ``last``: the newest N. ``hourly`` to ``yearly``:
    the newest of each of the last N hours, days, ISO weeks, months, years (UTC) that have one. ``minimum``: never fewer
    than N, whatever the rules say.
    """

    database: str
    retention_days: int = 0
    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    minimum: int = 1

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value < (1 if field.name == "minimum" else 0):
                raise SettingsError(f"retention: {field.name} = {value} is too little")
        if not any(getattr(self, field.name) for field in fields(self)[1:-1]):
            raise SettingsError("retention without any rule would remove everything but the newest backup")


def parse_rules(policy: Policy, text: str) -> Policy:
    """The policy with further rules, such as ``last=7 daily=14 within=30 minimum=3``. Raises SettingsError.

    >>> parse_rules(Policy("app", 30), "daily=7").daily
    7
    """
    names = {field.name for field in fields(Policy)[2:]} | {"within"}
    given: dict[str, Any] = {}
    for rule in text.replace(",", " ").split():
        name, _, number = rule.partition("=")
        if name not in names or not number.isdecimal():
            raise SettingsError(f"retention rule {rule!r} is not known", hint=f"use {', '.join(sorted(names))} =N")
        given["retention_days" if name == "within" else name] = int(number)
    return replace(policy, **given)


@dataclass(frozen=True)
class Decision(Generic[B]):
    """What happens to one backup, and why."""

    backup: B
    action: Literal["keep", "remove"]
    reason: str


def decide(
    manifests: Iterable[B], policy: Policy, now: datetime, proven: Collection[str] = ()
) -> tuple[Decision[B], ...]:
    """One decision for each manifest, newest first; ``proven``: ids that a verification showed to be readable.

    The newest backup of the database stays whatever its age, and so does the newest proven one: retention must never
    leave a database without one that is known to restore. A backup of some tables only never takes a whole one's place,
    what a kept one builds on is kept, and so is a manifest of another database, should one get here.
    """
    newest_first = sorted(manifests, key=lambda manifest: (manifest.taken, manifest.id), reverse=True)
    mine = [manifest for manifest in newest_first if manifest.database == policy.database]
    reasons: dict[int, list[str]] = {id(manifest): [] for manifest in newest_first}
    for manifest in newest_first:
        if manifest.database != policy.database:
            reasons[id(manifest)].append(f"belongs to {manifest.database}, not to {policy.database}")
    whole = [manifest for manifest in mine if not manifest.partial]
    # One from the future, made under a wrong clock, is kept and takes no other one's place.
    past = [manifest for manifest in whole if manifest.taken <= now]
    for label, kept in (
        ("the newest", (past or whole or mine)[:1]),
        ("the newest verified", [manifest for manifest in past or whole if manifest.id in proven][:1]),
        *_by_rules(past, policy),
    ):
        for manifest in kept:
            reasons[id(manifest)].append(label)
    for manifest in mine:
        reasons[id(manifest)] += _by_age(manifest, policy, now)
    missing = policy.minimum - sum(1 for manifest in past if reasons[id(manifest)])
    for manifest in [manifest for manifest in past if not reasons[id(manifest)]][: max(0, missing)]:
        reasons[id(manifest)].append(f"one of at least {policy.minimum}")
    _keep_bases(mine, reasons)
    return tuple(_decision(manifest, reasons[id(manifest)], policy, now) for manifest in newest_first)


def _keep_bases(newest_first: list[B], reasons: dict[int, list[str]]) -> None:
    needed: dict[str, str] = {}
    for manifest in newest_first:  # what builds on it is newer: decided by now
        if not reasons[id(manifest)] and manifest.id in needed:
            reasons[id(manifest)].append(f"{needed[manifest.id]} builds on it")
        if reasons[id(manifest)] and manifest.previous is not None:
            needed[manifest.previous] = manifest.id


def _by_rules(past: list[B], policy: Policy) -> Iterable[tuple[str, list[B]]]:
    if policy.last:
        yield f"one of the last {policy.last}", past[: policy.last]
    for name, period in _PERIODS.items():
        seen: dict[object, B] = {}
        for manifest in past:
            seen.setdefault(period(manifest.taken.astimezone(timezone.utc)), manifest)
        if wanted := getattr(policy, name):
            yield f"{name} (of {wanted})", list(seen.values())[:wanted]


def _by_age(manifest: Kept, policy: Policy, now: datetime) -> list[str]:
    age = now - manifest.taken
    if age < timedelta(0):
        return ["taken in the future: check the clocks"]
    if policy.retention_days and age <= timedelta(days=policy.retention_days):
        return [f"{_days(age)} old, within {policy.retention_days} days"]
    return []


def _decision(manifest: B, reasons: list[str], policy: Policy, now: datetime) -> Decision[B]:
    if reasons:
        return Decision(manifest, "keep", "; ".join(reasons))
    age = _days(now - manifest.taken)
    if policy.retention_days:
        return Decision(manifest, "remove", f"{age} old, over {policy.retention_days} days")
    return Decision(manifest, "remove", f"{age} old, kept by no rule")


def _days(age: timedelta) -> str:
    return "1 day" if age.days == 1 else f"{age.days} days"

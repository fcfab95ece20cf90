"""Lets S3 itself expire old backups: merges our lifecycle rules among the bucket's others, and takes them out again.

S3 replaces all rules of a bucket at once and knows no condition. So: read, exchange only the rules with our ids, write,
read again at once and a second later; if another program wrote at the same time, once more. A lifecycle rule cannot
know which backup is the last good one; a tag can: the newest verified backup carries ``RetentionDays=protected``, which
no rule matches.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from headwater.connections import Connections
from headwater.errors import BackupError
from headwater.model import OnProgress, no_progress
from headwater.services import lifecycle
from headwater.services.backups import Backups, ListedBackup, list_backups
from headwater.services.lifecycle import Rule
from headwater.stages.backup.create import tags

PROTECTED = "protected"
UNFINISHED_DAYS = 2
ATTEMPTS = 6
SETTLE_SECONDS = 1.0
TAGGERS = 8


@dataclass(frozen=True)
class RuleChange:
    """What happens to one rule; foreign ones are always kept."""

    id: str
    action: Literal["add", "replace", "remove", "keep"]
    ours: bool
    text: str


@dataclass(frozen=True)
class LifecyclePlan:
    """How the bucket's rules would change. ``protected``: the backup that no rule may reach, by id."""

    bucket: str
    database: str
    changes: tuple[RuleChange, ...]
    protected: str | None
    wanted: tuple[Rule, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything would be written."""
        return any(change.action != "keep" for change in self.changes)


@dataclass(frozen=True)
class LifecycleReport:
    """What was changed, and which backup is protected by its tag.

    ``vanished``: the rules of others that were there meanwhile and are not at the end. We write all that we read, so
    somebody else removed them, on purpose or by writing at the same time.
    """

    bucket: str
    database: str
    changes: tuple[RuleChange, ...]
    protected: str | None
    vanished: tuple[Rule, ...] = ()


def our_rules(prefix: str, database: str, days: int, *, expire: bool) -> list[Rule]:
    """The rules that we want: one that expires by tags, and one of its own for unfinished uploads.

    Of its own, because S3 refuses AbortIncompleteMultipartUpload together with a tag filter: parts have no tags.
    """
    named = tags(database, days)
    # Two names may look the same as a tag, and two projects may share a bucket: the prefix tells them apart.
    place = f"{named['Database']}-{hashlib.sha256(prefix.encode()).hexdigest()[:8]}"
    unfinished: Rule = {
        "ID": f"headwater-unfinished-{place}",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_DAYS},
    }
    filtered = [{"Key": name, "Value": value} for name, value in named.items()]
    expiring: Rule = {
        "ID": f"headwater-expire-{place}",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": prefix, "Tags": filtered}},
        # A day later than our own pruning, which knows more; and the noncurrent versions that it leaves.
        "Expiration": {"Days": days + 1},
        "NoncurrentVersionExpiration": {"NoncurrentDays": max(1, min(days, 30))},
    }
    return [expiring, unfinished] if expire else [unfinished]


def merge(there: Sequence[Rule], wanted: Sequence[Rule], ours: Sequence[str]) -> list[Rule]:
    """The bucket's rules with ours exchanged: foreign ones stay as they are and where they are. Pure.

    >>> merge([{"ID": "theirs"}, {"ID": "ours", "Status": "Disabled"}], [{"ID": "ours"}], ["ours"])
    [{'ID': 'theirs'}, {'ID': 'ours'}]
    """
    return [rule for rule in there if rule.get("ID") not in ours] + list(wanted)


def difference(there: Sequence[Rule], wanted: Sequence[Rule], ours: Sequence[str]) -> tuple[RuleChange, ...]:
    """What merging would change, rule by rule. Pure."""
    old = {str(rule.get("ID", "")): rule for rule in there}
    new = {str(rule["ID"]): rule for rule in wanted}
    changes = [RuleChange(name, "keep", False, "not ours") for name in old if name not in ours]
    for name in ours:
        if name in new and name in old:
            same = normal(old[name]) == normal(new[name])
            changes.append(RuleChange(name, "keep" if same else "replace", True, _text(new[name])))
        elif name in new:
            changes.append(RuleChange(name, "add", True, _text(new[name])))
        elif name in old:
            changes.append(RuleChange(name, "remove", True, _text(old[name])))
    return tuple(changes)


def normal(rule: Rule) -> Rule:
    """A rule in one form whichever way S3 gives it back: tags in order; what is empty or zero, left out."""
    copy = {name: value for name, value in rule.items() if value not in (None, "", {}, [])}
    both = copy.get("Filter", {}).get("And")
    if both:
        both = {name: value for name, value in both.items() if value not in (None, "", 0, [])}
        if "Tags" in both:
            both["Tags"] = sorted(both["Tags"], key=lambda tag: str(tag["Key"]))
        copy["Filter"] = {"And": both}
    return copy


def _text(rule: Rule) -> str:
    if "Expiration" in rule:
        return f"delete after {rule['Expiration'].get('Days')} days, unless protected"
    return f"abort uploads unfinished after {rule['AbortIncompleteMultipartUpload'].get('DaysAfterInitiation')} days"


def plan_lifecycle(connections: Connections, *, remove: bool = False) -> LifecyclePlan:
    """Read the rules and say what would change. Raises AwsError."""
    settings = connections.settings
    there = lifecycle.rules(connections.s3, settings.bucket_name)
    found = list_backups(connections.s3, settings.layout, settings.db_name)
    expire = not settings.retention_rules
    prefix = settings.layout.backup_folder(settings.db_name)
    all_ours = our_rules(prefix, settings.db_name, settings.retention_days, expire=True)
    wanted = [] if remove else our_rules(prefix, settings.db_name, settings.retention_days, expire=expire)
    notes = [] if expire or remove else ["RETENTION_RULES keep more than an age can say: S3 will not expire backups"]
    kept = _to_protect(found)
    return LifecyclePlan(
        bucket=settings.bucket_name,
        database=settings.db_name,
        changes=difference(there, wanted, [rule["ID"] for rule in all_ours]),
        protected=kept.manifest.id if kept and not remove else None,
        wanted=tuple(wanted),
        notes=tuple(notes),
    )


def apply_lifecycle(
    plan: LifecyclePlan,
    connections: Connections,
    on_progress: OnProgress = no_progress,
    settle: float = SETTLE_SECONDS,
) -> LifecycleReport:
    """Protect first, then write the rules, then read them again, at once and after ``settle`` seconds.

    After a while again, because another program may have read the rules before we wrote them, and writes them back
    without ours. Raises BackupError if others kept overwriting them, AwsError.
    """
    settings, s3 = connections.settings, connections.s3
    protect(connections, remove=not plan.wanted)
    ours = [change.id for change in plan.changes if change.ours]
    seen: dict[str, Rule] = {}

    def read() -> list[Rule]:
        found = lifecycle.rules(s3, plan.bucket)
        seen.update((str(rule.get("ID")), rule) for rule in found if rule.get("ID") not in ours)
        return found

    for _ in range(ATTEMPTS):
        before = read()
        if _stands(before, merge(before, plan.wanted, ours), ours):
            there = {rule.get("ID") for rule in before}
            vanished = tuple(rule for name, rule in seen.items() if name not in there)
            return LifecycleReport(plan.bucket, settings.db_name, plan.changes, plan.protected, vanished)
        # Once more just before writing: S3 writes on no condition, so a rule that somebody adds after this is lost.
        again = read()
        if not _same(before, again):
            time.sleep(settle)  # somebody is writing at this moment
            continue
        merged = merge(again, plan.wanted, ours)
        lifecycle.put_rules(s3, plan.bucket, merged)
        if _stands(read(), merged, ours):
            time.sleep(settle)  # the next round finds nothing to do, unless somebody wrote meanwhile
    raise BackupError(
        f"the lifecycle rules of bucket {plan.bucket} were changed by others {ATTEMPTS} times meanwhile",
        hint="try again",
    )


def _same(rules: Sequence[Rule], others: Sequence[Rule]) -> bool:
    """Whether two readings are the same but for their order."""
    first, second = ({str(rule.get("ID")): normal(rule) for rule in each} for each in (rules, others))
    return first == second


def _stands(there: Sequence[Rule], wanted: Sequence[Rule], ours: Sequence[str]) -> bool:
    """Whether what we want is there, foreign rules included, and no more of ours; further foreign rules are welcome."""
    found = {str(rule.get("ID")): normal(rule) for rule in there}
    kept = {str(rule.get("ID")): normal(rule) for rule in wanted}
    return all(found.get(name) == rule for name, rule in kept.items()) and not ({*found} & {*ours}) - {*kept}


def protect(connections: Connections, *, remove: bool = False, found: Backups | None = None) -> None:
    """Give the newest verified backup (or, if there is none, the newest) the tag that no rule matches, and take it from
    the others; ``remove``: from all. Raises AwsError.
    """
    settings, s3 = connections.settings, connections.s3
    found = found or list_backups(s3, settings.layout, settings.db_name)
    kept = None if remove else _to_protect(found)
    if kept is not None:
        _tag(connections, kept, PROTECTED)  # first: at no moment is none protected
    others = [backup for backup in found.backups if backup is not kept]
    with ThreadPoolExecutor(TAGGERS, "headwater-tags") as executor:
        for _ in executor.map(lambda backup: _tag(connections, backup, str(backup.manifest.retention_days)), others):
            pass


def protect_if_ruled(connections: Connections) -> None:
    """Renew the protection if the bucket has our expiring rule; otherwise there is nothing to protect from."""
    settings = connections.settings
    prefix = settings.layout.backup_folder(settings.db_name)
    expiring = our_rules(prefix, settings.db_name, settings.retention_days, expire=True)[0]["ID"]
    if any(rule.get("ID") == expiring for rule in lifecycle.rules_if_told(connections.s3, settings.bucket_name)):
        protect(connections)


def _to_protect(found: Backups) -> ListedBackup | None:
    return found.newest_proven or (found.whole[0] if found.whole else None)


def _tag(connections: Connections, backup: ListedBackup, retention: str) -> None:
    s3, bucket, manifest = connections.s3, connections.settings.bucket_name, backup.manifest
    wanted = {**tags(manifest.database, manifest.retention_days), "RetentionDays": retention}
    for key in manifest.keys[:-1]:  # all but the verification record, which carries no tags and never expires
        there = lifecycle.object_tags(s3, bucket, key)
        if there is not None and there.get("RetentionDays") != retention:
            lifecycle.set_object_tags(s3, bucket, key, {**there, **wanted})

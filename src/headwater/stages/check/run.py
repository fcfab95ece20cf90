"""Run the checks one after the other, each with a deadline; a failed one never stops the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from headwater.connections import Connections
from headwater.errors import CheckFailed, HeadwaterError
from headwater.model import OnProgress, Progress, no_progress
from headwater.stages.check import prerequisites

DEADLINE = 30.0  # seconds that one check may take
STACK_DEADLINE = 90.0  # the first start creates a database cluster

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One prerequisite: ``detail`` says what was found, ``remedy`` what to do (empty if it is ok)."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class CheckReport:
    """All prerequisites, in the order in which the pipeline needs them."""

    findings: tuple[Finding, ...]
    passed: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "passed", all(finding.status != "failed" for finding in self.findings))


def run(connections: Connections, on_progress: OnProgress = no_progress, *, deadline: float = DEADLINE) -> CheckReport:
    """Look at every prerequisite; at most ``deadline`` seconds for each. Never raises for one that is not met."""
    checks = prerequisites.all_of(connections)
    findings: dict[str, Finding] = {}
    for done, (name, look) in enumerate(checks.items(), 1):
        need = prerequisites.NEEDS.get(name, prerequisites.STACK)
        if need in findings and findings[need].status == "failed":
            findings[name] = Finding(name, "failed", f"needs {need}", f"see {need}")
        else:
            limit = max(deadline, STACK_DEADLINE) if name == prerequisites.STACK else deadline
            findings[name] = _one(name, look, limit)
        on_progress(Progress("check", done, len(checks), "prerequisites", name))
    return CheckReport(tuple(findings.values()))


def require(report: CheckReport) -> None:
    """Raise CheckFailed if a prerequisite is not met."""
    failed = [finding.name for finding in report.findings if finding.status == "failed"]
    if failed:
        raise CheckFailed(f"not ready: {', '.join(failed)}", hint="each line above says what to do")


def _one(name: str, look: Callable[[], prerequisites.Seen], limit: float) -> Finding:
    """One check in a thread of its own, because a library that waits for a dead network cannot be interrupted."""
    outcome: list[Finding] = []

    def look_and_tell() -> None:
        try:
            seen = look()
            outcome.append(Finding(name, "warning" if seen.remedy else "ok", seen.detail, seen.remedy))
        except HeadwaterError as error:
            outcome.append(Finding(name, "failed", str(error), error.hint))
        except Exception as error:  # noqa: BLE001 - a check reports whatever went wrong and goes on
            outcome.append(Finding(name, "failed", f"{type(error).__name__}: {error}", ""))

    thread = threading.Thread(target=look_and_tell, name=f"headwater-check-{name}", daemon=True)
    thread.start()
    thread.join(limit)
    if outcome:
        return outcome[0]
    return Finding(name, "failed", f"no answer within {limit:.0f} s", "check the network, proxies and firewalls")

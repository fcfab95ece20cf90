"""Whatever happens between Headwater and S3 while it backs up: a whole backup, or an error and nothing stored."""

from __future__ import annotations

import matrix
import proxy
import pytest
from fault_site import Site
from matrix import Fault
from proxy import COMPLETE, MANIFEST, PART, Rule, fail

from headwater.errors import HeadwaterError

ALWAYS = 1_000
PUT_DUMP = r"PUT .*\.dump"

RULES = {
    "flip-once": Rule(proxy.part(2), proxy.flip_request),
    "flip-always": Rule(proxy.part(2), proxy.flip_request, ALWAYS),
    "cut-once": Rule(PART, proxy.cut_request),
    "cut-always": Rule(proxy.part(3), proxy.cut_request, ALWAYS),
    "acknowledged": Rule(proxy.part(2), proxy.acknowledge_only),
    "slow-down": Rule(PART, fail(503, "SlowDown"), 2),
    "error-500": Rule(proxy.part(2), fail(500, "InternalError"), ALWAYS),
    "expired": Rule(PART, fail(403, "ExpiredToken"), ALWAYS, skip=1),
    "stall": Rule(proxy.part(2), proxy.stall(3)),
    "completion-lost": Rule(COMPLETE, proxy.lose_answer),
    "completion-200-once": Rule(COMPLETE, fail(200, "InternalError")),
    "completion-200": Rule(COMPLETE, fail(200, "InternalError"), ALWAYS),
    "completion-409": Rule(COMPLETE, fail(409, "ConditionalRequestConflict"), ALWAYS),
    "completion-412": Rule(COMPLETE, fail(412, "PreconditionFailed"), ALWAYS),
    "manifest-lost": Rule(MANIFEST, proxy.lose_answer),
    "manifest-503": Rule(MANIFEST, fail(503, "SlowDown"), ALWAYS),
    "put-lost": Rule(PUT_DUMP, proxy.lose_answer),
}

SLOWER = ("cut-always", "error-500", "completion-200-once", "completion-409", "slow-down", "stall")  # with `make soak`


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        pytest.param(
            "small" if fault.id == "put-lost" else "large",
            fault,
            id=fault.id,
            marks=[pytest.mark.soak] if fault.id in SLOWER else [],
        )
        for fault in matrix.of("upload")
    ],
    indirect=["site"],
)
def test_the_way_to_s3_breaks(site: Site, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = RULES[fault.id]
    # Waiting longer between attempts would change nothing but the test's duration.
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.01)
    with proxy.faults(site.stack.endpoint_url, rule) as broken:
        headwater = site.through(broken.url)
        if fault.id == "stall":
            headwater.connections.s3 = site.s3(broken.url, read_timeout=1)
        try:
            headwater.backup_create()
        except HeadwaterError as error:
            said = error
        else:
            said = None
    assert rule.hits > rule.skip, "the fault did not happen"
    if said is None:
        assert site.unfinished() == []
        assert site.restores()
        assert fault.headwater == matrix.SURVIVED
    else:
        assert said.exit_code in (5, 8, 9), said
        assert site.headwater.backup_list().backups == ()
        assert site.empty(), said
        assert fault.headwater == matrix.REFUSED, said

"""What a provider refuses is made up for, and the manifest says so: a backup is never less than known to be whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import matrix
import proxy
import pytest
from fault_site import Site
from matrix import Fault
from proxy import Rule

from headwater.errors import HeadwaterError
from headwater.stages.backup import VerifyOptions

CONDITION = ("if-none-match", "if-match")
WHOLE = ("x-amz-checksum-type", "x-amz-mp-object-size")
CRC32 = ("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer", "x-amz-mp-object-size")
ALWAYS = 10_000

REFUSED = {
    "no-condition": proxy.refuse(*CONDITION),
    "no-condition-400": proxy.refuse(*CONDITION, status=400, code="InvalidArgument"),
    "ignored-condition": proxy.ignore(*CONDITION),
    "no-whole": proxy.refuse(*WHOLE, status=400, code="InvalidRequest"),
    "no-crc32": proxy.refuse(*CRC32),
    "no-checksum": proxy.refuse(*CRC32, "content-md5"),
    "no-checksum-flip": proxy.refuse(*CRC32, "content-md5"),
    "no-tags": proxy.refuse("x-amz-tagging"),
    "nothing": proxy.refuse(*CRC32, *CONDITION, "content-md5", status=400, code="NotImplemented"),
}
BESIDES = [  # what a provider without tags lacks as well
    Rule(r"POST /$", proxy.fail(405, "MethodNotAllowed"), ALWAYS),
    Rule(r"[?&](lifecycle|versioning|object-lock|tagging)", proxy.fail(501, "NotImplemented"), ALWAYS),
]
READ_BACK = "not reported by this provider; sha256 of the whole, read back"
LOOKED = "refused by this provider; looked for before, read back afterwards"
SAID = {
    "no-condition": {"conditional_write": LOOKED, "part_checksum": "crc32"},
    "no-condition-400": {"conditional_write": LOOKED, "part_checksum": "crc32"},
    "no-whole": {"object_checksum": "crc32 of the parts' crc32s", "conditional_write": "if-none-match"},
    "no-crc32": {"part_checksum": "md5", "object_checksum": READ_BACK, "conditional_write": "if-none-match"},
    "no-checksum": {"part_checksum": "none", "object_checksum": READ_BACK},
    "no-tags": {"tags": "refused by this provider: lifecycle rules cannot go by them", "part_checksum": "crc32"},
    "nothing": {"part_checksum": "none", "object_checksum": READ_BACK, "conditional_write": LOOKED},
}

# The rest runs with `make soak`: one request instead of several, or another status.
QUICK = (("large", "no-condition"), ("large", "no-whole"), ("small", "no-crc32"), ("small", "no-tags"))


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        pytest.param(size, fault, id=f"{size}-{fault.id}", marks=[] if (size, fault.id) in QUICK else pytest.mark.soak)
        for fault in matrix.of("provider")
        for size in ("small", "large")
        if fault.id in SAID
    ],
    indirect=["site"],
)
def test_a_provider_can_do_less(site: Site, fault: Fault) -> None:
    besides = BESIDES if fault.id == "no-tags" else []
    with proxy.faults(site.stack.endpoint_url, *besides, Rule(".", REFUSED[fault.id], ALWAYS)) as provider:
        headwater = site.through(provider.url)
        made = headwater.backup_create().backup
        assert headwater.backup_verify(VerifyOptions("full")).passed
        assert site.through(provider.url).backup_list().backups[0].proof is not None

    said = {name: made.integrity[name] for name in SAID[fault.id]}
    small = fault.id == "no-whole" and made.dump.size < 8 << 20  # one request: it has no whole besides its one part
    assert said == ({**SAID[fault.id], "object_checksum": "crc32 of the whole"} if small else SAID[fault.id])
    assert site.unfinished() == []
    assert site.restores()
    assert fault.headwater == matrix.RECORDED


@pytest.mark.parametrize("site", ["large"], indirect=True)
def test_a_bit_changes_where_nobody_else_looks(site: Site) -> None:
    """Without any checksum on the way, reading back is what finds it."""
    rules = [
        Rule(proxy.part(2), proxy.both(REFUSED["no-checksum-flip"], proxy.flip_request), ALWAYS),
        Rule(".", REFUSED["no-checksum-flip"], ALWAYS),
    ]
    with (
        proxy.faults(site.stack.endpoint_url, *rules) as provider,
        pytest.raises(HeadwaterError, match="read back") as caught,
    ):
        site.through(provider.url).backup_create()
    assert caught.value.exit_code == 9
    assert site.empty()


def test_two_backups_at_once_where_conditions_are_ignored(site: Site) -> None:
    """One may take the other's place; what is listed as usable is one whole backup."""
    with proxy.faults(site.stack.endpoint_url, Rule(".", REFUSED["ignored-condition"], ALWAYS)) as provider:
        headwaters = [site.through(provider.url) for _ in range(2)]

        def create(number: int) -> bool:
            try:
                headwaters[number].backup_create()
            except HeadwaterError:
                return False
            return True

        with ThreadPoolExecutor(2) as executor:
            ended = list(executor.map(create, range(2)))

    assert any(ended)
    assert all(not item.problem for item in site.headwater.backup_list().backups)
    assert site.restores()

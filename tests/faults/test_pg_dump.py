"""Whatever pg_dump does wrong, no object appears; the naive script believes most of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import matrix
import pytest
from fault_site import Site
from matrix import Fault

from headwater.connections import Connections
from headwater.errors import HeadwaterError
from headwater.services import postgres, tools
from headwater.stack.binaries import installed_versions
from headwater.stages.backup import VerifyOptions

TWO_FORMATS_PERCENT = 42_000  # bytes of one percent of `small`, which pg_dump writes as hexadecimal text


def cut_at(percent: int, signal: str) -> str:
    """pg_dump, killed when it has written this much of its output."""
    return f'"$REAL" "$@" | head -c {percent * TWO_FORMATS_PERCENT}; kill -{signal} $$'


BROKEN = {
    **{f"kill-{percent}": cut_at(percent, "KILL") for percent in (1, 50, 99)},
    **{f"term-{percent}": cut_at(percent, "TERM") for percent in (1, 50, 99)},
    "exit-1": '"$REAL" "$@"; echo "pg_dump: error: something at the very end" >&2; exit 1',
    "short": f'"$REAL" "$@" | head -c {50 * TWO_FORMATS_PERCENT}',
    "silent": "exit 0",
    "noise": "echo 'pg_dump: command moved, see https://example.com'",
    # Read no further until its server process, which then cannot send more, has been ended.
    "backend": '{ "$REAL" "$@"; echo $? > "$0.code"; } | { head -c 1000000; i=0; '
    'while [ ! -e "$0.ended" ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done; cat; }; exit $(cat "$0.code")',
    "stderr": 'i=0; while [ $i -lt 3000 ]; do echo "pg_dump: warning: $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" >&2;'
    ' i=$((i+1)); done; exec "$REAL" "$@"',
    "old": 'exec "$REAL" "$@"',
}


SLOWER = ("kill-1", "term-1", "term-99", "stderr")  # with `make soak`


@pytest.mark.parametrize(
    ("site", "fault"),
    [
        pytest.param(
            "large" if fault.id == "backend" else "small",  # more than the network's buffers hold
            fault,
            id=fault.id,
            marks=[pytest.mark.soak] if fault.id in SLOWER else [],
        )
        for fault in matrix.of("pg_dump")
    ],
    indirect=["site"],
)
def test_pg_dump_breaks(site: Site, fault: Fault) -> None:
    if fault.id == "old":
        site.monkeypatch.setattr(tools, "_FOLDERS", ())
        site.monkeypatch.setattr(Connections, "postgres_tools", ())
    real = installed_versions()[16] / "pg_dump" if fault.id == "old" else None
    wrapped = site.wrap(BROKEN[fault.id], real=real)
    with ending_server_processes(site, wrapped) if fault.id == "backend" else nullcontext():
        assert outcome(site) == fault.headwater
    with ending_server_processes(site, wrapped) if fault.id == "backend" else nullcontext():
        assert naive(site, wrapped) == fault.naive


# A directory that pg_dump wrote, as far as it had come; not to the real place first, for that is read at once.
INTO_COPY = """
copy="$0.copy.$$"
for a do shift; case "$a" in --file=*) out="${a#--file=}"; a="--file=$copy";; esac; set -- "$@" "$a"; done
"$REAL" "$@" || exit $?
mkdir "$out"
"""


def directory_cut_at(percent: int) -> str:
    """pg_dump of a directory, killed when it has written this much: the last thing that it writes is the contents."""
    return f"""{INTO_COPY}
left=$(cat "$copy"/* | wc -c); left=$((left * {percent} / 100))
for f in "$copy"/*.dat; do
    case "$f" in */toc.dat) continue;; esac
    head -c "$left" "$f" > "$out/$(basename "$f")"
    size=$(wc -c < "$f"); left=$((left - size)); [ "$left" -le 0 ] && break
done
sleep 0.1; kill -KILL $$"""


DIRECTORY_BROKEN = {
    **{f"kill-{percent}": directory_cut_at(percent) for percent in (1, 50, 99)},
    "exit-1": f'{INTO_COPY} cp "$copy"/* "$out"; echo "pg_dump: error: at the very end" >&2; exit 1',
    "silent": "exit 0",
    "no-contents": f'{INTO_COPY} rm "$copy"/toc.dat; cp "$copy"/* "$out"; exit 0',
    "stderr": BROKEN["stderr"],
}
OTHER_FORMS = [
    *(("directory", name) for name in DIRECTORY_BROKEN),
    *(("encrypted", name) for name in ("kill-1", "kill-50", "kill-99", "term-50", "exit-1", "silent", "stderr")),
]
QUICK = (("directory", "kill-99"), ("directory", "exit-1"), ("encrypted", "kill-50"))


@pytest.mark.parametrize(
    ("form", "name"),
    [
        pytest.param(form, name, id=f"{form}-{name}", marks=[] if (form, name) in QUICK else pytest.mark.soak)
        for form, name in OTHER_FORMS
    ],
)
def test_pg_dump_breaks_in_other_forms(site: Site, form: str, name: str) -> None:
    made = site.form(form)
    site.wrap((DIRECTORY_BROKEN if form == "directory" else BROKEN)[name])
    if name == "stderr":
        site.headwater.backup_create(options=made.options)
        assert site.restores(made.identity)
        return
    with pytest.raises(HeadwaterError) as caught:
        site.headwater.backup_create(options=made.options)
    assert caught.value.exit_code == 8
    assert site.empty()
    assert list(site.headwater.settings.layout.state.glob("dump-*")) == []


@contextmanager
def ending_server_processes(site: Site, wrapped: Path) -> Iterator[None]:
    """End the server process that sends a table of this database, as soon as it does, and let the wrapper go on."""
    done, ended = threading.Event(), Path(f"{wrapped}.ended")
    ended.unlink(missing_ok=True)

    def end() -> None:
        with postgres.connect(site.address("postgres"), autocommit=True) as connection:
            while not done.wait(0.01):
                found = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = %s AND state = 'active' AND query LIKE 'COPY%%TO stdout%%'",
                    (site.database,),
                ).fetchall()
                if found:
                    ended.touch()

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def outcome(site: Site) -> str:
    try:
        site.headwater.backup_create()
    except HeadwaterError as error:
        assert error.exit_code != 0
        return matrix.REFUSED if site.empty() and site.headwater.backup_list().backups == () else "left something"
    if not site.headwater.backup_verify(VerifyOptions("full")).passed:
        with pytest.raises(HeadwaterError):
            site.headwater.restore()
        assert not site.has_database(f"{site.database}_restored")
        return matrix.FULL
    return matrix.SURVIVED if site.restores() else "believed"


def naive(site: Site, wrapped: Path) -> str:
    said = site.naive_outcome(wrapped)
    return {"believed": matrix.BELIEVED, "noticed": matrix.NOTICED, "survived": matrix.FINE}[said]

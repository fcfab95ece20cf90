"""Each class of failure ends the commands with its own exit code, and says with ``--json`` what it was."""

from __future__ import annotations

import json

import proxy
import pytest
from fault_site import Site
from proxy import Rule

from headwater.services import objects

DENIED = Rule(".", proxy.fail(403, "AccessDenied"), 1_000)
FAILURES = {
    "settings": (["backup", "create", "--compress", "lzma", "--json"], {}, 3, "SettingsError"),
    "postgres": (["backup", "create", "--json"], {"HEADWATER_DB_PORT": "1"}, 4, "PostgresError"),
    "aws": (["backup", "list", "--json"], {"AWS_ENDPOINT_URL": "denied"}, 5, "AwsError"),
    "bucket": (["backup", "create", "--json"], {"HEADWATER_BUCKET_NAME": "there-is-no-such-bucket"}, 6, "BucketError"),
    "backup": (["restore", "20200101T000000Z", "--json"], {}, 8, "BackupError"),
    "verification": (["backup", "verify", "--json"], {}, 9, "VerificationError"),
    "refused": (["restore", "--to", "postgres", "--json"], {}, 12, "Refused"),
    "stale": (["backup", "status", "--max-age", "26h", "--json"], {}, 15, "StaleBackup"),
    "usage": (["backup", "verify", "--level", "none"], {}, 2, ""),
}


@pytest.mark.soak
def test_each_failure_has_its_exit_code(site: Site) -> None:
    made = site.headwater.backup_create().backup
    data = bytearray(objects.read_bytes(site.headwater.connections.s3, site.bucket, made.dump.key))
    data[len(data) // 2] ^= 1
    with proxy.faults(site.stack.endpoint_url, DENIED) as denied:
        for name, (words, variables, code, error) in FAILURES.items():
            if name == "verification":  # from here on, the backup is damaged
                objects.put_bytes(site.headwater.connections.s3, site.bucket, made.dump.key, bytes(data))
            elif name == "refused":
                site.headwater.backup_create()
            changed = {key: denied.url if value == "denied" else value for key, value in variables.items()}
            process = site.start(*words, variables=changed)
            _, said = process.communicate(timeout=60)
            assert process.returncode == code, (name, said)
            if error:
                told = json.loads(said.strip().splitlines()[-1])
                assert (told["error"], told["exit_code"]) == (error, code), name

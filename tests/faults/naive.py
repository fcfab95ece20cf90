"""The negative control: ``pg_dump | gzip``, then an upload, as in a thousand cron jobs; restored with gunzip and psql.

It says what such a script says: success if the last program of each pipeline ended with 0 and boto3 raised nothing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import BotoCoreError, ClientError
from psycopg import sql

from headwater.model import PostgresAddress
from headwater.services import postgres
from headwater.services.tools import login

KEY = "naive/backup.sql.gz"


def back_up(pg_dump: Path, address: PostgresAddress, s3: Any, bucket: str, folder: Path) -> bool:
    """Dump, compress, upload; whether the script would report success."""
    file = folder / "backup.sql.gz"
    shell = ["sh", "-c", '"$1" --no-password | gzip -1 > "$2"', "sh", str(pg_dump), str(file)]
    done = subprocess.run(shell, env=dict(login(address)), capture_output=True, check=False)
    if done.returncode != 0:
        return False
    try:
        s3.upload_file(str(file), bucket, KEY)
    except (BotoCoreError, ClientError, S3UploadFailedError):
        return False
    return True


def restore(address: PostgresAddress, psql: Path, s3: Any, bucket: str, folder: Path) -> bool:
    """Download, decompress, psql into the new database ``address``; whether the script would report success."""
    file = folder / "download.sql.gz"
    try:
        s3.download_file(bucket, KEY, str(file))
    except (BotoCoreError, ClientError):
        return False
    maintenance = postgres.PostgresAddress(address.host, address.port, address.user, address.password, "postgres")
    with postgres.connect(maintenance, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(address.database)))
    shell = ["sh", "-c", 'gunzip -c < "$2" | "$1" --quiet --no-psqlrc', "sh", str(psql), str(file)]
    return subprocess.run(shell, env=dict(login(address)), capture_output=True, check=False).returncode == 0

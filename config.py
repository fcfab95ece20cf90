"""The settings of this project. Each one can be overridden by an environment variable HEADWATER_<NAME>."""

# "local": an embedded PostgreSQL, S3, Glue and Athena on this machine. "aws": your AWS account.
TARGET = "local"

# S3. Bucket names are unique among all AWS accounts: choose your own.
BUCKET_NAME = "headwater-datalake"
REGION = "us-east-1"

# PostgreSQL. None: the embedded server (local); localhost:5432 as postgres, libpq's password rules (aws).
DB_HOST = None
DB_PORT = None
DB_USER = None
DB_PASSWORD = None
DB_NAME = "saas_platform"

# Where things go in the bucket, and the name of the Athena database.
BACKUP_PREFIX = "backups/postgres"
DATALAKE_PREFIX = "datalake"
ATHENA_DATABASE = "saas_datalake"

# Backups older than this are removed, never the newest.
RETENTION_DAYS = 30

# More backups to keep, for example "daily=14 weekly=8 monthly=12"; "" for none.
RETENTION_RULES = ""

"""Take a PostgreSQL database to a data lake on S3, query it with Athena, and keep backups that are known to restore."""

__version__ = "0.1.0"

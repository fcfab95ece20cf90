"""The durable Glue catalog: databases, tables and partitions in SQLite, partition expressions and projection."""

"""Table files as DuckDB relations: one module per file format, each reading as the Hive SerDe of that name does."""

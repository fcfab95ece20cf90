"""Iceberg tables: pyiceberg keeps their metadata, DuckDB reads their files, and the catalog points to both."""

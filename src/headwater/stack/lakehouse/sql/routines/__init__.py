"""Functions that run in Python inside DuckDB, where DuckDB has none or means something else than Trino."""

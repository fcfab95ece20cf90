"""Athena's SQL: parsed with sqlglot, typed and resolved by Trino's rules, and written out again for DuckDB."""

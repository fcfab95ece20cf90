"""Trino's functions as data: each with its signature and the DuckDB expression that keeps its meaning."""

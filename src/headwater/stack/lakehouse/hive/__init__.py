"""Hive DDL: the half of Athena's SQL that changes the catalog (lexer, parser, statements, and their execution)."""

"""Statements that write data: CREATE TABLE AS, INSERT INTO and UNLOAD, from their text to the files they leave."""

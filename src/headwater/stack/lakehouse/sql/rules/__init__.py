"""The translation of expressions, one rule for each kind of node."""

"""What Glue calls a regular expression on table names: one in which a bare star, as in ``orders_*``, is any text."""

from __future__ import annotations

import re

_BARE_STAR = re.compile(r"(?<![.\])}\\])\*")


def table_pattern(expression: str) -> re.Pattern[str]:
    """The pattern that the whole of a name has to match, without regard to case. Raises ``re.error``.

    https://github.com/getmoto/moto/pull/5533

    >>> [bool(table_pattern(text).fullmatch("orders_1")) for text in ("ord*", "*_1", "ord.*", "[a-z]*_1", "ord")]
    [True, True, True, True, False]
    """
    return re.compile(_BARE_STAR.sub(".*", expression), re.IGNORECASE)

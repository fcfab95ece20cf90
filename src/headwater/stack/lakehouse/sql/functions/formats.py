"""MySQL and Joda date formats as DuckDB's ``strftime`` patterns."""

from __future__ import annotations

import re

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.failures import SqlError

_MYSQL = {
    **{"a": "%a", "b": "%b", "c": "%-m", "d": "%d", "e": "%-d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M"},
    **{"j": "%j", "k": "%-H", "l": "%-I", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S"},
    **{"T": "%H:%M:%S", "v": "%V", "W": "%A", "x": "%G", "Y": "%Y", "y": "%y", "%": "%%"},
}
_MYSQL_REFUSED = "DUuVwX"


def from_mysql(pattern: str) -> str:
    """``%Y-%m-%d %H:%i:%s`` as DuckDB writes it.

    >>> from_mysql("%Y-%m-%d %H:%i:%s")
    '%Y-%m-%d %H:%M:%S'
    """

    def one(found: re.Match[str]) -> str:
        letter = found[1]
        if letter and letter in _MYSQL_REFUSED:
            message = f"%{letter} not supported in date format string"
            raise SqlError("INVALID_FUNCTION_ARGUMENT", message)
        return _MYSQL.get(letter, letter)

    if pattern in ("", "%"):
        raise SqlError("INVALID_FUNCTION_ARGUMENT", "Both printing and parsing not supported")
    return re.sub(r"%(.?)", one, pattern, flags=re.DOTALL)


_JODA = {
    **{"yyyy": "%Y", "YYYY": "%Y", "y": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m"},
    **{"dd": "%d", "d": "%-d", "DDD": "%j", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M"},
    **{"ss": "%S", "s": "%-S", "SSS": "%g", "a": "%p", "EEEE": "%A", "EEE": "%a", "E": "%a", "xxxx": "%G", "ww": "%V"},
}
_JODA_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z'])", re.DOTALL)


def from_joda(pattern: str) -> str:
    """``yyyy-MM-dd HH:mm:ss`` as DuckDB writes it. Raises ``Unsupported`` for a field that it can't write.

    >>> from_joda("yyyy-MM-dd'T'HH:mm")
    '%Y-%m-%dT%H:%M'
    """
    found = []
    for token in _JODA_TOKEN.finditer(pattern):
        text = token[0]
        if token[1] is not None:
            found.append((token[1] or "'").replace("''", "'").replace("%", "%%"))
        elif token[3] is not None:
            found.append("%%" if text == "%" else text)
        elif text in _JODA:
            found.append(_JODA[text])
        else:
            raise Unsupported(f"the date format field '{text}'")
    return "".join(found)

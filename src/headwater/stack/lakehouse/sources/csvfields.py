"""The fields of one CSV line by the rules of the opencsv library that Hive's OpenCSVSerde uses, oddities included."""

from __future__ import annotations


def csv_fields(line: str, separator: str, quote: str, escape: str) -> list[str]:
    r"""The fields of one line; a field whose quote is not closed is lost, because the line ends there.

    Inside quotes, and in any field that has begun, a doubled quote stands for one, and the escape character makes a
    quote or itself literal; before anything else the escape character vanishes. A quote in the middle of a field is
    kept. An empty line has no field at all.

    >>> csv_fields(r'1,"a ""q"" \"x\"",b"c"d', ",", '"', "\\")
    ['1', 'a "q" "x"', 'b"c"d']
    """
    if quote not in line and escape not in line:
        return line.split(separator) if line else []
    fields: list[str] = []
    text: list[str] = []
    quoted = begun = False
    i, end = 0, len(line)
    while i < end:
        character, following = line[i], line[i + 1 : i + 2]
        if character == escape:
            if (quoted or begun) and following in (quote, escape) and following:
                text.append(following)
                i += 1
        elif character == quote:
            if (quoted or begun) and following == quote:
                text.append(quote)
                i += 1
            else:
                if i > 2 and line[i - 1] != separator and following not in ("", separator):
                    text = [] if text and not "".join(text).strip() else [*text, quote]
                quoted = not quoted
            begun = not begun
        elif character == separator and not quoted:
            fields.append("".join(text))
            text, begun = [], False
        else:
            text.append(character)
            begun = True
        i += 1
    return fields if quoted else [*fields, "".join(text)]

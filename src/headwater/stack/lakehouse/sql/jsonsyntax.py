"""SQL/JSON calls as Trino's grammar has them: clauses between the parentheses that no ordinary function knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported

# sqlglot's parser is compiled without types of its own.
Parser = Any


@dataclass(frozen=True)
class Format:
    """``FORMAT JSON [ENCODING …]`` behind an expression; ``json`` and ``named`` are whether they are there."""

    json: bool = False
    encoding: str = "UTF8"
    named: bool = False


@dataclass(frozen=True)
class Clauses:
    """What a call says beside its expressions; an empty text is a clause that is not there.

    ``formats`` belong to the expressions in their order. ``names`` are those of PASSING. ``on_empty`` and ``on_error``
    are ``NULL``, ``ERROR``, ``DEFAULT``, ``EMPTY ARRAY`` …; a default's expression is the node's argument of that name.
    """

    formats: tuple[Format, ...] = ()
    names: tuple[str, ...] = ()
    returning: exp.DataType | None = None
    encoding: str = "UTF8"
    wrapper: str = ""
    quotes: str = ""
    on_empty: str = ""
    on_error: str = ""
    on_null: str = ""
    unique: bool = False


class JsonCall(exp.Anonymous):
    """One call. ``expressions`` are the input, the path and what is passed; or the elements; or keys and values."""

    arg_types: ClassVar[dict[str, bool]] = {
        "this": True,
        "expressions": False,
        "clauses": False,
        "on_empty": False,
        "on_error": False,
    }


@dataclass
class _Found:
    """What has been read of a call."""

    expressions: list[exp.Expression] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)

    def add(self, parser: Parser) -> None:
        """One expression and its FORMAT."""
        self.expressions.append(parser._parse_assignment())
        self.formats.append(_format(parser))


def _format(parser: Parser) -> Format:
    if not parser._match_text_seq("FORMAT", "JSON"):
        return Format()
    if not parser._match_text_seq("ENCODING"):
        return Format(True)
    for encoding in ("UTF8", "UTF16", "UTF32"):
        if parser._match_text_seq(encoding):
            return Format(True, encoding, named=True)
    parser.raise_error("an encoding is expected")
    return Format(True)


def _returning(parser: Parser) -> tuple[exp.DataType | None, str]:
    if not parser._match_text_seq("RETURNING"):
        return None, "UTF8"
    kind = parser._parse_types()
    return kind, _format(parser).encoding


def _path_call(name: str) -> Callable[[Parser], JsonCall]:
    """``JSON_EXISTS``, ``JSON_VALUE`` and ``JSON_QUERY``."""

    def parse(parser: Parser) -> JsonCall:
        found, names = _Found(), []
        found.add(parser)
        parser._match_text_seq(",")
        found.expressions.append(parser._parse_string() or parser._parse_assignment())
        found.formats.append(Format())
        if parser._match_text_seq("PASSING"):
            while True:
                found.add(parser)
                parser._match_text_seq("AS")
                alias = parser._parse_id_var()
                names.append(alias.name if alias.args.get("quoted") else alias.name.upper())
                if not parser._match_text_seq(","):
                    break
        returning, encoding = _returning(parser)
        wrapper, quotes = _wrapper(parser), _quotes(parser)
        defaults: dict[str, Any] = {"on_empty": None, "on_error": None}
        behaviours = {"on_empty": "", "on_error": ""}
        while (behaviour := _behaviour(parser)) is not None:
            word, default = behaviour
            place = "on_empty" if parser._match_text_seq("ON", "EMPTY") else "on_error"
            if place == "on_error" and not parser._match_text_seq("ON", "ERROR"):
                parser.raise_error("ON EMPTY or ON ERROR is expected")
            behaviours[place], defaults[place] = word, default
        empty, error = behaviours.values()
        clauses = Clauses(tuple(found.formats), tuple(names), returning, encoding, wrapper, quotes, empty, error)
        return JsonCall(this=name, expressions=found.expressions, clauses=clauses, **defaults)

    return parse


def _wrapper(parser: Parser) -> str:
    if parser._match_text_seq("WITHOUT"):
        word = ""
    elif parser._match_text_seq("WITH"):
        parser._match_text_seq("UNCONDITIONAL")
        word = "CONDITIONAL" if parser._match_text_seq("CONDITIONAL") else "UNCONDITIONAL"
    else:
        return ""
    parser._match_text_seq("ARRAY")
    if not parser._match_text_seq("WRAPPER"):
        parser.raise_error("WRAPPER is expected")
    return word


def _quotes(parser: Parser) -> str:
    for word in ("KEEP", "OMIT"):
        if parser._match_text_seq(word, "QUOTES"):
            parser._match_text_seq("ON", "SCALAR", "STRING")
            return word
    return ""


def _behaviour(parser: Parser) -> tuple[str, exp.Expression | None] | None:
    for word in ("NULL", "ERROR", "TRUE", "FALSE", "UNKNOWN"):
        if parser._match_text_seq(word):
            return word, None
    if parser._match_text_seq("EMPTY"):
        return ("EMPTY OBJECT" if parser._match_text_seq("OBJECT") else _array(parser)), None
    if parser._match_text_seq("DEFAULT"):
        return "DEFAULT", parser._parse_assignment()
    return None


def _array(parser: Parser) -> str:
    parser._match_text_seq("ARRAY")
    return "EMPTY ARRAY"


def _nulls(parser: Parser) -> str:
    for word in ("NULL", "ABSENT"):
        if parser._match_text_seq(word, "ON", "NULL"):
            return word
    return ""


def _at_end(parser: Parser) -> bool:
    return bool(parser._curr and parser._curr.text in (")", "RETURNING", "returning"))


def _json_array(parser: Parser) -> JsonCall:
    found = _Found()
    while not _at_end(parser):
        found.add(parser)
        if not parser._match_text_seq(","):
            break
    nulls = _nulls(parser)
    returning, encoding = _returning(parser)
    clauses = Clauses(tuple(found.formats), (), returning, encoding, on_null=nulls)
    return JsonCall(this="json_array", expressions=found.expressions, clauses=clauses)


def _json_object(parser: Parser) -> JsonCall:
    found = _Found()
    while not _at_end(parser):
        parser._match_text_seq("KEY")
        found.expressions.append(parser._parse_assignment())
        found.formats.append(Format())
        if not parser._match_text_seq("VALUE") and not parser._match_text_seq(":"):
            parser.raise_error("VALUE or ':' is expected")
        found.add(parser)
        if not parser._match_text_seq(","):
            break
    nulls = _nulls(parser)
    unique = bool(parser._match_text_seq("WITH", "UNIQUE"))
    if unique or parser._match_text_seq("WITHOUT", "UNIQUE"):
        parser._match_text_seq("KEYS")
    returning, encoding = _returning(parser)
    clauses = Clauses(tuple(found.formats), (), returning, encoding, on_null=nulls, unique=unique)
    return JsonCall(this="json_object", expressions=found.expressions, clauses=clauses)


def _json_table(parser: Parser) -> JsonCall:
    raise Unsupported("JSON_TABLE")


PARSERS: dict[str, Callable[[Parser], JsonCall]] = {
    "JSON_EXISTS": _path_call("json_exists"),
    "JSON_VALUE": _path_call("json_value"),
    "JSON_QUERY": _path_call("json_query"),
    "JSON_ARRAY": _json_array,
    "JSON_OBJECT": _json_object,
    "JSON_TABLE": _json_table,
}

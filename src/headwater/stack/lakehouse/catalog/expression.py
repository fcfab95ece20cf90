"""The ``Expression`` of Glue's GetPartitions: SQL's WHERE over partition keys, compared as the keys' types compare."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from headwater.stack.lakehouse.catalog.filters import is_integer_type
from headwater.stack.lakehouse.catalog.paths import DEFAULT_PARTITION
from headwater.stack.lakehouse.errors import ApiError, invalid_input
from headwater.stack.lakehouse.model import KeyFilter

Value = int | str | Decimal | date
Test = Callable[[Sequence[str]], "bool | None"]
"""SQL's three values: true, false, or ``None`` for unknown."""

MAX_LENGTH = 2048
_MAX_DEPTH = 100
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<quoted>`(?:[^`]|``)+`)|(?P<word>[A-Za-z_][\w.]*)|(?P<op><>|!=|<=|>=|==|[=<>(),]))"
)
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?", re.ASCII)
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_KEYWORDS = frozenset(("and", "or", "not", "in", "between", "like", "is", "null", "date", "timestamp"))
_TEXT_TYPES = frozenset(("string", "varchar", "char"))


@dataclass(frozen=True)
class PartitionExpression:
    """A compiled expression: ``filters`` narrow the search by index, and then ``admits`` decides.

    >>> found = compile_expression("year = 2025 AND city LIKE 'San%'", [("year", "int"), ("city", "string")])
    >>> found.filters, found.admits(["2025", "San Jose"]), found.admits(["2025", "Oslo"])
    ((KeyFilter(key='year', op='=', values=('2025',)),), True, False)
    """

    filters: tuple[KeyFilter, ...]
    test: Test

    def admits(self, values: Sequence[str]) -> bool:
        """Whether a partition with these values satisfies the expression."""
        return self.test(values) is True


def compile_expression(text: str, keys: Sequence[tuple[str, str]]) -> PartitionExpression:
    """Compile an expression for keys, each a name with a type. Raises ``InvalidInputException``."""
    if len(text) > MAX_LENGTH:
        raise invalid_input(f"Expression is longer than {MAX_LENGTH} characters.")
    reader = _Reader(text, _tokens(text), keys)
    node = reader.disjunction(0)
    if reader.kind != "end":
        raise _unsupported(text)
    return PartitionExpression(tuple(node.filters), node.test)


@dataclass(frozen=True)
class _Node:
    """A condition, and the filters that every partition which satisfies it satisfies too."""

    test: Test
    filters: tuple[KeyFilter, ...] = ()


@dataclass(frozen=True)
class _Key:
    name: str
    type: str
    ordinal: int

    @property
    def family(self) -> str:
        return self.type.partition("(")[0].strip().lower()

    def cast(self, text: str) -> Value:
        """A text as the key's type compares. Raises ``InvalidInputException``, as Glue does for a bad literal."""
        family = self.family
        if is_integer_type(family):
            return _integer(text)
        if family == "decimal":
            return _decimal(text)
        if family == "date":
            return _date(text)
        if family == "timestamp":
            return _timestamp(text)
        if family in _TEXT_TYPES:
            return text
        raise invalid_input(f"Unknown type : '{self.type}'")

    def read(self, values: Sequence[str]) -> Value | None:
        """The partition's value; ``None`` for a null partition, or one whose value does not fit the key's type."""
        text = values[self.ordinal]
        if text == DEFAULT_PARTITION and self.family not in _TEXT_TYPES:
            return None
        try:
            return self.cast(text)
        except ApiError:
            return None

    def filter(self, op: str, literals: Sequence[str]) -> tuple[KeyFilter, ...]:
        """The indexable form of a comparison; dates and decimals have none, because their texts may vary."""
        indexable = is_integer_type(self.family) or self.family in _TEXT_TYPES
        return (KeyFilter(self.name, op, tuple(literals)),) if indexable else ()


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unsupported(text)
        kind, value = str(match.lastgroup), match.group(str(match.lastgroup))
        if kind == "string":
            value = value[1:-1].replace(value[0] * 2, value[0])
        elif kind == "quoted":
            kind, value = "name", value[1:-1].replace("``", "`")
        elif kind == "word":
            kind = "keyword" if value.lower() in _KEYWORDS else "name"
        found.append((kind, value))
        position = match.end()
    return [*found, ("end", "")]


class _Reader:
    """Recursive descent: OR binds weakest, then AND, then NOT, then one comparison."""

    def __init__(self, text: str, tokens: list[tuple[str, str]], keys: Sequence[tuple[str, str]]) -> None:
        self._text = text
        self._tokens = tokens
        self._position = 0
        self._keys = {name.lower(): _Key(name, kind, ordinal) for ordinal, (name, kind) in enumerate(keys)}

    @property
    def kind(self) -> str:
        """The kind of the token to come."""
        return self._tokens[self._position][0]

    def disjunction(self, depth: int) -> _Node:
        """One or more conjunctions."""
        nodes = [self._conjunction(depth)]
        while self._keyword("or"):
            nodes.append(self._conjunction(depth))
        if len(nodes) == 1:
            return nodes[0]
        tests = [node.test for node in nodes]
        return _Node(lambda values: _any([test(values) for test in tests]))

    def _conjunction(self, depth: int) -> _Node:
        nodes = [self._negation(depth)]
        while self._keyword("and"):
            nodes.append(self._negation(depth))
        if len(nodes) == 1:
            return nodes[0]
        tests = [node.test for node in nodes]
        return _Node(
            lambda values: _not(_any([_not(test(values)) for test in tests])),
            tuple(item for node in nodes for item in node.filters),
        )

    def _negation(self, depth: int) -> _Node:
        if depth > _MAX_DEPTH:
            raise invalid_input("Expression is nested too deeply.")
        if self._keyword("not"):
            return _negated(self._negation(depth + 1))
        if self._op("("):
            node = self.disjunction(depth + 1)
            self._require(self._op(")"))
            return node
        return self._comparison()

    def _comparison(self) -> _Node:
        if self.kind != "name":
            literal = self._literal()
            op = self._operator()
            return _compare(self._key(), _FLIPPED.get(op, op), literal)
        key = self._key()
        if self._keyword("is"):
            negated = self._keyword("not")
            self._require(self._keyword("null"))
            node = _Node(lambda values: key.read(values) is None or values[key.ordinal] == DEFAULT_PARTITION)
            return _negated(node) if negated else node
        negated = self._keyword("not")
        if self._keyword("in"):
            node = self._in(key)
        elif self._keyword("between"):
            low = self._literal()
            self._require(self._keyword("and"))
            node = _both(_compare(key, ">=", low), _compare(key, "<=", self._literal()))
        elif self._keyword("like"):
            node = _like(key, self._literal())
        else:
            self._require(not negated)
            node = _compare(key, self._operator(), self._literal())
        return _negated(node) if negated else node

    def _in(self, key: _Key) -> _Node:
        self._require(self._op("("))
        literals = [self._literal()]
        while self._op(","):
            literals.append(self._literal())
        self._require(self._op(")"))
        wanted = {key.cast(literal) for literal in literals}

        def test(values: Sequence[str]) -> bool | None:
            found = key.read(values)
            return None if found is None else found in wanted

        return _Node(test, key.filter("in", literals))

    def _key(self) -> _Key:
        kind, name = self._tokens[self._position]
        self._require(kind == "name")
        self._position += 1
        key = self._keys.get(name.lower())
        if key is None:
            # Glue does not say more: https://github.com/getmoto/moto/pull/9306
            raise invalid_input("Invalid partition expression!")
        return key

    def _literal(self) -> str:
        if not self._keyword("date"):
            self._keyword("timestamp")
        parens = 0
        while self._op("("):
            parens += 1
        kind, value = self._tokens[self._position]
        self._require(kind in ("string", "number"))
        self._position += 1
        for _ in range(parens):
            self._require(self._op(")"))
        return value

    def _operator(self) -> str:
        for op in ("=", "==", "<>", "!=", "<=", ">=", "<", ">"):
            if self._op(op):
                return {"==": "=", "!=": "<>"}.get(op, op)
        raise _unsupported(self._text)

    def _keyword(self, word: str) -> bool:
        return self._take("keyword", word)

    def _op(self, op: str) -> bool:
        return self._take("op", op)

    def _take(self, kind: str, text: str) -> bool:
        found = self._tokens[self._position]
        if found[0] == kind and found[1].lower() == text:
            self._position += 1
            return True
        return False

    def _require(self, held: bool) -> None:
        if not held:
            raise _unsupported(self._text)


def _compare(key: _Key, op: str, literal: str) -> _Node:
    right = key.cast(literal)

    def test(values: Sequence[str]) -> bool | None:
        left = key.read(values)
        return None if left is None else _holds(left, op, right)

    return _Node(test, key.filter(op, [literal]) if op != "<>" else ())


def _holds(left: Value, op: str, right: Value) -> bool:
    if op == "=":
        return left == right
    if op == "<>":
        return left != right
    # cast() gave both sides one type, which the type checker cannot see.
    less: bool = left < right  # type: ignore[operator]
    if op in ("<", ">="):
        return less if op == "<" else not less
    return less or left == right if op == "<=" else not less and left != right


def _like(key: _Key, pattern: str) -> _Node:
    if key.family not in _TEXT_TYPES:
        family = "Integral" if is_integer_type(key.family) else key.family.capitalize()
        raise invalid_input(f"{family} data type doesn't support operation 'LIKE'")
    translated = {"%": ".*", "_": "."}
    regex = re.compile("".join(translated.get(char) or re.escape(char) for char in pattern), re.DOTALL)
    return _Node(lambda values: regex.fullmatch(values[key.ordinal]) is not None)


def _both(left: _Node, right: _Node) -> _Node:
    return _Node(
        lambda values: _not(_any([_not(left.test(values)), _not(right.test(values))])), left.filters + right.filters
    )


def _negated(node: _Node) -> _Node:
    return _Node(lambda values: _not(node.test(values)))


def _any(results: Sequence[bool | None]) -> bool | None:
    if True in results:
        return True
    return None if None in results else False


def _not(result: bool | None) -> bool | None:
    return None if result is None else not result


def _integer(text: str) -> int:
    if re.fullmatch(r"\s*[+-]?[0-9]+\s*", text) is None:
        raise invalid_input(f'"{text}" is not an integer.')
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation as error:
        raise invalid_input(f"{text} is not a decimal.") from error
    if not value.is_finite():
        raise invalid_input(f"{text} is not a decimal.")
    return value


def _date(text: str) -> date:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise invalid_input(f"{text} is not a date.") from error
    raise invalid_input(f"{text} is not a date.")


def _timestamp(text: str) -> str:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise invalid_input(f"Timestamp format must be yyyy-mm-dd hh:mm:ss[.fffffffff] {text} is not a timestamp.")
    # Nine digits of fraction make texts compare as the moments do, without losing nanoseconds.
    return f"{match.group(1)}.{(match.group(2) or '').ljust(9, '0')}"


def _unsupported(text: str) -> ApiError:
    return invalid_input(f"Unsupported expression '{text}'")

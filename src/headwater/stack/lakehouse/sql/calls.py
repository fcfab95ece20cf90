"""Function calls: the name and the argument types select one entry of the registry, or Athena's error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce
from headwater.stack.lakehouse.sql.comparison import with_sorted_keys
from headwater.stack.lakehouse.sql.expression import Expr, once
from headwater.stack.lakehouse.sql.failures import Position, SqlError
from headwater.stack.lakehouse.sql.functions.absent import is_absent
from headwater.stack.lakehouse.sql.functions.model import Call, Function, Variables, translate
from headwater.stack.lakehouse.sql.functions.signature import Bindings, Pattern, concrete, describe, match, result_type
from headwater.stack.lakehouse.sql.nanoseconds import in_microseconds, is_nano, refuse_nanos, with_nanoseconds

_MOST_ARGUMENTS = 127
_READ_AS_MICROSECONDS = ("checksum", "format", "sequence")
_KEEP_NANOSECONDS = ("date", "at_timezone")
_LOSE_NANOSECONDS = ("from_unixtime", "to_iso8601", "with_timezone", *_READ_AS_MICROSECONDS)
Registry = Mapping[str, tuple[Function, ...]]
LambdaCompiler = Callable[[exp.Lambda, Sequence[t.Type], Variables], tuple[str, Expr]]


@dataclass(frozen=True)
class Clauses:
    """The SQL of a call's ``DISTINCT``, ``ORDER BY``, and ``FILTER`` or ``OVER``."""

    distinct: str = ""
    order: str = ""
    over: str = ""


@dataclass(frozen=True)
class Request:
    """A call as written: lambdas are still trees, because their types follow from the other arguments."""

    name: str
    arguments: tuple[Expr | exp.Lambda, ...]
    position: Position
    now: datetime
    clauses: Clauses = Clauses()


def call(registry: Registry, request: Request, compile_lambda: LambdaCompiler) -> Expr:
    """Translate a call. Raises ``SqlError`` FUNCTION_NOT_FOUND, for a name or for argument types."""
    candidates = registry.get(request.name)
    if candidates is None:
        if is_absent(request.name):
            raise Unsupported(f"the function {request.name}")
        message = f"Function '{request.name}' not registered"
        raise SqlError("FUNCTION_NOT_FOUND", message, request.position)
    for exact in (True, False):
        for function in candidates:
            bindings: Bindings = {}
            parameters = function.signature.expand(len(request.arguments))
            if parameters is not None and _matches(parameters, request.arguments, bindings, exact=exact):
                if len(parameters) > _MOST_ARGUMENTS:
                    message = f"Too many arguments for function call {request.name}()"
                    raise SqlError("TOO_MANY_ARGUMENTS", message, request.position)
                return _translate(function, parameters, bindings, request, compile_lambda)
    for place, argument in enumerate(request.arguments):
        if isinstance(argument, exp.Lambda):
            _check_variables(argument, place, candidates, request)
    given = ", ".join(str(a.type) if isinstance(a, Expr) else "<function>" for a in request.arguments)
    expected = ", ".join(f"{f.name}({describe(f.signature.parameters)})" for f in candidates)
    message = f"Unexpected parameters ({given}) for function {request.name}. Expected: {expected}"
    raise SqlError("FUNCTION_NOT_FOUND", message, request.position)


def _check_variables(argument: exp.Lambda, place: int, candidates: Sequence[Function], request: Request) -> None:
    """The lambda has as many variables as one of the functions asks for."""
    wanted = set[int]()
    for function in candidates:
        parameters = function.signature.expand(len(request.arguments))
        if parameters is not None and parameters[place].result is not None:
            wanted.add(len(parameters[place].items))
    if wanted and len(argument.expressions) not in wanted:
        message = f"Expected a lambda that takes {min(wanted)} argument(s) but got {len(argument.expressions)}"
        raise SqlError("INVALID_PARAMETER_USAGE", message, request.position)


def _matches(
    parameters: Sequence[Pattern], arguments: Sequence[Expr | exp.Lambda], bindings: Bindings, *, exact: bool
) -> bool:
    for parameter, argument in zip(parameters, arguments, strict=True):
        if isinstance(argument, exp.Lambda):
            if parameter.result is None or len(parameter.items) != len(argument.expressions):
                return False
        elif parameter.result is not None or not match(parameter, argument.type, bindings, exact=exact):
            return False
    return True


def _translate(
    function: Function,
    parameters: Sequence[Pattern],
    bindings: Bindings,
    request: Request,
    compile_lambda: LambdaCompiler,
) -> Expr:
    arguments = _arguments(function, parameters, bindings, request, compile_lambda)
    given = arguments
    if function.family == "date and time" or request.name in _READ_AS_MICROSECONDS:
        arguments = _with_fewer_digits(request.name, arguments)
    clauses = request.clauses
    if function.kind == "scalar":
        _refuse_clauses(request)
    elif clauses.distinct:
        arguments = [replace(a, sql=with_sorted_keys(a.sql, a.type)) for a in arguments]
    written = Call(
        name=request.name,
        arguments=tuple(arguments),
        result=result_type(function.signature.result, bindings),
        position=request.position,
        now=request.now,
        distinct=clauses.distinct,
        order=clauses.order,
        over=clauses.over,
    )
    if function.kind != "scalar":
        return translate(function, written)
    made = once(arguments, lambda values: translate(function, replace(written, arguments=tuple(values))))
    if given is not arguments and made.type.name in ("timestamp", "timestamptz"):
        last = given[-1]
        return with_nanoseconds(made, last if request.name == "date_add" else _cut(last))
    return made


def _with_fewer_digits(name: str, arguments: list[Expr]) -> list[Expr]:
    """Times are read to the microsecond; where more digits would count, they are refused."""
    if name in _KEEP_NANOSECONDS or not any(is_nano(argument.type) for argument in arguments):
        return arguments
    if name in _LOSE_NANOSECONDS:
        refuse_nanos(name, *(argument.type for argument in arguments))
    return [in_microseconds(argument) for argument in arguments]


def _cut(value: Expr) -> Expr:
    """The value without its nanoseconds, in its type."""
    micros = in_microseconds(value)
    beside = micros.zoned and replace(micros.zoned, instant=f"CAST({micros.zoned.instant} AS TIMESTAMP_NS)")
    return replace(value, sql=f"CAST({micros} AS TIMESTAMP_NS)", zoned=beside)


def _arguments(
    function: Function,
    parameters: Sequence[Pattern],
    bindings: Bindings,
    request: Request,
    compile_lambda: LambdaCompiler,
) -> list[Expr]:
    """The arguments as the parameters' types. What a lambda returns can widen the type of an argument before it."""
    while True:
        before = dict(bindings)
        arguments: list[Expr] = []
        written = list(function.lambdas)
        for parameter, argument in zip(parameters, request.arguments, strict=True):
            if isinstance(argument, Expr):
                arguments.append(_converted(argument, parameter, bindings))
            else:
                names = written.pop(0) if written else ()
                arguments.append(_lambda(argument, parameter, bindings, request, compile_lambda, names))
        if all(before.get(name) in (None, kind) for name, kind in bindings.items()):
            return arguments


def _refuse_clauses(request: Request) -> None:
    """What only aggregates and window functions can have."""
    clauses = request.clauses
    if clauses.over.startswith(" FILTER") or clauses.distinct or clauses.order:
        part = "DISTINCT" if clauses.distinct else "ORDER BY" if clauses.order else "Filter"
        message = f"{part} is only valid for aggregation functions"
        raise SqlError("FUNCTION_NOT_AGGREGATE", message, request.position)
    if clauses.over:
        raise SqlError("FUNCTION_NOT_WINDOW", f"Not a window function: {request.name}", request.position)


def _converted(argument: Expr, parameter: Pattern, bindings: Bindings) -> Expr:
    if parameter.name in ("any", argument.type.name) and not parameter.items:
        return argument
    wanted = concrete(parameter, bindings)
    if wanted.name in ("timestamp", "time", "timestamptz", "decimal") and not wanted.params:
        wanted = result_type(parameter, bindings) if wanted.name != "decimal" else t.decimal(38, 0)
    if wanted == t.Type("char"):
        wanted = t.Type("char", argument.type.params)
    if wanted.name == "unknown" or argument.type == wanted:
        return argument
    return coerce(argument, wanted)


def _lambda(
    argument: exp.Lambda,
    parameter: Pattern,
    bindings: Bindings,
    request: Request,
    compile_lambda: LambdaCompiler,
    written: Variables,
) -> Expr:
    result = parameter.result
    if result is None:
        raise SqlError("TYPE_MISMATCH", "a lambda is not expected here", request.position)
    variables, body = compile_lambda(argument, [concrete(item, bindings) for item in parameter.items], written)
    if not match(result, body.type, bindings, exact=False):
        message = f"lambda returns {body.type}, expected {describe((result,))}"
        raise SqlError("TYPE_MISMATCH", message, request.position)
    wanted = concrete(result, bindings)
    if wanted.name != "unknown" and wanted != body.type and can_coerce(body.type, wanted):
        body = coerce(body, wanted)
    return Expr(f"lambda {variables}: {body.sql}", body.type)

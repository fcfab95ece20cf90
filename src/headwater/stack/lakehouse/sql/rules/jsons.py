"""SQL/JSON calls: a routine finds the items, and the clauses say what becomes of them."""

from __future__ import annotations

import json

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql import types as t
from headwater.stack.lakehouse.sql.casts import cast
from headwater.stack.lakehouse.sql.coerce import can_coerce, coerce
from headwater.stack.lakehouse.sql.declared import type_of
from headwater.stack.lakehouse.sql.expression import Expr, fail, null_of, quote_text
from headwater.stack.lakehouse.sql.expressions import Expressions
from headwater.stack.lakehouse.sql.failures import SqlError
from headwater.stack.lakehouse.sql.jsonsyntax import Clauses, Format, JsonCall
from headwater.stack.lakehouse.sql.jsonvalues import json_text
from headwater.stack.lakehouse.sql.routines.jsonpathsyntax import parsed
from headwater.stack.lakehouse.sql.routines.model import RoutineFailed
from headwater.stack.lakehouse.sql.text import display_text

_JSON_RESULTS = ("json_query", "json_array", "json_object")
_EMPTY, _FAILED = 1, 2


def json_call_rule(self: Expressions, node: exp.Expression) -> Expr:
    name, clauses = str(node.this), node.args["clauses"]
    values = [self.translate(item) for item in node.expressions]
    if name == "json_array":
        return _array(self, node, clauses, values)
    if name == "json_object":
        return _object(self, node, clauses, values)
    read = _input(self, values[0], node.expressions[0], clauses.formats[0])
    source = f"hw_{name}({read}, {_path(self, node)}, {_passed(self, node, values)}, "
    if name == "json_exists":
        return _exists(clauses, f"{source}'')")
    if name == "json_value":
        return _value(self, node, clauses, source)
    return _query(self, node, clauses, source)


def _input(self: Expressions, value: Expr, node: exp.Expression, form: Format) -> str:
    """The text of a JSON input; bytes are decoded."""
    if value.type.name == "varbinary":
        return f"hw_json_text({value}, '{form.encoding}')"
    if value.type.name == "unknown":
        return "CAST(NULL AS VARCHAR)"
    if not t.is_text(value.type):
        # Trino's JSON type is no input of these functions: JSON there is text.
        raise Unsupported(f"SQL/JSON functions on a value of type {value.type}")
    if form.named:
        message = f"Cannot read input of type {value.type} as JSON using formatting JSON ENCODING {form.encoding}"
        raise SqlError("TYPE_MISMATCH", message, self.context.position(node))
    return value.sql


def _path(self: Expressions, node: exp.Expression) -> str:
    path = node.expressions[1]
    position = self.context.position(path)
    if not isinstance(path, exp.Literal) or not path.is_string:
        raise SqlError("SYNTAX_ERROR", "the JSON path has to be a string literal", position)
    try:
        wanted = set(parsed(path.name).variables())
    except RoutineFailed as error:
        code, _, message = str(error).partition(": ")
        raise SqlError(code, message, None if code == "NOT_SUPPORTED" else position) from error
    names = node.args["clauses"].names
    for name in sorted(wanted.difference(names)):
        hint = f'. Try quoting "{name}" in the PASSING clause to match case' if name.upper() in names else ""
        raise SqlError("INVALID_PATH", f"no value passed for parameter {name}{hint}", position)
    return quote_text(path.name)


def _passed(self: Expressions, node: exp.Expression, values: list[Expr]) -> str:
    """PASSING as one JSON object by name."""
    clauses: Clauses = node.args["clauses"]
    if not clauses.names:
        return "'{}'"
    parts = []
    for place, name in enumerate(clauses.names, 2):
        value, form = values[place], clauses.formats[place]
        if form.json:
            text = f"CAST(to_json({_input(self, value, node.expressions[place], form)}) AS VARCHAR)"
        else:
            text = _scalar(value)
        label = json.dumps(name) + (':{"j":' if form.json else ':{"v":')
        parts.append(f"{quote_text(label)} || coalesce({text}, 'null') || '}}'")
    return f"('{{' || {' || chr(44) || '.join(parts)} || '}}')"


def _scalar(value: Expr) -> str:
    if value.type.name == "unknown":
        return "CAST(NULL AS VARCHAR)"
    if value.type.name == "uuid" or value.type in (t.DAY_TO_SECOND, t.YEAR_TO_MONTH):
        return f"CAST(to_json({display_text(value.sql, value.type)}) AS VARCHAR)"
    if value.type.name not in (*t.INTEGERS, "double", "decimal", "boolean", "varchar"):
        raise Unsupported(f"PASSING a value of type {value.type}")
    return json_text(value.sql, value.type)


def _exists(clauses: Clauses, source: str) -> Expr:
    otherwise = {"TRUE": "true", "UNKNOWN": "NULL", "ERROR": fail(f"{source}.v", t.BOOLEAN)}
    failed = otherwise.get(clauses.on_error, "false")
    return Expr(f"CASE WHEN {source}.s = {_FAILED} THEN {failed} ELSE {source}.v = 'true' END", t.BOOLEAN)


def _value(self: Expressions, node: exp.Expression, clauses: Clauses, source: str) -> Expr:
    kind = type_of(clauses.returning) if clauses.returning is not None else t.VARCHAR
    if kind.items or kind.name in ("varbinary", "json", "uuid", "timestamptz"):
        raise Unsupported(f"JSON_VALUE RETURNING {kind}")
    found = f"{source}{quote_text(json.dumps({'type': kind.name}))})"
    position = self.context.position(node)
    converted = cast(Expr(f"{found}.v", t.VARCHAR), kind, safe=True, position=position).sql
    results = []
    for place, behaviour in (("on_empty", clauses.on_empty), ("on_error", clauses.on_error)):
        if behaviour == "DEFAULT":
            default = self.translate(node.args[place])
            if not can_coerce(default.type, kind):
                message = f"Return type of JSON_VALUE and the type of the default must be the same: {default.type}"
                raise SqlError("TYPE_MISMATCH", message, position)
            results.append(coerce(default, kind).sql)
        else:
            results.append(fail(f"{found}.v", kind) if behaviour == "ERROR" else null_of(kind).sql)
    empty, failed = results
    misfit = failed
    if clauses.on_error == "ERROR":
        message = (
            f"'JSON_VALUE_RESULT_ERROR: cannot extract SQL scalar from JSON: cannot cast to {kind}: ' || {found}.v"
        )
        misfit = fail(message, kind)
    sql = (
        f"CASE WHEN {found}.s = {_EMPTY} THEN {empty} WHEN {found}.s = {_FAILED} THEN {failed} "
        f"WHEN {found}.v IS NOT NULL AND ({converted}) IS NULL THEN {misfit} ELSE {converted} END"
    )
    return Expr(sql, kind)


def _query(self: Expressions, node: exp.Expression, clauses: Clauses, source: str) -> Expr:
    if clauses.quotes == "OMIT" and clauses.wrapper:
        message = "OMIT QUOTES behavior specified with WITH ARRAY WRAPPER behavior"
        raise SqlError("INVALID_FUNCTION_ARGUMENT", message, self.context.position(node))
    found = f"{source}{quote_text(json.dumps({'wrapper': clauses.wrapper, 'quotes': clauses.quotes}))})"
    results = []
    for behaviour in (clauses.on_empty, clauses.on_error):
        constants = {"EMPTY ARRAY": "'[]'", "EMPTY OBJECT": "'{}'", "ERROR": fail(f"{found}.v", t.VARCHAR)}
        results.append(constants.get(behaviour, "NULL"))
    sql = f"CASE {found}.s WHEN {_EMPTY} THEN {results[0]} WHEN {_FAILED} THEN {results[1]} ELSE {found}.v END"
    return _returned(self, node, clauses, sql)


def _returned(self: Expressions, node: exp.Expression, clauses: Clauses, sql: str) -> Expr:
    """JSON text in the type of RETURNING."""
    kind = type_of(clauses.returning) if clauses.returning is not None else t.VARCHAR
    if kind.name == "varbinary":
        return Expr(f"hw_json_bytes({sql}, '{clauses.encoding}')", t.VARBINARY)
    if not t.is_text(kind):
        message = f"Cannot output JSON value as {kind} using formatting JSON"
        raise SqlError("TYPE_MISMATCH", message, self.context.before(node.expressions[0], rf"\b{node.this}\b"))
    return cast(Expr(f"({sql})", t.VARCHAR), kind, safe=False, position=self.context.position(node))


def _member(self: Expressions, value: Expr, node: exp.Expression, form: Format) -> str:
    """An element or a value as JSON text; NULL stays NULL."""
    if form.json:
        return f"hw_json_plain({_input(self, value, node, form)})"
    if isinstance(node, JsonCall) and node.this in _JSON_RESULTS and value.type.name == "varchar":
        return value.sql
    if value.type.name == "unknown":
        return "CAST(NULL AS VARCHAR)"
    if value.type.items or value.type.name in ("varbinary", "json"):
        raise Unsupported(f"a JSON value made of {value.type}")
    if value.type.name in (*t.INTEGERS, *t.APPROXIMATE, "decimal", "boolean", "varchar"):
        return json_text(value.sql, value.type)
    return f"CAST(to_json({display_text(value.sql, value.type)}) AS VARCHAR)"


def _array(self: Expressions, node: exp.Expression, clauses: Clauses, values: list[Expr]) -> Expr:
    parts = [_member(self, v, e, f) for v, e, f in zip(values, node.expressions, clauses.formats, strict=True)]
    if clauses.on_null == "NULL":
        parts = [f"coalesce({part}, 'null')" for part in parts]
    listed = f"CAST([{', '.join(parts)}] AS VARCHAR[])"
    sql = f"'[' || array_to_string(list_filter({listed}, lambda e: e IS NOT NULL), ',') || ']'"
    return _returned(self, node, clauses, f"({sql})")


def _object(self: Expressions, node: exp.Expression, clauses: Clauses, values: list[Expr]) -> Expr:
    keys = values[::2]
    if clauses.unique and any(form.json for form in clauses.formats):
        message = "WITH UNIQUE KEYS behavior is not supported for JSON_OBJECT function when input expression has FORMAT"
        raise SqlError("NOT_SUPPORTED", message, self.context.position(node))
    for key in keys:
        if not t.is_text(key.type) and key.type.name != "unknown":
            message = f"Invalid type of JSON object key: {key.type}"
            raise SqlError("INVALID_FUNCTION_ARGUMENT", message, self.context.position(node))
    places = range(1, len(values), 2)
    parts = [_member(self, values[i], node.expressions[i], clauses.formats[i]) for i in places]
    options = quote_text(json.dumps({"on_null": clauses.on_null or "NULL", "unique": clauses.unique}))
    listed = (f"CAST([{', '.join(items)}] AS VARCHAR[])" for items in ([key.sql for key in keys], parts))
    return _returned(self, node, clauses, f"hw_json_object({', '.join(listed)}, {options})")

"""Hive types: normal forms, round trips and what is no type."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.stack.lakehouse.hive.types import (
    PRIMITIVES,
    Array,
    Decimal,
    Field,
    HiveType,
    Map,
    Primitive,
    Struct,
    Text,
    TypeSyntaxError,
    parse_type,
)

primitives: st.SearchStrategy[HiveType] = (
    st.sampled_from(sorted(PRIMITIVES)).map(Primitive)
    | st.integers(1, 38).flatmap(lambda precision: st.integers(0, precision).map(lambda s: Decimal(precision, s)))
    | st.integers(1, 65535).map(lambda length: Text("varchar", length))
    | st.integers(1, 255).map(lambda length: Text("char", length))
)
names = st.from_regex(r"[a-z_$é][a-z0-9_ $.\-]{0,5}[a-z0-9_]", fullmatch=True)


def nested(inner: st.SearchStrategy[HiveType]) -> st.SearchStrategy[HiveType]:
    fields = st.lists(st.builds(Field, names, inner), min_size=1, max_size=3).map(tuple)
    return st.builds(Array, inner) | st.builds(Map, primitives, inner) | st.builds(Struct, fields)


@settings(deadline=None)
@given(st.recursive(primitives, nested, max_leaves=8), st.sampled_from(["", " ", "\n\t"]))
def test_types_read_back_whatever_the_spacing(kind: HiveType, space: str) -> None:
    spaced = str(kind)
    for symbol in "<>,()":
        spaced = spaced.replace(symbol, f"{space}{symbol}{space}")
    assert parse_type(spaced) == kind


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("INTEGER", "int"),
        ("Double Precision", "double"),
        ("decimal", "decimal(10,0)"),
        ("DECIMAL(5)", "decimal(5,0)"),
        ("numeric( 10 , 2 )", "decimal(10,2)"),
        ("struct<`A b`:int COMMENT 'it\\'s', B:string>", "struct<a b:int,b:string>"),
        ("MAP<STRING, ARRAY<STRUCT<x:DECIMAL(10, 2)>>>", "map<string,array<struct<x:decimal(10,2)>>>"),
    ],
)
def test_types_have_one_normal_form(text: str, normal: str) -> None:
    assert str(parse_type(text)) == normal


@pytest.mark.parametrize(
    "text",
    [
        *("", "nit", "int int", "array", "array<>", "array<int", "map<int>", "struct<>", "struct<a>", "struct<a:int,>"),
        *(
            "decimal(39)",
            "decimal(5,6)",
            "decimal(0)",
            "decimal(1,2,3)",
            "varchar",
            "varchar(0)",
            "char(256)",
            "int(3)",
        ),
    ],
)
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(TypeSyntaxError):
        parse_type(text)

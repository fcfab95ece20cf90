"""What STORED AS names: the SerDe and the input and output formats that Hive, and so the catalog, know it by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from headwater.stack.lakehouse.hive.ast import Format

LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
_TEXT_INPUT = "org.apache.hadoop.mapred.TextInputFormat"
_TEXT_OUTPUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

OPENX_JSON = "org.openx.data.jsonserde.JsonSerDe"
TEXT = Format(LAZY_SIMPLE, _TEXT_INPUT, _TEXT_OUTPUT)
# What Athena records for this SerDe when the statement says nothing about formats.
OPENX_TEXT = Format(OPENX_JSON, _TEXT_INPUT, "org.apache.hadoop.hive.ql.io.IgnoreKeyTextOutputFormat")
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "textfile": TEXT,
        "parquet": Format(
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        ),
        "parquetfile": Format(
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        ),
        "orc": Format(
            "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
            "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
            "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        ),
        "avro": Format(
            "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
            "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
            "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
        ),
        "sequencefile": Format(
            LAZY_SIMPLE,
            "org.apache.hadoop.mapred.SequenceFileInputFormat",
            "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
        ),
        "rcfile": Format(
            "org.apache.hadoop.hive.serde2.columnar.LazyBinaryColumnarSerDe",
            "org.apache.hadoop.hive.ql.io.RCFileInputFormat",
            "org.apache.hadoop.hive.ql.io.RCFileOutputFormat",
        ),
    }
)

# Each clause of ROW FORMAT DELIMITED, and the SerDe property that keeps it.
DELIMITERS: Mapping[str, str] = MappingProxyType(
    {
        "FIELDS TERMINATED BY": "field.delim",
        "ESCAPED BY": "escape.delim",
        "COLLECTION ITEMS TERMINATED BY": "collection.delim",
        "MAP KEYS TERMINATED BY": "mapkey.delim",
        "LINES TERMINATED BY": "line.delim",
        "NULL DEFINED AS": "serialization.null.format",
    }
)

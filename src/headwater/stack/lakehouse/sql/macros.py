"""The SQL macros that every DuckDB connection carries: the building blocks of rules too long to repeat inline."""

from __future__ import annotations

import re

_SCIENTIFIC = """
CASE WHEN contains(s, 'e') THEN
       CASE WHEN contains(s, '.') THEN split_part(s, 'e', 1) ELSE split_part(s, 'e', 1) || '.0' END
       || 'E' || CAST(split_part(s, 'e', 2) AS INTEGER)
     WHEN starts_with(s, '0.') THEN
       hw_mantissa(ltrim(split_part(s, '.', 2), '0'))
       || 'E-' || (length(split_part(s, '.', 2)) - length(ltrim(split_part(s, '.', 2), '0')) + 1)
     ELSE hw_mantissa(rtrim(replace(s, '.', ''), '0')) || 'E' || (length(split_part(s, '.', 1)) - 1)
END"""

MACROS: tuple[str, ...] = (
    # Java's Double.toString, which Trino uses: scientific from 1E7 upwards and below 1E-3, always with a fraction.
    "CREATE MACRO hw_mantissa(d) AS d[1] || '.' || CASE WHEN length(d) > 1 THEN d[2:] ELSE '0' END",
    f"CREATE MACRO hw_scientific(s) AS {_SCIENTIFIC}",
    """CREATE MACRO hw_java(x, s) AS CASE
         WHEN isnan(x) THEN 'NaN'
         WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END
         WHEN x = 0 OR (abs(x) >= 1e-3 AND abs(x) < 1e7) THEN s
         WHEN x < 0 THEN '-' || hw_scientific(s[2:]) ELSE hw_scientific(s) END""",
    # Java writes at least two digits, of which the second is not always 0 in the smallest numbers that there are.
    """CREATE MACRO hw_tiny_text(x, tiny) AS hw_java(x, CASE WHEN abs(x) <= tiny AND x <> 0
         THEN printf('%.1e', CAST(x AS DOUBLE)) ELSE CAST(x AS VARCHAR) END)""",
    "CREATE MACRO hw_double_text(x) AS hw_tiny_text(x, CAST('1e-322' AS DOUBLE))",
    # DuckDB writes large reals out, in digits that they do not have, and keeps nine digits where eight are as near.
    """CREATE MACRO hw_real_text(x) AS CASE
         WHEN isfinite(x) AND (abs(x) >= 1e7
              OR (abs(x) >= 1e-3 AND length(ltrim(CAST(abs(x) AS VARCHAR), '0')) > 9)) THEN hw_short_real(x)
         ELSE hw_tiny_text(x, CAST(1e-43 AS REAL)) END""",
    # Athena shows varbinary as hex pairs with spaces between them.
    "CREATE MACRO hw_hex_pairs(b) AS rtrim(regexp_replace(lower(hex(b)), '(..)', '\\1 ', 'g'))",
    # Interval values travel as milliseconds and as months.
    """CREATE MACRO hw_day_interval_text(ms) AS CASE WHEN ms < 0 THEN '-' ELSE '' END
         || (abs(ms) // 86400000) || ' ' || lpad(CAST((abs(ms) // 3600000) % 24 AS VARCHAR), 2, '0')
         || ':' || lpad(CAST((abs(ms) // 60000) % 60 AS VARCHAR), 2, '0')
         || ':' || lpad(CAST((abs(ms) // 1000) % 60 AS VARCHAR), 2, '0')
         || '.' || lpad(CAST(abs(ms) % 1000 AS VARCHAR), 3, '0')""",
    """CREATE MACRO hw_month_interval_text(m) AS CASE WHEN m < 0 THEN '-' ELSE '' END
         || (abs(m) // 12) || '-' || (abs(m) % 12)""",
    # Rounds half up to a multiple of n microseconds, on the calendar before 1970 too (division cuts towards 0, hence
    # the long way from it); in whole numbers, because a double does not hold the microseconds of every year.
    """CREATE MACRO hw_round_timestamp(x, n) AS
         make_timestamp((epoch_us(x) + 4000000000000000000 + n // 2) // n * n - 4000000000000000000)""",
    # Wall clocks of a zone. ICU takes the later instant of a wall clock that is shown twice; Java the earlier one,
    # whose offset was in force some hours before.
    "CREATE MACRO hw_clock(i, z) AS timezone(z, timezone('UTC', i))",
    "CREATE MACRO hw_instant_if(l, i, z, t) AS CASE WHEN hw_clock(i, z) = l THEN i ELSE t END",
    """CREATE MACRO hw_instant_as(l, n, z, t) AS hw_instant_if(l, l - (hw_clock(n, z) - n), z, t)""",
    """CREATE MACRO hw_instant_first(l, z, t) AS CASE
         WHEN hw_clock(t - to_hours(3), z) - (t - to_hours(3)) > l - t THEN hw_instant_as(l, t - to_hours(3), z, t)
         ELSE t END""",
    "CREATE MACRO hw_instant(l, z) AS hw_instant_first(l, z, timezone('UTC', timezone(z, l)))",
    "CREATE MACRO hw_instant_near(l, n, z) AS hw_instant_as(l, n, z, hw_instant(l, z))",
    # The same in a zone that depends on the data: UTC, an offset or a name.
    """CREATE MACRO hw_ahead(z) AS
         to_minutes(CAST(z[1:3] AS INTEGER) * 60 + CAST(z[1] || z[5:6] AS INTEGER))""",
    """CREATE MACRO hw_zone_clock(i, z) AS CASE WHEN z = 'UTC' THEN i
         WHEN z[1] IN ('+', '-') THEN i + hw_ahead(z) ELSE hw_clock(i, z) END""",
    """CREATE MACRO hw_zone_instant(l, z) AS CASE WHEN z = 'UTC' THEN l
         WHEN z[1] IN ('+', '-') THEN l - hw_ahead(z) ELSE hw_instant(l, z) END""",
    """CREATE MACRO hw_zone_near(l, n, z) AS CASE WHEN z = 'UTC' THEN l
         WHEN z[1] IN ('+', '-') THEN l - hw_ahead(z) ELSE hw_instant_near(l, n, z) END""",
    # Timestamps with nanoseconds: the microsecond that they are in, and their number of nanoseconds, rounded half up.
    """CREATE MACRO hw_micros(x) AS
         make_timestamp((epoch_ns(x) - (epoch_ns(x) % 1000 + 1000) % 1000) // 1000)""",
    """CREATE MACRO hw_round_nanos(x, n) AS
         epoch_ns(x) + n // 2 - ((epoch_ns(x) + n // 2) % n + n) % n""",
    # Before the year 1 DuckDB counts years before Christ; ISO 8601 has a year 0.
    """CREATE MACRO hw_date_text(x) AS CASE WHEN x >= DATE '0001-01-01' THEN CAST(x AS VARCHAR)
         WHEN x >= DATE '0001-01-01 (BC)' THEN strftime(x, '%Y-%m-%d')
         ELSE format('{:05d}', year(x)) || strftime(x, '-%m-%d') END""",
    # Years in a timestamp's text have four digits, or a sign and more (the pattern uuuu of java.time).
    """CREATE MACRO hw_year_text(x, s) AS
         CASE WHEN x >= TIMESTAMP '0001-01-01 (BC)' AND x < TIMESTAMP '10000-01-01' THEN s
              WHEN x > TIMESTAMP '0001-01-01' THEN '+' || s
              ELSE format('{:05d}', year(x)) || substr(s, length(CAST(year(x) AS VARCHAR)) + 1) END""",
    # The same for milliseconds; from 1970 on a cast does it, at a tenth of the cost.
    """CREATE MACRO hw_milliseconds(x) AS CASE WHEN x >= TIMESTAMP '1970-01-01' THEN
         CAST(CAST(x AS TIMESTAMP_MS) AS TIMESTAMP) WHEN x IS NOT NULL THEN hw_round_timestamp(x, 1000) END""",
    # Dates and timestamps in text files: java.time reads them leniently, so that days and months roll over.
    """CREATE MACRO hw_lenient_date(y, m, d) AS
         CAST(make_date(CAST(y AS INTEGER), 1, 1) + to_months(CAST(m AS INTEGER) - 1) + to_days(CAST(d AS INTEGER) - 1)
         AS DATE)""",
    r"""CREATE MACRO hw_hive_date(s) AS
         CASE WHEN regexp_full_match(s, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST(s AS DATE) IS NOT NULL
              THEN TRY_CAST(s AS DATE)
              WHEN regexp_full_match(s, '[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}( .*)?') THEN hw_lenient_date(
                split_part(s, '-', 1), split_part(s, '-', 2), split_part(split_part(s, '-', 3), ' ', 1)) END""",
    r"""CREATE MACRO hw_hive_timestamp(s) AS
         CASE WHEN regexp_full_match(s,
                '[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]{1,9})?')
              THEN hw_round_timestamp(coalesce(TRY_CAST(s AS TIMESTAMP), hw_hive_date(s)
                + to_hours(CAST(split_part(split_part(s, ' ', 2), ':', 1) AS INTEGER))
                + to_minutes(CAST(split_part(s, ':', 2) AS INTEGER))
                + to_microseconds(CAST(CAST(split_part(s, ':', 3) AS DECIMAL(18, 9)) * 1000000 AS BIGINT))), 1000)
              END""",
    # The exact quotient of two integers, rounded half away from zero, as decimal division needs it.
    """CREATE MACRO hw_round_quotient(n, d) AS
         (sign(n) * sign(d))::HUGEINT * ((2 * abs(n) + abs(d)) // (2 * abs(d)))""",
    # Half away from zero, to a multiple of a power of ten.
    """CREATE MACRO hw_round_integer(v, unit) AS
         sign(v)::HUGEINT * ((abs(v::HUGEINT) + unit // 2) // unit) * unit""",
    # Trino multiplies, rounds and divides; what is too large for that has no such digits to round.
    """CREATE MACRO hw_round_double(x, digits) AS CASE
         WHEN NOT isfinite(x) OR NOT isfinite(CAST(x AS DOUBLE) * pow(10, digits)) THEN x
         WHEN x < 0 THEN -(round(-CAST(x AS DOUBLE) * pow(10, digits)) / pow(10, digits))
         ELSE round(abs(CAST(x AS DOUBLE)) * pow(10, digits)) / pow(10, digits) END""",
)

CALL = re.compile(rf"\b(?:{'|'.join(macro.split('(')[0].removeprefix('CREATE MACRO ') for macro in MACROS)})\(")
"""A call of one of them: DuckDB writes an argument out wherever the macro names it: dozens of times."""

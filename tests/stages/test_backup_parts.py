"""A backup of a part says what it lacks when it is made, and a restore leaves out what leads to what is not there."""

from __future__ import annotations

import pytest

from headwater import Headwater
from headwater.errors import BackupError
from headwater.services import postgres, scripts
from headwater.stages.backup import CreateOptions, Selection, VerifyOptions
from headwater.stages.restore import RestoreOptions

SHOP = """
    CREATE SCHEMA types; CREATE TYPE types.mood AS ENUM ('low', 'high');
    CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1);
    CREATE TABLE "it's ""odd"" REFERENCES x" (id int PRIMARY KEY, "REFERENCES a.b(" int CONSTRAINT "k REFERENCES a.b("
        REFERENCES people ON DELETE SET NULL ("REFERENCES a.b("), parent int REFERENCES "it's ""odd"" REFERENCES x");
    COMMENT ON CONSTRAINT "k REFERENCES a.b(" ON "it's ""odd"" REFERENCES x" IS 'goes with it';
    INSERT INTO "it's ""odd"" REFERENCES x" VALUES (1, 1, 1);
    CREATE TABLE feelings (id int PRIMARY KEY, mood types.mood, person int REFERENCES people);
    INSERT INTO feelings VALUES (1, 'low', 1);
    CREATE TABLE days (day date PRIMARY KEY) PARTITION BY RANGE (day);
    CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
    INSERT INTO days VALUES ('2025-01-15');
"""
KEYS = "SELECT contype::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'p')"
ODD = """"it's ""odd"" REFERENCES x\""""


@pytest.fixture
def shop(hw: Headwater) -> Headwater:
    hw.bucket()
    postgres.create_database(hw.connections.postgres("postgres"), hw.settings.db_name)
    with postgres.connect(hw.connections.postgres()) as connection:
        connection.execute(SHOP)
    return hw


def part(hw: Headwater, **chosen: tuple[str, ...]) -> CreateOptions:
    return CreateOptions(selection=Selection(**chosen), prune=False)


def test_what_leads_to_tables_that_a_part_lacks_is_told_and_left_out(shop: Headwater) -> None:
    made = shop.backup_create(options=part(shop, tables=(ODD, "days_1"))).backup

    assert [text.partition(",")[0] for text in made.warnings] == ["what leads to tables that this backup lacks"]
    assert {name.partition(" public")[0] for name in made.lacks} == {"FK CONSTRAINT", "TABLE ATTACH", "INDEX ATTACH"}
    assert shop.backup_list().backups[0].manifest == made
    plan = shop.restore_plan(RestoreOptions(made.id))
    assert "k REFERENCES a.b( (leads to TABLE public people" in " ".join(plan.steps)
    assert plan.lacks == ()
    assert shop.backup_verify(VerifyOptions("restore", made.id)).passed

    report = shop.restore(plan=plan)
    assert report.rows == {f"public.{ODD}": 1, "public.days_1": 1}
    gone = {text.partition(" (")[0].partition(" public ")[0] for text in report.left_out}
    assert gone == {"FK CONSTRAINT", "TABLE ATTACH", "INDEX ATTACH"}
    with postgres.connect(shop.connections.postgres(report.database)) as connection:
        found = connection.execute(KEYS)
        assert sorted(row[0] for row in found) == ["f", "p", "p"]  # the table's key to itself stays
        connection.execute(f"DROP TABLE {ODD}, days_1; CREATE TABLE people AS SELECT 1 AS id".encode())
        connection.execute("ALTER TABLE people ADD PRIMARY KEY (id)")
        connection.execute("CREATE TABLE days (day date PRIMARY KEY) PARTITION BY RANGE (day)")
    whole = shop.restore(RestoreOptions(made.id, into=report.database, clean=True))
    # The key can be made now. A partition would get its parent's indexes before its own: that is left to a person.
    assert [text.partition(" public ")[0] for text in whole.left_out] == ["TABLE ATTACH", "INDEX ATTACH"]


def test_what_a_part_cannot_do_without_is_told_before_anybody_needs_it(shop: Headwater) -> None:
    made = shop.backup_create(options=part(shop, tables=("feelings",))).backup

    assert made.lacks["TABLE public feelings"] == ("TYPE types mood",)
    assert "lacks what it needs: TABLE public feelings needs TYPE types mood" in made.warnings[0]
    assert shop.restore_plan(RestoreOptions(made.id)).lacks == ("TABLE public feelings needs TYPE types mood",)
    with pytest.raises(BackupError, match="does not exist") as caught:
        shop.restore(RestoreOptions(made.id))
    assert "TABLE public feelings needs TYPE types mood; --into a database that has it" in caught.value.hint
    (result,) = shop.backup_verify(VerifyOptions("restore", made.id)).results
    assert (result.level, result.passed) == ("full", True)
    assert "not restored, because it lacks" in result.detail


def test_a_key_to_rows_that_were_not_dumped_is_left_out(shop: Headwater) -> None:
    made = shop.backup_create(options=part(shop, exclude_table_data=("people",), exclude_tables=("feelinks",))).backup
    assert made.warnings == ("--exclude-table feelinks: nothing is called so",)

    report = shop.restore(RestoreOptions(made.id))

    assert [text.partition(" (")[2] for text in report.left_out] == ["the backup has no rows of public.people)"] * 2
    none = shop.backup_create(options=part(shop, exclude_table_data=("*",))).backup
    assert shop.restore(RestoreOptions(none.id, to=f"{made.database}_none")).left_out == ()


def test_a_misspelt_table_fails_the_backup(shop: Headwater) -> None:
    with pytest.raises(BackupError, match='no matching tables were found for pattern "feelinks"'):
        shop.backup_create(options=part(shop, tables=("feelings", "feelinks")))


def test_statements_end_at_semicolons_outside_of_quotes() -> None:
    script = "--\n\\restrict x\nSET a = b;\nCREATE ROLE \"o'd;\"\"d\";\nCOMMENT ON ROLE a IS 'it''s;\nfine';\n"

    assert list(scripts.statements(script)) == [
        'CREATE ROLE "o\'d;""d";',
        "COMMENT ON ROLE a IS 'it''s;\nfine';",
    ]

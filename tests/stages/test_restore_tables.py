"""Single tables come back with all that is their own, alone or among others; what leads elsewhere is reported."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest

from headwater import Headwater
from headwater.errors import BackupError
from headwater.services import postgres
from headwater.stages.backup import CreateOptions
from headwater.stages.restore import RestoreOptions

CATALOG = """
    SELECT 'index', indexdef FROM pg_indexes WHERE tablename = ANY(%(tables)s)
    UNION ALL SELECT 'constraint', conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid::regclass::text = ANY(%(tables)s) AND contype <> 'n'
    UNION ALL SELECT 'column', format('%%s %%s %%s %%s %%s', attrelid::regclass, attname, attidentity, attgenerated,
        pg_get_expr(adbin, adrelid)) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid::regclass::text = ANY(%(tables)s) AND attnum > 0
    UNION ALL SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid::regclass::text = ANY(%(tables)s) AND NOT tgisinternal
    UNION ALL SELECT 'policy', tablename || ' ' || policyname FROM pg_policies WHERE tablename = ANY(%(tables)s)
    UNION ALL SELECT 'comment', objoid::regclass || ' ' || description FROM pg_description
        WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text = ANY(%(tables)s)
    UNION ALL SELECT 'partition', inhparent::regclass || ' ' || inhrelid::regclass FROM pg_inherits
        WHERE inhparent::regclass::text = ANY(%(tables)s)
    UNION ALL SELECT 'sequence', sequencename || ' ' || last_value FROM pg_sequences
    UNION ALL SELECT 'statistics', pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
    UNION ALL SELECT 'rights', relname || ' ' || relacl::text FROM pg_class
        WHERE relacl IS NOT NULL AND relname = ANY(%(tables)s)
    ORDER BY 1, 2
"""
RICH = """
    CREATE SCHEMA types; CREATE TYPE types.mood AS ENUM ('low', 'high');
    CREATE EXTENSION vector;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
    CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, mood types.mood);
    CREATE TABLE items (id serial PRIMARY KEY, person int REFERENCES people, parent int REFERENCES items,
        amount numeric CHECK (amount > 0), twice numeric GENERATED ALWAYS AS (amount * 2) STORED,
        mood types.mood DEFAULT 'low', place vector(2));
    CREATE INDEX items_amount ON items (amount DESC) WHERE amount > 1;
    CREATE TRIGGER touched BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE STATISTICS items_related ON amount, person FROM items;
    COMMENT ON TABLE items IS 'what is sold'; COMMENT ON INDEX items_amount IS 'for the report';
    ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY everybody ON items USING (true);
    GRANT SELECT ON items TO pg_monitor;
    CREATE TABLE notes (id int PRIMARY KEY, item int REFERENCES items);
    CREATE VIEW cheap AS SELECT * FROM items WHERE amount < 5;
    CREATE TABLE days (day date PRIMARY KEY, city text) PARTITION BY RANGE (day);
    CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
    CREATE TABLE days_2 PARTITION OF days DEFAULT; CREATE INDEX days_city ON days (city);
    CREATE SCHEMA "Odd one"; CREATE TABLE "Odd one"."a b" (x int PRIMARY KEY); INSERT INTO "Odd one"."a b" VALUES (1);
    CREATE TABLE "Odd one"."a" ("b" int); CREATE TABLE "Odd one"."new\n""line" (x int PRIMARY KEY);
    INSERT INTO people (name, mood) VALUES ('x', 'low'), ('y', 'high');
    INSERT INTO items (person, amount) SELECT 1 + i % 2, i FROM generate_series(1, 20) AS i;
    INSERT INTO days SELECT date '2025-01-20' + i, 'c' FROM generate_series(1, 30) AS i;
"""


@pytest.fixture
def rich(hw: Headwater) -> Iterator[Headwater]:
    """A database whose tables have all that a table can have."""
    hw.bucket()
    hw = Headwater(settings=replace(hw.settings, db_name=f"rich_{uuid.uuid4().hex[:8]}"))
    postgres.create_database(hw.connections.postgres("postgres"), hw.settings.db_name)
    with postgres.connect(hw.connections.postgres()) as connection:
        connection.execute(RICH)
    yield hw
    for name in (hw.settings.db_name, f"{hw.settings.db_name}_restored"):
        postgres.drop_database(hw.connections.postgres("postgres"), name)


def catalog(hw: Headwater, database: str, tables: list[str]) -> list[tuple[object, ...]]:
    with postgres.connect(hw.connections.postgres(database)) as connection:
        return connection.execute(CATALOG, {"tables": tables}).fetchall()


def test_a_table_comes_back_with_all_that_is_its_own(rich: Headwater) -> None:
    made = rich.backup_create(options=CreateOptions(hashes=True)).backup
    source = made.database

    report = rich.restore(RestoreOptions(tables=("items", "days")))

    assert dict(report.rows) == {"public.items": 20, "public.days_1": 11, "public.days_2": 19}
    assert report.hashes_compared
    assert report.left_out == ("FK CONSTRAINT public items items_person_fkey",)
    mine = ["items", "days", "days_1", "days_2"]
    here = [row for row in catalog(rich, source, mine) if "REFERENCES people" not in str(row[1])]
    assert [row for row in here if "people" not in str(row[1])] == catalog(rich, report.database, mine)
    kinds = {str(row[0]) for row in here}
    assert kinds >= {"index", "constraint", "trigger", "policy", "comment", "partition", "statistics", "rights"}
    with postgres.connect(rich.connections.postgres(report.database)) as connection:
        connection.execute("INSERT INTO items (amount) VALUES (21)")  # the sequence goes on where it was
        row = connection.execute("SELECT max(id), max(twice) FROM items").fetchone()
    assert row == (21, 42)


def test_both_ends_of_a_foreign_key_bring_it_along(rich: Headwater) -> None:
    rich.backup_create()

    report = rich.restore(RestoreOptions(tables=("people", "items", '"Odd one"."a b"', '"Odd one"."new\n""line"')))

    assert report.left_out == ()
    assert set(report.rows) == {"public.people", "public.items", '"Odd one"."a b"', '"Odd one"."new\n""line"'}
    mine = ["people", "items"]
    assert catalog(rich, rich.settings.db_name, mine) == catalog(rich, report.database, mine)


def test_a_table_is_put_back_among_the_others(rich: Headwater) -> None:
    """Its type, its function, its schema and whatever else is there are left alone."""
    rich.backup_create()
    name = rich.settings.db_name
    mine = ["items", "days", "days_1", "days_2", "people"]
    before = catalog(rich, name, mine)
    with postgres.connect(rich.connections.postgres()) as connection:
        connection.execute("DROP VIEW cheap; ALTER TABLE notes DROP CONSTRAINT notes_item_fkey")
        connection.execute("UPDATE items SET amount = 1; DELETE FROM days_1; INSERT INTO people (name) VALUES ('new')")

    report = rich.restore(RestoreOptions(into=name, clean=True, tables=("items", "days"), owner=False))

    assert dict(report.rows) == {"public.items": 20, "public.days_1": 11, "public.days_2": 19}
    assert report.left_out == ("FK CONSTRAINT public items items_person_fkey",)
    gone = [row for row in before if row not in catalog(rich, name, mine)]
    assert {str(row[0]) for row in gone} == {"constraint", "rights", "sequence"}  # the foreign key, GRANT, a new person
    with postgres.connect(rich.connections.postgres()) as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (3,)
        assert connection.execute("SELECT count(*) FROM days").fetchone() == (30,)


def test_a_table_that_others_need_is_not_replaced_by_halves(rich: Headwater) -> None:
    rich.backup_create()
    name = rich.settings.db_name

    with pytest.raises(BackupError, match="is as it was"):  # `cheap` and `notes` depend on it
        rich.restore(RestoreOptions(into=name, clean=True, tables=("days", "items")))

    with postgres.connect(rich.connections.postgres()) as connection:
        assert connection.execute("SELECT count(*) FROM cheap").fetchone() == (4,)


def test_a_partition_is_not_replaced_without_its_parent(rich: Headwater) -> None:
    rich.backup_create()

    with pytest.raises(BackupError, match="public days_1 is a partition"):
        rich.restore(RestoreOptions(into=rich.settings.db_name, clean=True, tables=("days_1",)))
    assert dict(rich.restore(RestoreOptions(tables=("days_1",))).rows) == {"public.days_1": 11}


def test_a_database_with_partitions_is_replaced_as_a_whole(rich: Headwater) -> None:
    """pg_restore --clean alone stumbles over the partitions' inherited primary keys."""
    rich.backup_create(options=CreateOptions(hashes=True))
    name, mine = rich.settings.db_name, ["items", "days", "days_1", "days_2", "people", "notes"]
    before = catalog(rich, name, mine)
    with postgres.connect(rich.connections.postgres()) as connection:
        connection.execute("DELETE FROM days; INSERT INTO people (name) VALUES ('new'); DROP INDEX items_amount")

    assert rich.restore(RestoreOptions(into=name, clean=True)).hashes_compared
    assert catalog(rich, name, mine) == before

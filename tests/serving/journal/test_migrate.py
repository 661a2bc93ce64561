"""Tables are made, upgraded with a copy kept, and refused if they are of a newer Fleetcast."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text
from waiting import BOUND_S

from configs import DatabaseError
from serving.journal import open_journal
from serving.journal.database import connect_journal
from serving.journal.migrate import _EARLIER, VERSION_TABLE, upgrade, version_of
from serving.journal.schema import HEAD, leases, metadata

MIGRATIONS = Path(__file__).parents[3] / "serving" / "journal" / "migrations"
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


def at_version(url: str, version: str) -> None:
    """Make a journal as an earlier Fleetcast has left it, with one row."""
    with connect_journal(url) as journal, journal.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        config.attributes.update(connection=connection, version_table=VERSION_TABLE)
        command.upgrade(config, version)
        connection.execute(insert(leases), {"name": "kept", "holder": "a", "token": 3, "expires_at": MOMENT})


def test_the_migrations_make_the_tables_of_the_schema(journal):
    with journal.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        found = inspect(connection)
        for table in metadata.tables.values():
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]


def test_the_newest_migration_is_that_of_the_schema():
    scripts = ScriptDirectory(str(MIGRATIONS))
    order = [script.revision for script in scripts.walk_revisions()][::-1]
    assert scripts.get_current_head() == HEAD and tuple(order) == (*_EARLIER, HEAD)


def test_a_migration_can_be_taken_back(journal):
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with journal.begin() as connection:
        config.attributes.update(connection=connection, version_table=VERSION_TABLE)
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == [VERSION_TABLE]


def test_processes_that_open_an_empty_database_make_its_tables_once(empty_url):
    problems = []

    def opened():
        try:
            open_journal(empty_url).close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=opened) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)
    assert not problems
    with open_journal(empty_url) as journal, journal.connect() as connection:
        assert version_of(connection) == HEAD


def test_an_older_sqlite_file_is_upgraded_and_its_copy_kept(tmp_path):
    file = tmp_path / "journal.db"
    at_version(f"sqlite:///{file}", "0001")
    with open_journal(f"sqlite:///{file}") as journal, journal.connect() as connection:
        assert version_of(connection) == HEAD
        assert connection.execute(select(leases.c.token)).scalar_one() == 3
    copy = tmp_path / "journal.db.version-0001"
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT token FROM leases").fetchall() == [(3,)]
        assert not old.execute("SELECT name FROM sqlite_master WHERE name = 'orders'").fetchall()
    assert not list(tmp_path.glob("*.tmp"))


def test_an_older_postgres_database_is_upgraded_by_command_only(make_database):
    url = make_database(None)
    at_version(url, "0001")
    with pytest.raises(DatabaseError, match=r"0001.*journal upgrade"):
        open_journal(url)
    with connect_journal(url) as journal:
        done = upgrade(journal)
        assert (done.before, done.after, done.copy) == ("0001", HEAD, None)
        assert upgrade(journal).before == HEAD
    with open_journal(url) as journal, journal.connect() as connection:
        assert connection.execute(select(leases.c.token)).scalar_one() == 3


def test_tables_of_a_newer_fleetcast_are_refused(journal, journal_url):
    with journal.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"version 9999.*newer Fleetcast"):
        open_journal(journal_url)


def test_a_database_of_something_else_is_left_alone(empty_url):
    with connect_journal(empty_url) as journal, journal.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id integer)"))
    with pytest.raises(DatabaseError):
        open_journal(empty_url)
    with connect_journal(empty_url) as journal, journal.connect() as connection:
        assert inspect(connection).get_table_names() == ["orders"]


def test_a_journal_that_must_exist(empty_url):
    with pytest.raises(DatabaseError, match="no journal"):
        open_journal(empty_url, create=False)
    if empty_url.startswith("sqlite"):
        assert not Path(empty_url.removeprefix("sqlite:///")).exists()

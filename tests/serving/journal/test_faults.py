"""Each fault of a database is one clear error that names the database and the remedy, and never a password."""

import shutil
import socket
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from journal_databases import PASSWORD, USER
from sqlalchemy import event, insert, select, text

from configs import ConfigError, DatabaseError, DatabaseUnavailableError, JournalConfig, load_config
from serving.journal import open_journal
from serving.journal.database import connect_journal
from serving.journal.opening import checked_url
from serving.journal.schema import leases, steps

IMPATIENT = JournalConfig(busy_timeout_s=0.2)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ROW = {"name": "a", "holder": "b", "token": 1, "expires_at": NOW}


@pytest.fixture
def file(sqlite_template, tmp_path) -> Path:
    """A SQLite file with the tables."""
    return Path(shutil.copyfile(sqlite_template, tmp_path / "journal.db"))


def write(journal, row=ROW):
    with journal.begin() as connection:
        connection.execute(insert(leases), row)


def one_line(error, *words):
    text = str(error.value)
    assert "\n" not in text and len(text) < 400 and all(word in text for word in words), text


def test_a_lock_of_another_process_is_waited_for_and_then_an_error(file):
    with open_journal(f"sqlite:///{file}", config=IMPATIENT) as journal, closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailableError) as error:
            write(journal)
        one_line(error, str(file), "another process holds its lock")
        with journal.connect() as connection:  # readers do not wait
            assert connection.execute(select(leases)).all() == []
        other.rollback()
        write(journal)


def test_a_full_disk_is_an_error_and_leaves_what_was(file):
    big = {"bot": "b", "started_at": NOW, "finished_at": NOW, "symbols": 1, "notes": "x" * 100_000}
    with open_journal(f"sqlite:///{file}") as journal:
        write(journal)
        with pytest.raises(DatabaseUnavailableError) as error, journal.begin() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 80")  # the quota of a small disk
            connection.execute(
                insert(steps), [{**big, "instant": NOW.replace(year=year)} for year in range(2000, 2020)]
            )
        one_line(error, str(file), "full", "journal prune")
        with journal.connect() as connection:
            assert len(connection.execute(select(leases)).all()) == 1
            assert connection.execute(select(steps)).all() == []


def test_a_database_that_may_only_be_read(journal, journal_url):
    if journal.is_sqlite:
        event.listen(journal.engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA query_only = ON"))
    else:
        with journal.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            name = journal_url.rpartition("/")[2]
            connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
        journal.close()
    with pytest.raises(DatabaseError) as error:
        write(journal)
    one_line(error, "may not be written")
    with journal.connect() as connection:
        assert connection.execute(select(leases)).all() == []


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(DatabaseError) as error:
        open_journal(f"sqlite:///{tmp_path / 'nowhere' / 'journal.db'}")
    one_line(error, "nowhere", "folder exists")


@pytest.mark.parametrize("damage", ["text", "pages"])
def test_a_damaged_file(file, damage):
    content = bytearray(file.read_bytes())
    if damage == "text":
        content = bytearray(b"symbol,date,close\n" * 1000)
    else:
        content[4096 : 8 * 4096] = b"\xff" * (7 * 4096)
    file.write_bytes(content)
    with pytest.raises(DatabaseError) as error, open_journal(f"sqlite:///{file}") as journal:
        write(journal)
    one_line(error, str(file), "damaged", "copy")


@pytest.mark.parametrize(
    ("part", "other", "words"),
    [
        (quote(PASSWORD, safe=""), "wrong-secret", "password is wrong"),
        (USER, "stranger", "password is wrong"),
        ("127.0.0.1", "no-such-host.invalid", "host is not known"),
    ],
)
def test_a_server_that_refuses(make_database, part, other, words):
    url = make_database(None).replace(part, other, 1)
    with pytest.raises(DatabaseError) as error:
        open_journal(url, config=JournalConfig(busy_timeout_s=60.0))
    one_line(error, words)
    assert "secret" not in str(error.value) and "se:cret" not in str(error.value)


def test_a_database_or_server_that_is_not_there(postgres):
    with pytest.raises(DatabaseError, match="no such database"):
        open_journal(f"{postgres}nothing")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DatabaseUnavailableError, match=r"\*\*\*@127.*does not answer"):
        open_journal(f"postgresql://me:se:cret@127.0.0.1:{port}/x")


def test_a_connection_that_ends_is_an_error_and_the_next_transaction_works(make_database, postgres_template):
    with open_journal(make_database(postgres_template)) as journal:
        with pytest.raises(DatabaseUnavailableError, match="ended the connection"), journal.begin() as connection:
            own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with journal.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": own})
            connection.execute(insert(leases), ROW)
        write(journal)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("journal.db", "is not a URL"),
        ("mysql://me:secret@host/x", "is of mysql"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("http://me:secret@[host", "is of http"),
        ("postgresql://me:secret@host:port/x", "is not a URL"),
        ("mysql://host/x?password=secret", "is of mysql"),
    ],
)
def test_a_url_that_is_none(url, words):
    with pytest.raises(ConfigError) as error:
        open_journal(url)
    one_line(error, words, "expected")
    assert "secret" not in str(error.value)


def test_the_default_is_a_file_in_the_store_and_a_bucket_needs_a_url(tmp_path, monkeypatch):
    monkeypatch.delenv("FLEETCAST_DATABASE", raising=False)
    with open_journal(store=tmp_path / "store") as journal:
        assert journal.url == f"sqlite:///{tmp_path / 'store' / 'journal.db'}"
    with pytest.raises(ConfigError, match=r"not a local store.*--database"):
        open_journal(store="s3://bucket/store")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    monkeypatch.setenv("FLEETCAST_DATABASE", other)
    with open_journal(store=tmp_path / "store", config=JournalConfig(url="postgresql://me@host/x")) as journal:
        assert journal.url == other
    assert checked_url(other).get_secret_value() == other and str(checked_url(other)) == "**********"


def test_a_password_in_the_query_is_not_shown():
    url = "postgresql://me@127.0.0.1:1/x?password=secret&sslpassword=secret"
    assert connect_journal(url).url == "postgresql+psycopg://me@127.0.0.1:1/x"
    with pytest.raises(DatabaseError, match="does not answer") as error:
        open_journal(url)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/x", "postgresql://me@host/x?password=secret"])
def test_settings_may_not_have_a_password(url):
    with pytest.raises(ConfigError, match="FLEETCAST_DATABASE") as error:
        load_config("demo", overrides=[f"journal.url={url}"])
    assert "secret" not in str(error.value)
    assert load_config("demo", overrides=["journal.url=postgresql://me@host/x"]).journal.url is not None


def test_a_driver_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseError, match=r"psycopg\[binary\]"):
        open_journal("postgresql://me@127.0.0.1/x")


def test_a_file_that_is_removed_while_it_is_open_is_an_error_until_it_is_restored(file, tmp_path):
    with open_journal(f"sqlite:///{file}") as journal:
        write(journal)
        copy = shutil.copyfile(file, tmp_path / "copy.db")
        for part in tmp_path.glob("journal.db*"):
            part.unlink()
        for _ in range(2):
            with pytest.raises(DatabaseUnavailableError) as error:
                write(journal, {**ROW, "name": "lost"})
            one_line(error, str(file), "was removed while it was in use", "Restore it")
        assert not file.exists(), "an empty one would hide that the old one is gone"
        copy.replace(file)
        write(journal, {**ROW, "name": "b"})
        with journal.connect() as connection:
            assert "b" in connection.execute(select(leases.c.name)).scalars().all()
    with closing(sqlite3.connect(file)) as found:
        assert ("b",) in found.execute("SELECT name FROM leases").fetchall()

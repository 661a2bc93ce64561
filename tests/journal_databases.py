"""Fixtures of tests of the journal: each runs on a SQLite file and on a real Postgres server on loopback."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from waiting import BOUND_S, wait_until

from cluster.ports import free_port

if TYPE_CHECKING:
    from serving.journal import Journal

USER, PASSWORD = "fleetcast", "se:cret/@"
_LEAST_MEMORY = 2**30
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "shared_buffers=16MB")


def _binary(name: str) -> str | None:
    places = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    return shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))


def _unprivileged() -> dict[str, Any]:
    """Return whom to run the server as: it refuses root."""
    if os.getuid() != 0:
        return {}
    known = {one.pw_name for one in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in known else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class PostgresServer:
    """A Postgres server on loopback; ``url`` is without a database's name."""

    def __init__(self, folder: str, server: str, port: int, rights: dict[str, Any]) -> None:
        self.url = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/"
        options = [word for option in (*_QUICK, "listen_addresses=127.0.0.1") for word in ("-c", option)]
        self._command = [server, "-D", str(Path(folder) / "data"), "-p", str(port), "-k", folder, *options]
        self._folder, self._log, self._rights = folder, Path(folder) / "log", rights
        self.start()

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log, **self._rights)
        ready = "ready to accept connections"
        wait_until(lambda: self._process.poll() is not None or ready in self._text(), reason=self._text)
        assert self._process.poll() is None, self._text()

    def _text(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Stop it without waiting for clients."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(BOUND_S)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres server that ends with the session; a test that stops it starts it again."""
    initdb, server = _binary("initdb"), _binary("postgres")
    if initdb is None or server is None:
        pytest.skip("Postgres is not installed (apt-get install postgresql), so only SQLite is tested")
    rights = _unprivileged()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") and shutil.disk_usage("/dev/shm").free > _LEAST_MEMORY else "/tmp"
    with tempfile.TemporaryDirectory(prefix="pg-", dir=memory) as folder:
        (Path(folder) / "password").write_text(PASSWORD)
        for path in (Path(folder), Path(folder) / "password"):
            if rights:
                os.chown(path, rights["user"], rights["group"])
        data = str(Path(folder) / "data")
        made = [initdb, "-D", data, "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
        made += ["--pwfile", str(Path(folder) / "password")]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=BOUND_S, **rights)
        running = PostgresServer(folder, server, free_port(), rights)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="session")
def postgres(postgres_server: PostgresServer) -> str:
    """The URL of a Postgres server without a database's name; it ends with the session."""
    return postgres_server.url


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """The name of a Postgres database with the journal's tables, which others are made from."""
    from serving.journal import open_journal

    name = "journal_template"
    _execute(postgres, f"CREATE DATABASE {name}")
    open_journal(f"{postgres}{name}").close()
    return name


@pytest.fixture
def make_database(postgres: str) -> Iterator[Callable[..., str]]:
    """Return a function that makes a Postgres database, empty or like another one, and returns its URL."""
    made: list[str] = []

    def make(template: str | None = None) -> str:
        made.append(f"journal_{uuid.uuid4().hex[:12]}")
        _execute(postgres, f"CREATE DATABASE {made[-1]}" + (f" TEMPLATE {template}" if template else ""))
        return f"{postgres}{made[-1]}"

    yield make
    for name in made:
        _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the journal's tables, which others are made from."""
    from serving.journal import open_journal

    file = tmp_path_factory.mktemp("journal") / "journal.db"
    open_journal(f"sqlite:///{file}").close()
    return file


@pytest.fixture(params=["sqlite", "postgres"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """The database engine that a test runs on."""
    return str(request.param)


@pytest.fixture
def empty_url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database without tables."""
    if engine_name == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    return str(request.getfixturevalue("make_database")(None))


@pytest.fixture
def journal_url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database with the journal's tables and no rows."""
    if engine_name == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "journal.db")
        return f"sqlite:///{tmp_path / 'journal.db'}"
    return str(request.getfixturevalue("make_database")(request.getfixturevalue("postgres_template")))


@pytest.fixture
def journal(journal_url: str) -> "Iterator[Journal]":
    """An empty journal, on each engine in turn."""
    from serving.journal import open_journal

    with open_journal(journal_url) as opened:
        yield opened

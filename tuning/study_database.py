"""The database of studies: where it is, its errors, and the locks that give a study to one process at a time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from configs.errors import ConfigError, StoreError, shown
from features.store.heartbeat import beating
from features.store.store import Store

FOLDER, DATABASE = "studies", "studies.db"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_DRIVERS = {
    "postgresql": "psycopg[binary]",
    "postgresql+psycopg2": "psycopg2-binary",
    "mysql": "mysqlclient (or PyMySQL, with mysql+pymysql://…)",
    "mariadb": "mysqlclient (or PyMySQL, with mariadb+pymysql://…)",
}
_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, AssertionError, ArithmeticError, RecursionError)
_BEAT_S, _DEAD_AFTER_S = 5.0, 30.0


def check_name(name: str) -> None:
    """Raise ``ConfigError`` for a study name that cannot be a folder name."""
    if not _NAME.fullmatch(name) or name == DATABASE:
        raise ConfigError(
            f"study {name!r} is not a valid name. Give 1 to 80 letters, digits and - _ . that begin with a letter or "
            "digit."
        )


@contextmanager
def lock_study(name: str, store: Store) -> Iterator[None]:
    """Lock a study of a local store; the operating system releases the lock when the process ends in any way."""
    check_name(name)
    with ExitStack() as stack:
        try:
            if store.is_local:
                stack.enter_context(store.lock(f"study-{name}", wait=False))
        except BlockingIOError as error:
            raise ConfigError(f"another process works on study {name!r}. Wait for it, or stop it first.") from error
        yield


@contextmanager
def heartbeat(study: optuna.Study) -> Iterator[None]:
    """Lock a study in a shared database by a timestamp that is renewed every few seconds.

    Raises
    ------
    ConfigError
        The timestamp of another process is recent.
    """
    age_s = time.time() - study.user_attrs.get("alive", 0.0)
    if age_s < _DEAD_AFTER_S:
        raise ConfigError(
            f"another process works on study {study.study_name!r}, or did {age_s:.0f} s ago. Wait until it has been "
            f"silent for {_DEAD_AFTER_S:.0f} s."
        )

    def renew() -> bool:
        with suppress(Exception):  # the sweep's next access to the database reports the error
            study.set_user_attr("alive", time.time())
        return True

    study.set_user_attr("alive", time.time())
    try:
        with beating(_BEAT_S, renew, patience_s=_BEAT_S):
            yield
    finally:
        with suppress(Exception):
            study.set_user_attr("alive", 0.0)


@contextmanager
def open_database(store: Store, url: str | None) -> Iterator[tuple[RDBStorage, str]]:
    """Yield the database of a store's studies and its URL without a password.

    Raises
    ------
    ConfigError
        The store is not local and no URL is given.
    StoreError
        The database cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is None:
        if not store.is_local:
            raise ConfigError(
                f"studies need a database, and {store.uri!r} is not a local store. Give one with --storage, such as "
                "postgresql://user@host/name."
            )
        url = f"sqlite:///{store.path(FOLDER, DATABASE)}"
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    try:
        if store.is_local:
            os.makedirs(store.path(FOLDER), exist_ok=True)
        public_url = make_url(url).set(query={}).render_as_string(hide_password=True)  # a query can have one
        storage = RDBStorage(url, engine_kwargs=options)
    except ImportError as error:
        scheme = url.partition(":")[0]
        usual = _DRIVERS.get(scheme.partition("+")[0], f"the driver of {scheme!r} for SQLAlchemy")
        install = _DRIVERS.get(scheme, usual)
        raise StoreError(
            f"{scheme} needs a driver that is not installed here. For it, install {install}, on every machine and in "
            "the image."
        ) from error
    except Exception as error:  # every driver has its own errors
        raise StoreError(
            f"the database of studies cannot be opened ({_one_line(error)}). Check --storage and --store."
        ) from error
    try:
        yield storage, public_url
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn errors of the database during a sweep into ``StoreError``."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StoreError(
            f"the database of studies fails ({_one_line(error)}). Finished trials are stored: repair it, and continue "
            "with --resume."
        ) from error


@contextmanager
def study_errors(name: str) -> Iterator[None]:
    """Turn errors of the database, and of values in it that no sweep has written, into ``StoreError``."""
    try:
        with database_errors():
            yield
    except _DAMAGE as error:
        raise StoreError(
            f"study {name!r} is damaged: its database has a value that no sweep has written ({_one_line(error)}). "
            "Restore the database from a copy, or give another name with --study."
        ) from error


def check_values(trial: FrozenTrial) -> None:
    """Raise ``ValueError`` if a trial's value of a parameter lies outside of the values that it was drawn from."""
    for path, distribution in trial.distributions.items():
        inside = distribution._contains(distribution.to_internal_repr(trial.params[path]))
        if not inside:
            raise ValueError(f"trial {trial.number} has {path} = {shown(trial.params[path])}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

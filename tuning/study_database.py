"""Where studies are kept, and who works on one: the database, its errors, and the locks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from configs.errors import ConfigError, StoreError
from features.store.heartbeat import beating
from features.store.store import Store

FOLDER, DATABASE = "studies", "studies.db"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_BEAT_S, _DEAD_AFTER_S = 5.0, 30.0


def check_name(name: str) -> None:
    """Refuse a study's name that could be no folder."""
    if not _NAME.fullmatch(name) or name == DATABASE:
        raise ConfigError(
            f"study {name!r} is no name. Give 1 to 80 letters, digits and - _ . that begin with a letter or digit."
        )


@contextmanager
def alone(name: str, store: Store) -> Iterator[None]:
    """Hold a study, on a local store; the system lets go of it when the process ends in any way."""
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
    """Tell other machines that this process works on a study, every few seconds, and refuse one that is worked on."""
    beat = study.user_attrs.get("alive", 0.0)
    if time.time() - beat < _DEAD_AFTER_S:
        raise ConfigError(
            f"another process works on study {study.study_name!r}, or did {time.time() - beat:.0f} s ago. Wait until "
            f"it has been silent for {_DEAD_AFTER_S:.0f} s."
        )

    def tell() -> bool:
        with suppress(Exception):  # the sweep itself will say what is wrong with the database
            study.set_user_attr("alive", time.time())
        return True

    study.set_user_attr("alive", time.time())
    try:
        with beating(_BEAT_S, tell, patience_s=_BEAT_S):
            yield
    finally:
        with suppress(Exception):
            study.set_user_attr("alive", 0.0)


@contextmanager
def opened(store: Store, url: str | None) -> Iterator[tuple[RDBStorage, str]]:
    """Yield the database of a store's studies, and its URL without a password.

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
                f"studies are kept in a database, and {store.uri!r} is no local store. Give one with --storage, such "
                "as postgresql://user@host/name."
            )
        url = f"sqlite:///{store.path(FOLDER, DATABASE)}"
    patient = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    try:
        if store.is_local:
            os.makedirs(store.path(FOLDER), exist_ok=True)
        place = make_url(url).render_as_string(hide_password=True)
        storage = RDBStorage(url, engine_kwargs=patient)
    except ImportError as error:
        raise StoreError(
            f"{url.partition(':')[0]} needs a driver that is not installed here. For postgresql, install "
            "psycopg2-binary, on every machine and in the image."
        ) from error
    except Exception as error:  # of whichever database's driver
        told = " ".join(str(error).split())[:300]
        raise StoreError(f"the database of studies cannot be opened ({told}). Check --storage and --store.") from error
    try:
        yield storage, place
    finally:
        storage.remove_session()
        storage.engine.dispose()


@contextmanager
def database() -> Iterator[None]:
    """Explain what a database that fails in mid sweep means."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        told = " ".join(str(error).split())[:300]
        raise StoreError(
            f"the database of studies fails ({told}). Finished trials are kept: repair it, and go on with --resume."
        ) from error

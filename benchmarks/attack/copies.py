"""Copies of a study, which are attacked in place of it."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine

from study.storage import triggers
from study.storage.backup import backup
from study.storage.engine import WRITING, engine_for
from study.storage.folder import DATABASE, MIRROR, STIMULI, make_folder
from study.storage.models import Base
from study.storage.store import Store


@dataclass(frozen=True)
class StudyCopy:
    """A study that may be harmed.

    Parameters
    ----------
    folder : Path
    url : str, optional
        Address of the database; None is SQLite in the folder.
    """

    folder: Path
    url: str | None = None

    @contextlib.contextmanager
    def opened(self, *, read_only: bool = False) -> Iterator[Store]:
        """The copy, open."""
        store = Store.open(self.folder, url=self.url, read_only=read_only)
        try:
            yield store
        finally:
            store.close()


@contextlib.contextmanager
def copied(
    source: Path, url: str | None, target: Path, *, images: bool = True
) -> Iterator[StudyCopy]:
    """A copy of a study for a while, in another folder and, on PostgreSQL, in another schema.

    Parameters
    ----------
    source : Path
        Folder of the study, which stays as it is.
    url : str, optional
        Address of its database.
    target : Path
        Folder of the copy, which must not exist.
    images : bool
        Whether the images are copied.
    """
    store = Store.open(source, url=url, read_only=True)
    try:
        if store.engine.dialect.name == "sqlite":
            backup(store, target, stimuli=images)
            yield StudyCopy(target)
            return
        with _schema(store) as address:
            _copy_files(store, target, images=images)
            yield StudyCopy(target, address)
    finally:
        store.close()
        shutil.rmtree(target, ignore_errors=True)


@contextlib.contextmanager
def again(copy: StudyCopy, target: Path) -> Iterator[StudyCopy]:
    """Another copy without images of a copy that is not in use, for a single attack."""
    if copy.url is not None:
        with copied(copy.folder, copy.url, target, images=False) as made:
            yield made
        return
    target.mkdir(mode=0o700)
    for name in (DATABASE, MIRROR):
        shutil.copyfile(copy.folder / name, target / name)
    (target / STIMULI).mkdir()
    try:
        yield StudyCopy(target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


@contextlib.contextmanager
def _schema(store: Store) -> Iterator[str]:
    """A new schema of a PostgreSQL database with all rows of the study."""
    name = f"attack_{secrets.token_hex(8)}"
    maker = create_engine(store.engine.url)
    with maker.begin() as connection:
        origin = connection.exec_driver_sql("SELECT current_schema()").scalar()
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    url = store.engine.url.update_query_dict({"options": f"-csearch_path={name}"})
    engine = engine_for(url)
    try:
        with engine.execution_options(**{WRITING: True}).begin() as connection:
            Base.metadata.create_all(connection)
            for table in Base.metadata.sorted_tables:
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                connection.exec_driver_sql(
                    f"INSERT INTO {table.name} ({columns}) "
                    f"SELECT {columns} FROM {origin}.{table.name}"
                )
            triggers.install(connection)
        yield url.render_as_string(hide_password=False)
    finally:
        engine.dispose()
        with maker.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        maker.dispose()


def _copy_files(store: Store, target: Path, *, images: bool) -> None:
    make_folder(target, None)
    if store.mirror.exists():
        shutil.copyfile(store.mirror, target / MIRROR)
    if images:
        shutil.copytree(store.stimuli, target / STIMULI, dirs_exist_ok=True)

"""Consistent copies of a study, even while readers rate."""

from __future__ import annotations

import os
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from enhancers.files import sync_file
from study.domain.errors import StoreError
from study.storage.append_log import AppendLog
from study.storage.engine import engine_for, translated
from study.storage.folder import DATABASE, MIRROR, STIMULI, make_folder, url_of
from study.storage.integrity import require_intact
from study.storage.models import RatingEvent
from study.storage.store import Store


@dataclass(frozen=True)
class Backup:
    """A verified backup.

    Parameters
    ----------
    path : Path
        A folder that can be opened like that of a study.
    ratings : int
        Number of rating rows.
    images : int
        Number of copied stimuli.
    """

    path: Path
    ratings: int
    images: int


def backup(
    store: Store, target: Path, *, stimuli: bool = False, images_of: Path | None = None
) -> Backup:
    """Copy a study into a new folder and verify the copy.

    Parameters
    ----------
    store : Store
        It may be in use.
    target : Path
        Folder of the copy, which must not exist yet.
    stimuli : bool
        Whether to copy the images, which do not change after the build.
    images_of : Path, optional
        An earlier backup on the same disk, with which images are shared.

    Raises
    ------
    StoreError
        The target exists, is in the study's folder or cannot be written, the copy fails its check,
        or the database is PostgreSQL, which has its own tools.
    """
    source = store.engine.url.database
    if store.engine.dialect.name != "sqlite" or source is None:
        raise StoreError(
            "This study is in PostgreSQL: back it up with pg_dump --format=custom DATABASE, "
            "and copy the folder of images."
        )
    if target.resolve().is_relative_to(store.folder.resolve()):
        raise StoreError(
            f"{target} is in the folder of the study, with which it would be lost: give a path "
            "elsewhere, best on another disk."
        )
    if target.exists():
        raise StoreError(f"{target} exists: a backup overwrites nothing. Give a new name.")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_folder(partial, None)
    try:
        copied = _copy(store, Path(source), partial, stimuli=stimuli, images_of=images_of)
        partial.rename(target)
    except OSError as error:
        raise StoreError(f"The backup {target} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Backup(target, *copied)


def _copy(
    store: Store, source: Path, folder: Path, *, stimuli: bool, images_of: Path | None
) -> tuple[int, int]:
    file, mirror = folder / DATABASE, folder / MIRROR
    if store.mirror.exists():
        # Copied first: the mirror of the copy must not be ahead of its database.
        shutil.copyfile(store.mirror, mirror)
        mirror.chmod(0o600)
    with translated():
        connection = sqlite3.connect(source, isolation_level=None)
        try:
            # A consistent snapshot, also while others write.
            connection.execute("VACUUM INTO ?", (str(file),))
        finally:
            connection.close()
    file.chmod(0o600)
    sync_file(file)
    images = sorted(store.stimuli.iterdir()) if stimuli else []
    for image in images:
        copy, earlier = folder / STIMULI / image.name, (images_of or folder) / STIMULI / image.name
        if earlier.exists() and earlier.stat().st_size == image.stat().st_size:
            os.link(earlier, copy)
        else:
            sync_file(Path(shutil.copy2(image, copy)))
    # Not `Store.open`, which would log what it adds to the mirror.
    copied = Store(engine_for(url_of(folder, None)), folder, AppendLog(mirror))
    try:
        copied.catch_up(begin=True)
        require_intact(copied)
        with copied.read() as session:
            ratings = session.scalar(select(func.count()).select_from(RatingEvent)) or 0
    finally:
        copied.close()
    return ratings, len(images)

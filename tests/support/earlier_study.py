"""Open studies that earlier versions made, from files: `ruled_study` as it was then."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path

from sqlalchemy import create_engine

from study.storage.append_log import AppendLog
from study.storage.engine import engine_for
from study.storage.folder import DATABASE, MIRROR, make_folder, url_of
from study.storage.store import Store

FILES = Path(__file__).parents[1] / "study" / "storage" / "earlier"
"""One zip archive for each version: statements that make the database, and the append log."""
VERSIONS = tuple(sorted(int(path.stem.removeprefix("version_")) for path in FILES.glob("*.zip")))


def earlier_study(
    folder: Path, version: int, url: str | None = None, *, without: str = ""
) -> Store:
    """Put a study into a folder, and open it as it is.

    Parameters
    ----------
    folder : Path
    version : int
        Of its tables.
    url : str, optional
        Of an empty PostgreSQL database; the default is SQLite in the folder.
    without : str
        A trigger of SQLite that is dropped.
    """
    kind = "postgresql" if url else "sqlite"
    with zipfile.ZipFile(FILES / f"version_{version}.zip") as archive:
        statements = archive.read(f"{kind}.sql").decode()
        log = archive.read(f"{kind}.jsonl")
    make_folder(folder, None)
    (folder / MIRROR).write_bytes(log)
    where = url_of(folder, url)
    if url is None:
        with sqlite3.connect(folder / DATABASE) as connection:
            connection.executescript(statements)
            if without:
                connection.execute(f"DROP TRIGGER {without}")
        connection.close()
    else:
        engine = create_engine(where)
        with engine.begin() as made:
            # All at once, as the driver takes them without parameters.
            made.connection.cursor().execute(statements)
        engine.dispose()
    return Store(engine_for(where), folder, AppendLog(folder / MIRROR))

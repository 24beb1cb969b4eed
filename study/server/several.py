"""Several studies in one server: where they are, which keys are theirs, and which do not open."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from study.accounts.any_study import STUDIES
from study.domain.errors import KeyFileError, StudyError
from study.storage import key_file
from study.storage.folder import DATABASE, MIRROR, STIMULI
from study.storage.lasting_disk import require_lasting_disk
from study.storage.models import Study
from study.storage.store import Store

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, eq=False)
class ServedStudy:
    """A study that is open, and where it is served.

    Parameters
    ----------
    store : Store
    key : Path, optional
        Its key file, for the coordinator's pages.
    root : str
        Path below a server of several studies; empty where it is the only one.
    """

    store: Store
    key: Path | None = None
    root: str = ""


@dataclass(frozen=True, eq=False)
class ServedStudies:
    """The studies of a server.

    Parameters
    ----------
    studies : tuple of ServedStudy
    problems : tuple of str
        Sentences about those that did not open, and about keys of none.
    not_open : int
        Number of the former.
    """

    studies: tuple[ServedStudy, ...]
    problems: tuple[str, ...] = ()
    not_open: int = 0

    @property
    def several(self) -> bool:
        """Whether the server has a page that lists its studies."""
        return bool(self.studies[0].root)

    def close(self) -> None:
        """Close the connections of all."""
        for study in self.studies:
            study.store.close()


def open_studies(
    folders: Sequence[Path],
    *,
    keys: Sequence[Path] = (),
    database: str | None = None,
    mirror: Path | None = None,
    disk_may_vanish: bool = False,
) -> ServedStudies:
    """Open the study in a folder, or several: all that are named, or that lie in a folder.

    Parameters
    ----------
    folders : sequence of Path
        Folders of studies, and folders that hold them.
    keys : sequence of Path
        Key files, and folders of them; each belongs to the study that it was made with.
    database, mirror : optional
        Of the only study, see `Store.open`.
    disk_may_vanish : bool
        See `require_lasting_disk`.

    Returns
    -------
    ServedStudies
        Of several those that open; the others are among the problems.

    Raises
    ------
    StudyError
        The only study, or none of several, can be served; or `database` or `mirror` is given for
        several.
    """
    found = list(dict.fromkeys(one for folder in folders for one in _studies_in(folder)))
    if found == list(folders[:1]):
        return ServedStudies((_open_only(found[0], keys, database, mirror, disk_may_vanish),))
    if database or mirror:
        raise StudyError(
            "A database or mirror belongs to one study: serve that study by itself, or leave "
            "--database and --mirror out."
        )
    return _open_several(found, keys, disk_may_vanish)


def attach(app: FastAPI, studies: Sequence[ServedStudy], *, not_open: int = 0) -> FastAPI:
    """Serve the pages of studies from an app: readers and coordinators, each with a sign-in.

    Raises
    ------
    LogConflict
        A database is behind its mirror or contradicts it: ratings would be lost.
    """
    for study in studies:
        study.store.require_no_conflict()
    if not studies[0].root:
        return _attach_pages(app, studies[0])
    from study.web.study_list import router

    for study in studies:
        app.mount(study.root, _Pages(study))
    app.include_router(router([(study.root, study.store) for study in studies], not_open))
    return app


def _attach_pages(app: FastAPI, study: ServedStudy) -> FastAPI:
    from study.web import coordinator, reader_page

    reader_page.attach(app, study.store, root=study.root)
    return coordinator.attach(app, study.store, key_path=study.key, root=study.root)


class _Pages:
    """The pages of one of several studies, made at its first request: they take seconds."""

    # Gradio keeps the page that is being made in a global variable.
    _making = threading.Lock()

    def __init__(self, study: ServedStudy) -> None:
        self._study = study
        self._made: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = self._made
        if pages is None:
            made: FastAPI = await run_in_threadpool(self._make)
            pages = made
        await pages(scope, receive, send)

    def _make(self) -> FastAPI:
        with self._making:
            if self._made is None:
                bare = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
                self._made = _attach_pages(bare, self._study)
            return self._made


def study_path(study_id: str) -> str:
    """Where a study is served next to others: the same at every start, and it says nothing."""
    return f"{STUDIES}/{hashlib.sha256(study_id.encode()).hexdigest()[:12]}"


def _studies_in(folder: Path) -> list[Path]:
    """The studies directly below a folder; the folder itself where it is one, or has none."""
    if _is_study(folder):
        return [folder]
    below = sorted(folder.iterdir()) if folder.is_dir() else []
    return [one for one in below if _is_study(one)] or [folder]


def _is_study(folder: Path) -> bool:
    """Whether a folder looks like that of a study, whatever it may have lost."""
    return any((folder / name).exists() for name in (DATABASE, STIMULI, MIRROR))


def _open_only(
    folder: Path,
    keys: Sequence[Path],
    database: str | None,
    mirror: Path | None,
    disk_may_vanish: bool,
) -> ServedStudy:
    if len(keys) > 1:
        raise KeyFileError(f"{len(keys)} key files are given for one study: give its own.")
    files = _key_files(keys)
    own = {"": keys[0]} if keys and files == [*keys] else _by_study(files)[0]
    study = _open(folder, own, database, mirror, disk_may_vanish=disk_may_vanish)
    if keys and study.key is None:
        study.store.close()
        raise KeyFileError(f"{keys[0]} has no key file of the study in {folder}.")
    return study


def _open_several(
    folders: Sequence[Path], keys: Sequence[Path], disk_may_vanish: bool
) -> ServedStudies:
    by_study, problems = _by_study(_key_files(keys))
    opened, lost = [], 0
    for folder in folders:
        try:
            study = _open(folder, by_study, disk_may_vanish=disk_may_vanish, places=folders)
            opened.append(replace(study, root=study_path(study.store.study_id)))
        except (StudyError, OSError) as error:
            problems.append(f"The study in {folder} is NOT SERVED: {error}")
            lost += 1
    copies = [roots for roots in _grouped(opened) if len(roots) > 1]
    for same in copies:
        named = " and ".join(str(study.store.folder) for study in same)
        problems.append(
            f"The studies in {named} are NOT SERVED: they are copies of one study, and ratings "
            "would be divided between them. Move the copies elsewhere."
        )
        for study in same:
            study.store.close()
    served = tuple(study for study in opened if not any(study in same for same in copies))
    lost += len(opened) - len(served)
    known = {study.key for study in served}
    problems += [
        f"The key file {file} belongs to no study that is served."
        for file in keys
        if file.is_file() and file in by_study.values() and file not in known
    ]
    if not served:
        raise StudyError("\n".join(["No study can be served.", *problems]))
    return ServedStudies(served, tuple(problems), lost)


def _grouped(studies: Sequence[ServedStudy]) -> list[list[ServedStudy]]:
    return [[one for one in studies if one.root == root] for root in {s.root for s in studies}]


def _open(
    folder: Path,
    keys: Mapping[str, Path],
    database: str | None = None,
    mirror: Path | None = None,
    *,
    disk_may_vanish: bool,
    places: Sequence[Path] = (),
) -> ServedStudy:
    """Open a study that can be served, with its key: that of its identifier, or of "" for any."""
    store = Store.open(folder, url=database, mirror=mirror)
    try:
        store.require_no_conflict()
        require_lasting_disk(store, may_vanish=disk_may_vanish)
        key = keys.get(store.study_id) or keys.get("")
        if key is not None:
            with store.read() as session:
                seed = session.get_one(Study, store.study_id).seed_sha256
            key_file.load(key, folder, study_id=store.study_id, seed_sha256=seed)
            for place in places:
                key_file.check_place(key, place)
    except BaseException:
        store.close()
        raise
    return ServedStudy(store, key)


def _key_files(keys: Sequence[Path]) -> list[Path]:
    """The key files that are named, and those in folders that are named."""
    return [
        file for one in keys for file in (sorted(one.glob("*.json")) if one.is_dir() else [one])
    ]


def _by_study(files: Sequence[Path]) -> tuple[dict[str, Path], list[str]]:
    """Key files by the identifier of their study, and what is wrong with others."""
    found, problems = {}, []
    for file in files:
        try:
            found[key_file.study_of(file)] = file
        except KeyFileError as error:
            problems.append(str(error))
    return found, problems

"""Building the stimuli of a study case by case; an interrupted build can be continued."""

from __future__ import annotations

from dataclasses import replace

from enhancers.method import Modality
from study.domain.composed import composed
from study.domain.errors import BuildError
from study.domain.formatting import plural
from study.domain.terms import Status
from study.stimuli import roster
from study.stimuli.checks import BuildReport
from study.stimuli.frozen_recipe import recipe_of
from study.stimuli.rendering.build_run import BuildRun, Options, Progress
from study.stimuli.rendering.renderer import key_method
from study.stimuli.source_folders import all_files
from study.stimuli.sources import Sources
from study.storage import hash_chain, key_file
from study.storage.key import Key
from study.storage.models import Study
from study.storage.store import Store
from study.storage.study_lock import images_locked


def build(
    store: Store,
    key: Key,
    sources: Sources,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
    actor: str = "coordinator",
) -> BuildReport:
    """Render the stimuli of a draft study, so that it has exactly these cases and methods.

    Stimuli of an earlier build with the same inputs are kept. The key file is read and written, so
    a `Key` that was loaded before is outdated afterwards.

    Parameters
    ----------
    store : Store
    key : Key
        The key of the study.
    sources : Sources
    options : Options, optional
    progress : callable, optional
    actor : str
        For the audit log.

    Raises
    ------
    BuildError
        The study is not a draft, a method or its parameters are unknown, a file cannot be read, or
        an image fails a check. The error lists the refused cases.
    KeyFileError
        The key is not that of the study.
    StoreError
        Another build of this study is running.
    """
    with images_locked(store.folder, "build"):
        return _build(store, key, sources, options or Options(), progress or _silent, actor)


def _build(
    store: Store, key: Key, sources: Sources, chosen: Options, progress: Progress, actor: str
) -> BuildReport:
    with store.read() as session:
        study = session.get_one(Study, store.study_id)
    if study.status != Status.DRAFT:
        raise BuildError(f"The study is {study.status}; only a draft can be built.")
    known = [str(modality) for modality in Modality]
    if sources.modality and sources.modality not in known:
        raise BuildError(f"The modality {sources.modality!r} is unknown; use {', '.join(known)}.")
    _check_places(store, sources)
    _check_accepted(sources, chosen)
    groups = store.protocol().blinding_groups
    methods = [key_method(method, groups, chosen.seed) for method in sources.methods]
    key = key_file.load(key.path, store.folder, study_id=study.id, seed_sha256=study.seed_sha256)
    key = roster.enrolled(key, methods, sources.cases)
    key = replace(key, recipe=recipe_of(sources, chosen.seed, chosen.device))
    key_file.save(key)
    with store.write() as session:
        roster.sync(session, store.study_id, key)
    run = BuildRun(store, key, sources, chosen, progress)
    try:
        run.cases()
    finally:
        run.clean_up()
    _log(store, sources, chosen, actor)
    return run.report()


def _check_places(store: Store, sources: Sources) -> None:
    folder = store.folder.resolve()
    for case in sources.cases:
        for file in all_files(case):
            if folder in file.resolve().parents:
                raise BuildError(
                    f"{file} lies in the study folder, whose copies would carry its name; move "
                    "the images elsewhere."
                )


def _check_accepted(sources: Sources, options: Options) -> None:
    known = {case.name for case in sources.cases}
    for name in options.accept_cases:
        if composed(name) not in known:
            raise BuildError(f"No case {name!r} whose differences could be accepted.")


def _silent(_share: float, _what: str) -> None:
    """Ignore the progress."""


def _log(store: Store, sources: Sources, options: Options, actor: str) -> None:
    """Log the build without names of methods, because the log is in the database."""
    detail = f"{len(sources.cases)} cases, {len(sources.methods)} methods"
    if options.attest_deidentified:
        detail += "; attested that the pixels name nobody"
    if options.accept_differences:
        detail += "; differences accepted"
    elif options.accept_cases:
        detail += f"; differences accepted in {plural(len(options.accept_cases), 'case')}"
    with store.write() as session:
        hash_chain.audit(session, actor, "build", detail=detail)

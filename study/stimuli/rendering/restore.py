"""Making lost and damaged images of a frozen study again, exactly as they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select

from enhancers.load import Caps
from enhancers.settings import get_settings
from study.domain.errors import BuildError
from study.domain.formatting import plural
from study.domain.terms import Status
from study.stimuli import buffers
from study.stimuli.frozen_recipe import sources_of
from study.stimuli.rendering.build_run import Progress
from study.stimuli.rendering.case_images import read_case
from study.stimuli.rendering.renderer import Renderer, is_known
from study.stimuli.sources import Sources
from study.storage import hash_chain, key_file
from study.storage.image_events import RESTORED, add_image_event, is_unusable
from study.storage.key import Key
from study.storage.models import Item, Stimulus, Study
from study.storage.store import Store
from study.storage.study_lock import images_locked


@dataclass(frozen=True)
class RestoreReport:
    """What became of the lost and damaged images.

    Parameters
    ----------
    rendered : int
        Made again, with the digest of the frozen image.
    returned : int
        Marked as lost or damaged before, and whole now, as after a copy from a backup.
    failed : tuple of str
        Sentences about images that are not as they were.
    """

    rendered: int
    returned: int
    failed: tuple[str, ...]

    def as_text(self) -> str:
        """The report as text; it names no method."""
        done = self.rendered + self.returned
        if not done and not self.failed:
            return "No image is lost or damaged."
        head = f"{plural(done, 'image')} restored: pairs with them are shown again."
        return "\n".join([*([head] if done else []), *self.failed])


def restore(
    store: Store,
    key: Key | None,
    *,
    root: Path | None = None,
    progress: Progress | None = None,
    actor: str,
    isolated: bool = False,
) -> RestoreReport:
    """Render lost and damaged images of a frozen study from the recipe in the key file.

    An image that does not have the SHA-256 of the frozen one is not written.

    Parameters
    ----------
    store : Store
    key : Key, optional
        Of the study; needed where an image has to be made again.
    root : Path, optional
        Folder that the source images lie in now, if they were moved.
    progress : callable, optional
    actor : str
        For the audit log.
    isolated : bool
        As in `Options`.

    Raises
    ------
    BuildError
        The study is a draft, or the key file is missing or has no recipe.
    """
    with images_locked(store.folder, "restore"):
        with store.read() as session:
            study = session.get_one(Study, store.study_id)
            rows = session.execute(
                select(Stimulus, Item.case_key, is_unusable(Stimulus.id)).join(Item)
            ).all()
        if study.status == Status.DRAFT:
            raise BuildError("The study is a draft: run build again, which makes what is missing.")
        broken, returned = [], []
        for row, case, marked in rows:
            if buffers.read(store.stimuli, row) is None:
                broken.append((row, case))
            elif marked:
                returned.append(row)
        made: list[Stimulus] = []
        failed: list[str] = []
        if broken:
            run = _Rendering(store, study, key, root, isolated=isolated)
            for place, (row, case) in enumerate(broken):
                if progress is not None:
                    progress(place / len(broken), f"image {place + 1} of {len(broken)}")
                problem = run.render(row, case)
                failed += [problem] if problem else []
                made += [] if problem else [row]
        _log(store, made, returned, len(failed), actor)
        return RestoreReport(len(made), len(returned), tuple(failed))


class _Rendering:
    """Renders the images of one study again."""

    def __init__(
        self, store: Store, study: Study, key: Key | None, root: Path | None, *, isolated: bool
    ) -> None:
        if key is None:
            raise BuildError(
                "Images are lost: give the key file (--key), which says how they were made, or "
                f"copy them from a backup to {store.stimuli} and run this again."
            )
        self.store = store
        self.key = key_file.load(
            key.path, store.folder, study_id=study.id, seed_sha256=study.seed_sha256
        )
        if not self.key.recipe:
            raise BuildError(
                "The key file does not say how the images were made: the study was built by an "
                f"earlier version. Copy the images from a backup to {store.stimuli} and run this "
                "again."
            )
        self.sources: Sources = sources_of(self.key.recipe, root)
        recipe = self.key.recipe
        self.renderer = Renderer(int(recipe["seed"]), str(recipe["device"]), self.key.seed)
        self.with_grid = bool(recipe.get("grid"))
        self.caps = Caps.from_settings(get_settings())
        self.isolated = isolated

    def render(self, row: Stimulus, label: str) -> str:
        """Make an image again; a sentence where that is not possible."""
        case_name = self.key.cases[row.item_id].name
        method_name = self.key.methods[row.method_id].name
        case = next((one for one in self.sources.cases if one.name == case_name), None)
        method = next((one for one in self.sources.methods if one.name == method_name), None)
        if case is None or method is None:
            return f"Case {label}: the recipe in the key file does not have this image."
        lost = f"Case {label}: the image {row.file} cannot be made as it was, because"
        if not is_known(method):
            # What exactly is missing would name the method, which stays masked.
            return (
                f"{lost} this version of the program does not have the method, or a setting of it, "
                "that made it. Copy it from a backup, or restore it with the version that built "
                "the study."
            )
        own = zip(self.sources.methods, case.masks, strict=False)
        # Masks of other methods may be gone.
        case = replace(case, masks=tuple(mask if one is method else None for one, mask in own))
        try:
            inputs = read_case(
                self.sources, case, self.caps, with_grid=self.with_grid, isolated=self.isolated
            )
            pixels = self.renderer.make(inputs, method, lambda _part: None)
        except BuildError as error:
            # What comes before names case and method, which stay masked.
            reason = str(error).partition(": ")[2]
            return f"Case {label}: {reason} If the source images were moved, say where (--root)."
        if buffers.put_back(self.store.stimuli, row, inputs.rounded(pixels)):
            return ""
        same = self.renderer.digest(inputs, method) == self.key.stimuli.get(row.id)
        why = (
            "this machine or its libraries compute other pixels"
            if same
            else "the source file, or the version of the program, is another one"
        )
        return f"{lost} {why}. Copy it from a backup."


def _log(
    store: Store, made: Sequence[Stimulus], returned: Sequence[Stimulus], failed: int, actor: str
) -> None:
    with store.write() as session:
        for row in (*made, *returned):
            if session.scalar(select(is_unusable(row.id))):
                add_image_event(session, row.id, RESTORED, actor)
        detail = "; ".join(_counts(len(made), len(returned), failed))
        hash_chain.audit(session, actor, "restore images", detail=detail)


def _counts(made: int, returned: int, failed: int) -> Iterator[str]:
    yield f"{made} rendered again with the frozen digest"
    yield f"{returned} found whole"
    yield f"{failed} not restored"

"""Images of a frozen study that were lost are made again as they were, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from study.domain.errors import BuildError
from study.planning.freeze import freeze
from study.stimuli import sources
from study.stimuli.rendering import build
from study.stimuli.rendering.restore import restore
from study.storage import key_file
from study.storage.integrity import verify
from study.storage.models import AuditEvent, ImageEvent, Stimulus
from tests.support import image_files, small_studies
from tests.support.small_studies import Draft


@pytest.fixture
def frozen(tmp_path: Path) -> Draft:
    made = small_studies.draft(tmp_path)
    inputs = small_studies.write_inputs(tmp_path / "in")
    found = sources.from_images([inputs], ["input", "tv:weight=0.1"], anchors=["blur:2"])
    build(made.store, made.key, found)
    freeze(made.store, made.key, actor="anna")
    return made


def files(draft: Draft) -> dict[Path, bytes]:
    with draft.store.read() as session:
        names = session.scalars(select(Stimulus.file)).all()
    return {draft.store.stimuli / name: (draft.store.stimuli / name).read_bytes() for name in names}


def test_every_image_can_be_made_again(frozen: Draft) -> None:
    before = files(frozen)
    lost, *others = before
    lost.unlink()
    for path in others:
        path.write_bytes(b"damaged")
    assert not verify(frozen.store, images=True).ok
    report = restore(frozen.store, frozen.key, actor="anna")
    assert (report.rendered, report.failed) == (len(before), ())
    assert files(frozen) == before
    assert verify(frozen.store, images=True).ok
    with frozen.store.read() as session:
        event = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc())).first()
        assert session.scalars(select(ImageEvent)).all() == []
    assert event is not None
    assert event.detail == "9 rendered again with the frozen digest; 0 found whole; 0 not restored"
    assert "No image is lost" in restore(frozen.store, None, actor="anna").as_text()


def test_an_image_that_is_not_as_it_was_is_not_written(frozen: Draft, tmp_path: Path) -> None:
    for path in files(frozen):
        path.unlink()
    other = image_files.png(small_studies.noisy(small_studies.picture(7), 7))
    (tmp_path / "in" / "pat0_s0.png").write_bytes(other)
    report = restore(frozen.store, frozen.key, actor="anna")
    assert (report.rendered, len(report.failed)) == (6, 3)
    assert "source file, or the version of the program, is another one" in report.failed[0]
    assert len(list(frozen.store.stimuli.glob("*.raw"))) == 6


def test_sources_may_have_moved(frozen: Draft, tmp_path: Path) -> None:
    path = next(iter(files(frozen)))
    path.unlink()
    shutil.move(tmp_path / "in", tmp_path / "elsewhere")
    report = restore(frozen.store, frozen.key, actor="anna")
    assert "There is no such file" in report.as_text()
    assert not {"pat0_s1", "input", "tv"} & set(report.as_text().split())
    assert restore(frozen.store, frozen.key, root=tmp_path / "elsewhere", actor="a").rendered == 1


def test_a_mask_that_changed_concerns_the_images_of_its_method_alone(tmp_path: Path) -> None:
    made = small_studies.draft(tmp_path)
    inputs, mask = small_studies.write_inputs(tmp_path / "in"), tmp_path / "mask.png"
    mask.write_bytes(image_files.png(np.eye(small_studies.SIDE, dtype=np.uint8)))
    methods = ["input", f"null_space:task=inpaint,steps=5,mask={mask}"]
    build(made.store, made.key, sources.from_images([inputs], methods))
    freeze(made.store, made.key, actor="anna")
    before = files(made)

    def restored() -> tuple[int, int]:
        for path in before:
            path.unlink(missing_ok=True)
        report = restore(made.store, made.key, actor="anna")
        assert str(tmp_path) not in report.as_text()
        assert "null_space" not in report.as_text()
        return report.rendered, len(report.failed)

    assert restored() == (6, 0)
    assert files(made) == before
    mask.write_bytes(image_files.png(np.eye(small_studies.SIDE, dtype=np.uint8)[::-1]))
    assert restored() == (3, 3)
    mask.write_bytes(image_files.png(np.eye(30, dtype=np.uint8)))
    assert restored() == (3, 3)
    mask.unlink()
    assert restored() == (3, 3)


def test_what_cannot_be_restored_says_so(frozen: Draft, tmp_path: Path) -> None:
    next(iter(files(frozen))).unlink()
    with pytest.raises(BuildError, match="give the key file"):
        restore(frozen.store, None, actor="anna")
    text = frozen.key_path.read_text()
    digest = frozen.key.digest
    start, end = text.index('"recipe": {'), text.index('"check":')
    frozen.key_path.write_text(text[:start] + text[end:])
    assert frozen.key.digest == digest
    with pytest.raises(BuildError, match="built by an earlier version"):
        restore(frozen.store, frozen.key, actor="anna")
    other = tmp_path / "other"
    other.mkdir()
    draft = small_studies.draft(other)
    with pytest.raises(BuildError, match="run build again"):
        restore(draft.store, None, actor="anna")


def test_a_setting_of_an_earlier_version_is_explained_without_naming_the_method(
    frozen: Draft,
) -> None:
    """UniMIE had ``smoothness`` until 0.2.0: the study verifies, and says why nothing is made."""
    head, mark, recipe = frozen.key_path.read_text().partition('"recipe": {')
    old = recipe.replace('"tv"', '"unimie"').replace('"weight",', '"smoothness",')
    assert old.count('"unimie"') == old.count('"smoothness"') == 1
    frozen.key_path.write_text(head + mark + old)
    assert verify(frozen.store, images=True).ok
    for path in files(frozen):
        path.unlink()
    report = restore(frozen.store, frozen.key, actor="anna")
    assert (report.rendered, len(report.failed)) == (6, 3)
    assert "this version of the program does not have the method, or a setting" in report.failed[0]
    assert "smoothness" not in report.as_text()
    assert "unimie" not in report.as_text().lower()
    assert "--root" not in report.as_text()


def test_the_recipe_is_kept_in_the_key_and_not_in_its_digest(frozen: Draft) -> None:
    key = frozen.key
    assert [one["name"] for one in key.recipe["methods"]] == ["input", "tv:weight=0.1", "blur:2"]
    assert key_file.load(key.path, frozen.store.folder).digest == key.digest

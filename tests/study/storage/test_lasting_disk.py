"""A real study is not opened where it would be lost with the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.domain.errors import StoreError
from study.domain.protocol import Protocol
from study.server.alongside import StudyAlongside
from study.storage import lasting_disk
from study.storage.lasting_disk import require_lasting_disk, vanishes
from tests.support.tiny_study import tiny_study

LINE = "36 35 98:0 / {} rw,noatime shared:1 - {} /dev/x rw\n"


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(lasting_disk.VARIABLE, raising=False)
    monkeypatch.setattr(lasting_disk, "MOUNTS", tmp_path / "mountinfo")
    return tmp_path / "mountinfo"


@pytest.mark.parametrize(("kind", "lasts"), [("overlay", False), ("tmpfs", False), ("ext4", True)])
def test_the_disk_is_that_of_the_nearest_mount(mounts: Path, kind: str, lasts: bool) -> None:
    mounts.write_text(LINE.format("/", "overlay") + LINE.format(r"/a\040volume", kind))
    assert (vanishes(Path("/a volume/study")) == "") == lasts
    assert vanishes(Path("/elsewhere")) != ""
    mounts.unlink()
    assert vanishes(Path("/elsewhere")) == ""


def test_a_real_study_in_a_container_is_refused(tmp_path: Path, mounts: Path) -> None:
    mounts.write_text(LINE.format("/", "overlay"))
    store = tiny_study(tmp_path / "s", pairs=2)
    with pytest.raises(StoreError, match=r"would be lost.*--disk-may-vanish"):
        require_lasting_disk(store)
    require_lasting_disk(store, may_vanish=True)
    store.close()
    with pytest.raises(StoreError, match="in the container"):
        StudyAlongside.open(tmp_path / "s", None, None)
    demo = tiny_study(tmp_path / "d", pairs=2, protocol=Protocol(readers=2, demo=True))
    require_lasting_disk(demo)
    demo.close()

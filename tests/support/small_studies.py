"""Small studies for tests: images that differ by method, and a draft to build them in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from study.domain.protocol import Protocol
from study.stimuli import sources
from study.stimuli.sources import Sources
from study.storage import key_file
from study.storage.key import Key
from study.storage.store import Store
from tests.support import image_files

SIDE = 32
QUICK = Protocol(
    readers=2, training=1, dummies=1, repeats=1, nulls=1, repeat_distance=2, feedback=False
)  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A study before it is built, and where its key is."""

    store: Store
    key_path: Path

    @property
    def key(self) -> Key:
        """The key as it is in its file now."""
        return key_file.load(self.key_path, self.store.folder, study_id=self.store.study_id)


def draft(folder: Path, protocol: Protocol = QUICK) -> Draft:
    """An empty study in ``folder/study`` with its key in ``folder/key.json``."""
    key = key_file.create(folder / "key.json", folder / "study")
    store = Store.create(
        folder / "study", protocol=protocol, code="S1", seed_sha256=key.seed_sha256
    )
    key_file.save(key.bind(store.study_id))
    return Draft(store, key.path)


def picture(seed: int, rows: int = SIDE, columns: int = SIDE) -> NDArray[np.uint8]:
    """Smooth structure of 8 bits, another one for each seed."""
    from scipy.ndimage import gaussian_filter

    field = gaussian_filter(np.random.default_rng(seed).standard_normal((rows, columns)), 1.5)
    field = (field - field.min()) / np.ptp(field)
    return np.asarray(np.rint(20 + 200 * field), np.uint8)


def noisy(pixels: NDArray[np.uint8], seed: int, sigma: float = 6.0) -> NDArray[np.uint8]:
    """The same with white noise."""
    noise = np.random.default_rng(seed).standard_normal(pixels.shape) * sigma
    return np.asarray(np.clip(np.rint(pixels + noise), 0, 255), np.uint8)


def write_inputs(folder: Path, cases: int = 3) -> Path:
    """Noisy images, ``pat0_s0.png`` and so on, two of a patient."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in range(cases):
        data = image_files.png(noisy(picture(case), case))
        (folder / f"pat{case // 2}_s{case}.png").write_bytes(data)
    return folder


def write_methods(folder: Path, names: tuple[str, ...], cases: int = 3) -> Path:
    """Ready-made images in one folder a method; they differ in their noise."""
    for number, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for case in range(cases):
            data = image_files.png(noisy(picture(case), 100 * number + case, 3.0 * (number + 1)))
            (folder / name / f"pat{case // 2}_s{case}.png").write_bytes(data)
    return folder


def ready_made(
    folder: Path, names: tuple[str, ...] = ("restormer", "dncnn", "clean"), cases: int = 3
) -> Sources:
    """Sources of ready-made images; two cases are of one patient."""
    return sources.from_folders(write_methods(folder, names, cases), separator="_")

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhancers.degrade import KINDS as DEGRADATIONS
from enhancers.errors import ImageReadError, ParameterError
from enhancers.load import load
from enhancers.method import Modality
from enhancers.phantoms import KINDS as PHANTOMS
from enhancers.phantoms.spine import spine_volume
from enhancers.phantoms.spine.cohort import cohort
from enhancers.samples import (
    REAL_SAMPLES,
    SAMPLES,
    SAMPLES_DIR,
    SPINE_SAMPLES,
    render,
    sample,
    write_samples,
)

MAX_BYTES = 4 * 2**20


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_samples(tmp_path_factory.mktemp("samples") / "made")


def _levels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(np.float64)


def test_six_kinds_each_named_synthetic() -> None:
    assert {entry.kind for entry in SAMPLES} == set(PHANTOMS)
    assert len({entry.key for entry in SAMPLES}) == len(SAMPLES) == 6
    for entry in SAMPLES:
        assert "synthetic" in entry.label
        assert entry.description.startswith("Synthetic ")
        assert DEGRADATIONS[entry.degradation].check(entry.level) == entry.level


def test_written_twice_the_bytes_are_the_same(written: list[Path], tmp_path: Path) -> None:
    again = write_samples(tmp_path)
    assert [path.name for path in again] == [path.name for path in written]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_pngs_hold_the_pixels_at_full_depth(written: list[Path]) -> None:
    folder = written[0].parent
    for entry in SAMPLES:
        for name, pixels in zip((entry.file_name, entry.truth_name), render(entry), strict=True):
            levels = _levels(folder / name)
            top = 255.0 if pixels.ndim == 3 else 65535.0
            assert levels.shape == pixels.shape
            assert np.abs(levels / top - pixels).max() <= 0.5 / top + 1e-6
            if pixels.ndim == 2:
                assert len(np.unique(levels)) > 1000


def test_pngs_say_that_they_are_synthetic(written: list[Path]) -> None:
    for path in written[:-1]:
        image = Image.open(path)
        said = image.tag_v2[270] if path.suffix == ".tif" else image.info["Description"]
        assert "Synthetic image" in said


def test_index_matches_the_files(written: list[Path]) -> None:
    records = json.loads(written[-1].read_text(encoding="utf-8"))["samples"]
    assert [record["key"] for record in records] == [
        entry.key for entry in (*SAMPLES, *SPINE_SAMPLES)
    ]
    names = {record[part] for record in records for part in ("file", "truth")}
    assert names == {path.name for path in written[:-1]}
    assert all(record["synthetic"] is True for record in records)


def test_shipped_samples_are_those_the_command_makes(written: list[Path]) -> None:
    for path in written[:-1]:
        shipped = SAMPLES_DIR / path.name
        levels, expected = _levels(shipped), _levels(path)
        # A last bit may differ between machines, and with it a Poisson draw here and there.
        assert np.mean(np.abs(levels - expected) > 1.0) < 0.02
    assert (SAMPLES_DIR / written[-1].name).read_bytes() == written[-1].read_bytes()
    assert sum(path.stat().st_size for path in SAMPLES_DIR.iterdir()) < MAX_BYTES


def test_sample_gives_both_paths() -> None:
    files = sample("ultrasound")
    assert files.degraded.is_file()
    assert files.truth.is_file()
    assert files.sample.modality is Modality.US


def test_spines_are_opened_at_the_depth_that_shows_most() -> None:
    for entry in SPINE_SAMPLES:
        volume = spine_volume(size=entry.size, seed=entry.seed, level=entry.level)
        assert entry.slice_index == volume.optimal
        image = load(sample(entry.key).degraded, slice_index=entry.slice_index)
        assert image.depths is not None
        assert len(image.depths) == 5
    # Nothing that networks learned from is a sample.
    assert {entry.seed for entry in SPINE_SAMPLES} <= {
        scan.seed for scan in cohort() if scan.part == "test"
    }


def test_unknown_or_missing_samples_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="did you mean ultrasound"):
        sample("ultrasond")
    with pytest.raises(ImageReadError, match="python -m enhancers samples"):
        sample("ultrasound", tmp_path)


@pytest.mark.parametrize("entry", REAL_SAMPLES, ids=lambda entry: entry.key)
def test_real_samples_ship_with_their_packages(entry) -> None:
    assert entry.available
    path = entry.path()
    if path.suffix == ".dcm":
        import pydicom

        dataset = pydicom.dcmread(path)
        assert dataset.Modality == str(entry.modality)
        assert dataset.pixel_array.ndim == 2
        assert dataset.get("BurnedInAnnotation", "NO") != "YES"
    else:
        assert np.asarray(Image.open(path)).size > 10_000
    assert "real" in entry.label
    assert entry.licence
    assert entry.source


def test_a_real_sample_that_is_not_there() -> None:
    from dataclasses import replace

    for change in ({"package": "no_such_package"}, {"file": "no/such.file"}):
        gone = replace(REAL_SAMPLES[0], **change)
        assert not gone.available
        with pytest.raises(ImageReadError, match="is not on this machine"):
            gone.path()


def test_listing_the_samples_imports_nothing_heavy() -> None:
    code = (
        "import sys; from enhancers.samples import REAL_SAMPLES; "
        "[entry.path() for entry in REAL_SAMPLES]; "
        "heavy = ('torch', 'scipy', 'skimage', 'pydicom', 'PIL'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

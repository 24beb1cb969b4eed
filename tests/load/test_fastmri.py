"""HDF5 as fastMRI has it: k-space, mask and reconstructions; nothing outside the file is read."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from enhancers.errors import ImageReadError
from enhancers.load import load, probe
from enhancers.method import Modality

RNG = np.random.default_rng(4)
IMAGES = RNG.random((5, 40, 32)).astype(np.float32) + 0.5
# fastMRI keeps the zero frequency in the centre.
KSPACE = np.fft.fftshift(
    np.fft.fft2(np.fft.ifftshift(IMAGES, (1, 2)), norm="ortho"), (1, 2)
).astype(np.complex64)
EMPTY = b"\x89HDF\r\n\x1a\n" + bytes(100)


def test_without_h5py_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImageReadError, match="pip install h5py"):
        load(EMPTY)


def hdf5(build: Any = None, **datasets: Any) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name, data=values, compression="gzip" if values.ndim == 3 else None)
        if build is not None:
            build(file)
    return buffer.getvalue()


def test_kspace_becomes_its_magnitude(tmp_path: Path) -> None:
    data = hdf5(kspace=KSPACE, reconstruction_rss=IMAGES)
    image = load(data)
    assert (image.format, image.modality, image.slice_index) == ("fastMRI", Modality.MR, 2)
    np.testing.assert_allclose(image.source, IMAGES[2], atol=1e-4)
    assert image.measured is not None
    assert len({load(data, slice_index=k).window for k in range(5)}) == 1
    (tmp_path / "scan").write_bytes(data)
    facts = probe(tmp_path / "scan")
    assert (facts.rows, facts.columns, facts.slice_count, facts.default_slice) == (40, 32, 5, 2)


def test_the_mask_says_which_lines_were_taken() -> None:
    lines = np.zeros(32, np.float32)
    lines[::3] = 1
    image = load(hdf5(kspace=KSPACE, mask=lines))
    assert image.measured is not None
    assert image.measured.spectrum is not None
    assert image.measured.spectrum.share == pytest.approx(11 / 32)
    zeroed = np.abs(np.fft.ifft2(np.fft.ifftshift(KSPACE[2] * lines, (0, 1)), norm="ortho"))
    np.testing.assert_allclose(image.source, np.fft.fftshift(zeroed), atol=1e-4)


def test_of_several_coils_the_reconstruction_is_shown() -> None:
    coils = np.stack([KSPACE, KSPACE], 1)
    image = load(hdf5(kspace=coils, reconstruction_rss=IMAGES))
    assert np.array_equal(image.source, IMAGES[2])
    assert image.window.low == 0.0
    with pytest.raises(ImageReadError, match="several coils"):
        load(hdf5(kspace=coils))


@pytest.mark.parametrize("kind", ["external", "link", "soft", "virtual"])
def test_values_in_other_files_are_never_read(kind: str, tmp_path: Path) -> None:
    import h5py

    secret = tmp_path / "secret.bin"
    secret.write_bytes(IMAGES.tobytes())
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.create_dataset("data", data=IMAGES)

    def build(file: Any) -> None:
        name = "reconstruction_rss"
        if kind == "external":
            file.create_dataset(
                name, IMAGES.shape, "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)]
            )
        elif kind == "virtual":
            layout = h5py.VirtualLayout(IMAGES.shape, "f4")
            layout[:] = h5py.VirtualSource(str(other), "data", IMAGES.shape)
            file.create_virtual_dataset(name, layout)
        else:
            link = h5py.ExternalLink(str(other), "data") if kind == "link" else h5py.SoftLink("/a")
            file[name] = link

    with pytest.raises(ImageReadError, match="other files"):
        load(hdf5(build))


def test_other_contents_get_a_sentence() -> None:
    for datasets, says in (
        ({"picture": IMAGES}, "neither kspace nor"), ({"reconstruction_rss": IMAGES[0]}, "shape"),
        ({"kspace": KSPACE * 0}, "No sample"), ({"kspace": KSPACE, "mask": np.ones(7)}, "size"),
        ({"reconstruction_rss": IMAGES[:, :8, :8]}, "smallest"),
    ):  # fmt: skip
        with pytest.raises(ImageReadError, match=says):
            load(hdf5(**datasets))


def test_damage_never_escapes_as_another_error() -> None:
    whole = hdf5(kspace=KSPACE[:2, :20, :18])
    chance = np.random.default_rng(0)
    for case in range(60):
        data = bytearray(whole)
        if case % 3 == 0:
            del data[int(chance.integers(len(data))) :]
        else:
            for place in chance.integers(8, 2500 if case % 2 else len(data), 3):
                data[int(place)] ^= 1 << int(chance.integers(8))
        try:
            load(bytes(data))
        except ImageReadError:
            continue

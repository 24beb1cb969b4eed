"""Complex MR data: NIfTI images, and k-space of NumPy files, in every order that is in use."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from enhancers.decoding import OpenedFile
from enhancers.errors import ImageReadError
from enhancers.image import MedicalImage
from enhancers.load import Caps, load, probe
from enhancers.measured import SampledSpectrum
from enhancers.method import Modality
from enhancers.phantoms import phantom
from tests.support.image_files import nifti

SHAPE = (40, 32)


def _complex_image() -> NDArray[np.complex64]:
    magnitude = phantom("cardiac_mr", size=40, seed=1).pixels[:, 4:36] * 300
    row, column = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    return np.asarray(magnitude * np.exp(1j * (0.4 + row - 0.5 * column)), np.complex64)


IMAGE = _complex_image()
LINES = np.zeros((SHAPE[0], 1), np.bool_)
LINES[[0, 1, 2, 3, 7, 12, 20, 30, 36, 37, 38, 39]] = True
SAMPLES = np.fft.fft2(IMAGE, norm="ortho") * LINES


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _spectrum(image: MedicalImage) -> SampledSpectrum:
    assert image.measured is not None
    assert image.measured.spectrum is not None
    return image.measured.spectrum


def _centred(samples: NDArray[Any]) -> NDArray[Any]:
    """As fastMRI stores it: the origins of image and k-space are in the middle."""
    image = np.fft.ifft2(samples, norm="ortho")
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image), norm="ortho"))


FILES = {
    "zero frequency first": _npy(SAMPLES),
    "columns first": _npy(np.asfortranarray(SAMPLES[None])),
    "centred": _npy(_centred(SAMPLES)),
    "centred k-space, image not": _npy(np.fft.fftshift(SAMPLES)),
    "npz": _npz(kspace=SAMPLES.astype(np.complex64)),
    "npz with mask": _npz(kspace=np.fft.fft2(IMAGE, norm="ortho"), mask=LINES),
    "npz with an image and mask": _npz(image=IMAGE, mask=LINES),
    "npz with a zero-filled image": _npz(image=np.fft.ifft2(SAMPLES, norm="ortho")),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_a_numpy_file_gives_magnitude_and_samples(data: bytes) -> None:
    image = load(data)
    expected = np.abs(np.fft.ifft2(SAMPLES, norm="ortho"))
    np.testing.assert_allclose(image.source, expected, atol=1e-3 * expected.max())
    assert (image.format, image.modality, image.modality_origin) == ("NumPy", Modality.MR, "file")
    assert image.window.low == 0
    assert image.window.high == pytest.approx(expected.max(), rel=1e-3)
    spectrum = _spectrum(image)
    np.testing.assert_array_equal(spectrum.sampled, np.broadcast_to(LINES, SHAPE))
    np.testing.assert_allclose(np.abs(spectrum.image), image.source, atol=1e-3 * expected.max())
    assert not spectrum.real
    assert "30 % of k-space" in image.warnings[0]


def test_a_complex_nifti_volume_keeps_each_slice_complex(tmp_path: Path) -> None:
    zero_filled = np.fft.ifft2(SAMPLES, norm="ortho").astype(np.complex64)
    volume = np.stack([IMAGE.T, zero_filled.T], -1)
    path = tmp_path / "scan.nii"
    path.write_bytes(nifti(volume))
    opened = OpenedFile.local(path, Caps())
    complete, sparse = (opened.image(index) for index in (0, 1))
    for image in (complete, sparse, load(path, slice_index=1)):
        assert (image.format, image.modality) == ("NIfTI", Modality.MR)
        np.testing.assert_allclose(np.abs(_spectrum(image).image), image.source, atol=0.01)
    assert _spectrum(complete).share == 1
    assert not complete.warnings or "k-space" not in complete.warnings[0]
    assert _spectrum(sparse).share == pytest.approx(0.3)
    assert complete.window == sparse.window


def test_the_samples_come_through_the_decoding_process(tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    path.write_bytes(_npz(kspace=SAMPLES, real=True))
    image = OpenedFile.local(path, Caps()).image()
    here = load(path)
    assert image.measured is not None
    assert here.measured is not None
    assert image.measured.digest == here.measured.digest
    assert _spectrum(image).real
    assert probe(path).rows == SHAPE[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_npz(image=np.abs(IMAGE), mask=np.ones(SHAPE)), "beside a mask is float32"),
        (_npy(np.stack([IMAGE] * 2)), "(2, 40, 32); give one slice"),
        (_npy(SAMPLES)[:-8], "truncated"),
        (_npy(np.full((20, 20), complex(np.nan, 0))), "NaN"),
        (_npy(np.zeros((20, 20), complex)), "No sample of k-space is known"),
        (_npz(kspace=SAMPLES, mask=np.ones(5)), "shape (5,); give numbers of shape (40, 32)"),
        (_npz(picture=SAMPLES), "neither kspace nor image"),
        (_npz(a=np.abs(IMAGE), b=np.abs(IMAGE)), "neither kspace nor image"),
        (_npz(kspace=SAMPLES, real=np.zeros(3)), "must be one number"),
        (_npy(np.array([{}], object)), "is object"),
    ],
)  # fmt: skip
def test_what_is_no_complex_slice_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ImageReadError) as error:
        load(data)
    assert said in str(error.value)

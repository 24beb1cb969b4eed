"""The sample gallery: synthetic images with clean truth, and real ones from other packages."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from enhancers.asset_files import ASSETS
from enhancers.degrade import KINDS, degrade
from enhancers.errors import ImageReadError, ParameterError
from enhancers.image import Pixels
from enhancers.method import Modality, nearest
from enhancers.phantoms import phantom
from enhancers.phantoms.spine import spine_volume

SAMPLES_DIR = ASSETS / "samples"
"""Folder of the synthetic samples that come with the program."""

INDEX = "samples.json"

_LICENCE = "Apache-2.0, as the program that drew it"
_NOT_OF_A_PERSON = "Synthetic image, not of a person."
_DESCRIPTION = 270
"""The TIFF tag ImageDescription."""


@dataclass(frozen=True)
class Sample:
    """A synthetic sample: a phantom and how it was degraded.

    ``kind`` is the phantom's, ``degradation`` and ``level`` what `degrade` is given; ``seed`` draws
    both the anatomy and the noise.
    """

    key: str
    label: str
    modality: Modality
    kind: str
    degradation: str
    level: float
    seed: int
    description: str
    size: int = 256

    @property
    def file_name(self) -> str:
        """Name of the degraded image."""
        return f"{self.key}.png"

    @property
    def truth_name(self) -> str:
        """Name of the clean image."""
        return f"{self.key}_truth.png"


@dataclass(frozen=True)
class SpineSample:
    """A synthetic sample of five depths: a spine of the phantoms' test part, as it was scanned.

    ``level`` says how easily the subject is imaged; ``slice_index`` is the depth that shows most.
    """

    key: str
    label: str
    level: str
    seed: int
    slice_index: int
    description: str
    modality: Modality = Modality.US
    size: int = 256

    @property
    def file_name(self) -> str:
        """Name of the file of all depths."""
        return f"{self.key}.tif"

    @property
    def truth_name(self) -> str:
        """Name of the artefact-free image."""
        return f"{self.key}_truth.png"


@dataclass(frozen=True)
class SampleFiles:
    """A synthetic sample with the paths of its two files."""

    sample: Sample | SpineSample
    degraded: Path
    truth: Path


@dataclass(frozen=True)
class RealSample:
    """A real image inside an installed package, without a clean truth.

    ``package`` is the importable name and ``file`` the path below its folder.
    """

    key: str
    label: str
    modality: Modality
    package: str
    file: str
    description: str
    licence: str
    source: str

    def path(self) -> Path:
        """The path of the file on this machine; nothing is imported or downloaded.

        Raises
        ------
        ImageReadError
            If the package is not installed, or came without the file.
        """
        spec = importlib.util.find_spec(self.package)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / self.file
            if path.is_file():
                return path
        raise ImageReadError(
            f"The sample {self.key} is not on this machine: {self.package} has no {self.file}."
        )

    @property
    def available(self) -> bool:
        """Whether the file is on this machine."""
        try:
            self.path()
        except ImageReadError:
            return False
        return True


# fmt: off
SAMPLES: tuple[Sample, ...] = (
    Sample("ultrasound", "Ultrasound, speckle (synthetic)", Modality.US, "echo", "speckle", 0.3, 7,
           "Synthetic apical four-chamber echocardiogram with multiplicative speckle, σ 0.3."),
    Sample("cardiac_mr", "Cardiac MR, Rician noise (synthetic)", Modality.MR, "cardiac_mr",
           "rician", 0.06, 1,
           "Synthetic short-axis cardiac MR slice with Rician noise, σ 0.06 of the gray range."),
    Sample("low_dose_ct", "Low-dose CT (synthetic)", Modality.CT, "ct", "low_dose", 0.08, 8,
           "Synthetic abdominal CT slice, -160 to 240 HU, with the photon noise of 8 % dose."),
    Sample("chest_xray", "Chest X-ray, Gaussian noise (synthetic)", Modality.XR, "chest_xray",
           "gaussian", 0.08, 9,
           "Synthetic frontal chest radiograph, white Gaussian noise, σ 0.08 of the gray range."),
    Sample("dark_fundus", "Dark fundus (synthetic)", Modality.FUNDUS, "fundus",
           "under_exposure", 0.3, 2,
           "Synthetic colour fundus photograph, exposed at 0.3 with a smooth veil."),
    Sample("dark_endoscopy", "Dark endoscopy (synthetic)", Modality.ENDOSCOPY, "endoscopy",
           "under_exposure", 0.3, 3,
           "Synthetic colonoscopy frame, exposed at 0.3 with a smooth veil."),
)

SPINE_SAMPLES: tuple[SpineSample, ...] = (
    SpineSample("spine_easy", "Spine, easy (synthetic)", "easy", 114, 2,
                "Synthetic coronal ultrasound of a spine at five depths, easy to image."),
    SpineSample("spine_moderate", "Spine, moderate (synthetic)", "moderate", 123, 2,
                "Synthetic coronal ultrasound of a spine at five depths, moderately easy to "
                "image."),
    SpineSample("spine_poor", "Spine, poor (synthetic)", "poor", 115, 2,
                "Synthetic coronal ultrasound of a spine at five depths, difficult to image."),
)

_PYDICOM = "pydicom's test files (MIT; its README knows of no restriction on their use)"

REAL_SAMPLES: tuple[RealSample, ...] = (
    RealSample("real_ct_spine", "CT, thoracic spine (real)", Modality.CT, "pydicom",
               "data/test_files/CT_small.dcm",
               "Real CT of a thoracic vertebra, 128 x 128, 16 bit.", _PYDICOM,
               "pydicom, CT_small.dcm: NEMA WG04 CT1_UNC, cropped"),
    RealSample("real_ct_head", "CT, skull base (real)", Modality.CT, "pydicom",
               "data/test_files/J2K_pixelrep_mismatch.dcm",
               "Real CT of the skull base, 512 x 512, 13 bit, JPEG 2000.", _PYDICOM,
               "pydicom, J2K_pixelrep_mismatch.dcm (pydicom report 1149)"),
    RealSample("real_mr_abdomen", "MR, liver and kidneys (real)", Modality.MR, "pydicom",
               "data/test_files/examples_overlay.dcm",
               "Real contrast-enhanced MR of the abdomen with a liver lesion, 484 x 300, 12 bit.",
               _PYDICOM, "pydicom, examples_overlay.dcm"),
    RealSample("real_mr_small", "MR, 64 x 64 (real)", Modality.MR, "pydicom",
               "data/test_files/MR_small.dcm",
               "Real MR detail of 64 x 64 pixels, 16 bit: an upload for super-resolution.",
               _PYDICOM, "pydicom, MR_small.dcm: NEMA WG04 MR1_UNC, cropped"),
    RealSample("real_fundus", "Fundus, left eye (real)", Modality.FUNDUS, "skimage",
               "data/retina.jpg",
               "Real colour fundus photograph of a normal left eye, 1411 x 1411.", "CC0 1.0",
               "M. Häggström, Wikimedia Commons, Fundus photograph of normal left eye"),
    RealSample("real_microaneurysms", "Fundus detail (real)", Modality.FUNDUS, "skimage",
               "data/microaneurysms.png",
               "Real green-channel fundus detail with microaneurysms, 102 x 102.", "CC0",
               "High-Resolution Fundus database, 07_dr (Budai et al. 2013, 10.1155/2013/154860)"),
    RealSample("real_histology", "Histology, colon (real)", Modality.MICROSCOPY, "skimage",
               "data/ihc.png",
               "Real light microscopy of colonic glands, immunohistochemistry, 512 x 512.",
               "no known copyright restrictions",
               "Center for Microscopy and Molecular Imaging, with scikit-image"),
)
# fmt: on


def sample(key: str, folder: Path = SAMPLES_DIR) -> SampleFiles:
    """The synthetic sample of this key and its two files.

    Raises
    ------
    ParameterError
        For an unknown key.
    ImageReadError
        If a file is missing from ``folder``.
    """
    entries: tuple[Sample | SpineSample, ...] = (*SAMPLES, *SPINE_SAMPLES)
    known = {entry.key: entry for entry in entries}
    entry = known.get(key)
    if entry is None:
        raise ParameterError(f"No sample {key}; {nearest(key, list(known))}.")
    files = SampleFiles(entry, folder / entry.file_name, folder / entry.truth_name)
    for path in (files.degraded, files.truth):
        if not path.is_file():
            raise ImageReadError(
                f"{path} is missing; make it with: python -m enhancers samples --out {folder}"
            )
    return files


def render(entry: Sample) -> tuple[Pixels, Pixels]:
    """The degraded image and the clean truth of a synthetic sample, float32 in [0, 1]."""
    truth = phantom(entry.kind, size=entry.size, seed=entry.seed).pixels
    return degrade(truth, entry.degradation, entry.level, seed=entry.seed), truth


def write_samples(out: Path) -> list[Path]:
    """Write the synthetic samples, their truths and an index into a folder.

    Gray images become 16-bit PNG, colour ones 8-bit PNG, depths the pages of an 8-bit TIFF;
    "synthetic" is also written into them.

    Parameters
    ----------
    out : Path
        Created if absent; files of the same names are replaced.

    Returns
    -------
    list of Path
        The written files: two images per sample, then ``samples.json``.
    """
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for entry in SAMPLES:
        degraded, truth = render(entry)
        for name, pixels, note in (
            (entry.file_name, degraded, entry.description),
            (entry.truth_name, truth, f"Clean truth of {entry.key}. {entry.description}"),
        ):
            _write_png(out / name, pixels, note)
            written.append(out / name)
    for spine in SPINE_SAMPLES:
        volume = spine_volume(size=spine.size, seed=spine.seed, level=spine.level)
        _write_tiff(out / spine.file_name, volume.depths, spine.description)
        note = f"Artefact-free image of {spine.key}. {spine.description}"
        # A truth is read through the window of the image, which has 8 bits.
        _write_png(out / spine.truth_name, volume.clean, note, bits=8)
        written += [out / spine.file_name, out / spine.truth_name]
    index = out / INDEX
    records = [*map(_record, SAMPLES), *map(_spine_record, SPINE_SAMPLES)]
    text = json.dumps({"samples": records}, indent=2, ensure_ascii=False)
    index.write_text(text + "\n", encoding="utf-8")
    return [*written, index]


def _record(entry: Sample) -> dict[str, object]:
    return {
        "key": entry.key,
        "label": entry.label,
        "synthetic": True,
        "file": entry.file_name,
        "truth": entry.truth_name,
        "modality": str(entry.modality),
        "phantom": entry.kind,
        "size": entry.size,
        "degradation": entry.degradation,
        "level": entry.level,
        "level_name": KINDS[entry.degradation].level,
        "seed": entry.seed,
        "description": entry.description,
        "licence": _LICENCE,
    }


def _spine_record(entry: SpineSample) -> dict[str, object]:
    return {
        "key": entry.key,
        "label": entry.label,
        "synthetic": True,
        "file": entry.file_name,
        "truth": entry.truth_name,
        "modality": str(entry.modality),
        "phantom": "spine",
        "size": entry.size,
        "level": entry.level,
        "seed": entry.seed,
        "description": entry.description,
        "licence": _LICENCE,
    }


def _write_tiff(path: Path, depths: Pixels, note: str) -> None:
    from PIL import Image, TiffImagePlugin

    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[_DESCRIPTION] = f"{_NOT_OF_A_PERSON} {note}"
    first, *others = (Image.fromarray(np.rint(depth * 255.0).astype(np.uint8)) for depth in depths)
    first.save(path, save_all=True, append_images=others, compression="tiff_deflate", tiffinfo=info)


def _write_png(path: Path, pixels: Pixels, note: str, bits: int = 16) -> None:
    from PIL import Image, PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_itxt("Description", f"{_NOT_OF_A_PERSON} {note}")
    if pixels.ndim == 3 or bits == 8:
        levels: np.ndarray = np.rint(pixels * 255.0).astype(np.uint8)
    else:
        levels = np.rint(pixels.astype(np.float64) * 65535.0).astype(np.uint16)
    Image.fromarray(levels).save(path, pnginfo=info, optimize=True)

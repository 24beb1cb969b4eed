"""The request for a batch, checked before anything runs, and the digest of one result."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from enhancers import devices, provenance
from enhancers.compare import Request
from enhancers.errors import ParameterError
from enhancers.load import Caps
from enhancers.method import Family, Modality, ParameterValue
from enhancers.registry import get, resolve
from enhancers.series import Series, is_collection
from enhancers.settings import get_settings
from enhancers.source_digest import method_digest, source_digest
from enhancers.voxel_grid import STORED
from enhancers.windows import window_ends

Slices = int | Literal["page", "middle", "all"]
"""Slices of a volume: one by number, the one that the page opens with, the middle one, or all."""

Form = Literal["png", "tif"]
"""A 16-bit PNG, or a float TIFF in source units."""

READERS = ("pydicom", "tifffile", "pillow")
"""Packages that decode files, in addition to those that the methods use."""


@dataclass(frozen=True)
class BatchPlan:
    """A folder of images, methods, and where the results go.

    Parameters
    ----------
    folder, out : Path
        ``out`` may lie inside ``folder``; its files are not taken for images.
    requests : tuple of Request
        From `requests`; every method once.
    seed : int
        Seed of every run.
    slices : Slices
    modality : Modality or None
        Modality of every image; None takes that of the file.
    form : {"png", "tif"}
    masks : Path or None
        Folder of masks of missing pixels: for each image the file of the same relative name,
        whatever its ending.
    series : str or None
        Key of the DICOM series to read; ``folder`` may then be a zip archive or a DICOMDIR too,
        which need no key where they hold one series.
    window : str or None
        Of every image: LOW:HIGH in source units, or a name (`enhancers.display.window_limits`).
    plane : str
    time : int or None
        Of volumes, as for `enhancers.series.planes.load_plane`.
    cropped : bool
        Whether images are cropped to the ultrasound region that their file states.
    """

    folder: Path
    out: Path
    requests: tuple[Request, ...]
    seed: int = 0
    slices: Slices = "page"
    modality: Modality | None = None
    form: Form = "png"
    masks: Path | None = None
    series: str | None = None
    window: str | None = None
    plane: str = STORED
    time: int | None = None
    cropped: bool = False

    def __post_init__(self) -> None:
        if not is_collection(self.folder):
            raise ParameterError(
                f"{self.folder} is not a folder; give the folder of the images, or a zip archive "
                "or DICOMDIR of a series."
            )
        if self.window is not None:
            window_ends(self.window)
        if self.of_series and self.masks is not None:
            raise ParameterError("--masks is for a folder of images, not for a series.")
        if self.out.exists() and not self.out.is_dir():
            raise ParameterError(f"{self.out} is a file; give a folder for the results.")
        if self.folder.resolve() == self.out.resolve():
            raise ParameterError("The results need a folder of their own, not that of the images.")
        if self.masks is not None and not self.masks.is_dir():
            raise ParameterError(f"{self.masks} is not a folder; give the folder of the masks.")
        if not self.requests:
            raise ParameterError("There is no method to run; give at least one.")

    @property
    def of_series(self) -> bool:
        """Whether the images are the slices of a DICOM series."""
        return self.series is not None or not self.folder.is_dir()


@dataclass(frozen=True)
class SeriesPlace:
    """Where a slice is in its series: its frame in its file, and the number of slices.

    ``window`` is that of the slice, and ``notes`` has sentences about it. A plane that is cut out
    of all slices has no frame.
    """

    frame: int | None
    count: int
    window: tuple[float, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchTask:
    """One method on one slice of one file.

    ``digest`` is the SHA-256 of the file, or of those of a series that a plane is cut out of;
    ``slice_index`` is None where the file has one slice;
    ``mask`` has the bytes of the file that marks missing pixels, if there is one. In a series
    (``place``), ``slice_index`` is the index there. ``window`` is that of the plan for an image
    that is in no series; ``plane`` and ``time`` are those of a volume. ``cropped`` images are those
    of the ultrasound region.
    """

    digest: str
    slice_index: int | None
    method: str
    params: tuple[tuple[str, ParameterValue], ...]
    seed: int
    modality: Modality | None
    form: Form
    caps: Caps = field(default_factory=Caps)
    mask: bytes = b""
    place: SeriesPlace | None = None
    window: str | None = None
    plane: str = STORED
    time: int | None = None
    cropped: bool = False


ImageSource = Path | Series
"""What a task reads: a file, or a series by the index of a slice."""


def requests(
    methods: Sequence[str], assignments: Mapping[str, ParameterValue] | None = None
) -> tuple[Request, ...]:
    """One request per method, with the parameters that ``method.name`` assignments give it.

    Raises
    ------
    UnknownMethod, ParameterError
        A method is unknown or named twice, or an assignment is invalid or names another method.
    """
    given: dict[str, dict[str, ParameterValue]] = {get(key).key: {} for key in methods}
    if len(given) < len(methods):
        twice = next(key for key in methods if list(methods).count(key) > 1)
        raise ParameterError(f"{twice} is asked for twice; name every method once.")
    for target, value in (assignments or {}).items():
        key, dot, name = target.partition(".")
        if not dot or key not in given:
            raise ParameterError(
                f"{target}={value} is for none of the methods {', '.join(given)}; "
                "write method.name=value."
            )
        given[key][name] = get(key).parameter(name).check(value)
    return tuple(Request(key, params) for key, params in given.items())


def is_classical(asked: Iterable[Request]) -> bool:
    """Whether no network is needed."""
    return all(get(request.method).family == "classical" for request in asked)


@functools.cache
def _fingerprint(asked: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    family: Family = "classical"
    facts: dict[str, str] = {}
    for method, prior in asked:
        if prior:
            from enhancers.networks.load import identity

            family = get(method).family
            facts[f"network {prior} of {method}"] = identity(prior)
    facts.update(provenance.software(family))
    facts.update({name: importlib.metadata.version(name) for name in READERS})
    facts.update({f"code of {method}": method_digest(method) for method, _ in asked})
    facts["code of the readers"] = source_digest("enhancers.load")
    facts["code of the writers"] = source_digest("enhancers.save")
    return tuple(sorted(facts.items()))


def fingerprint(asked: Iterable[Request]) -> tuple[tuple[str, str], ...]:
    """Versions, code and networks that the bytes of the results depend on.

    Raises
    ------
    NetworkMissing
        A network is not on this machine.
    """
    pairs = set()
    for request in asked:
        if get(request.method).family == "classical":
            pairs.add((request.method, ""))
            continue
        for modality in Modality:
            prior = resolve(request.method, modality, request.params).get("prior")
            pairs.add((request.method, str(prior)))
    return _fingerprint(tuple(sorted(pairs)))


def _computing(device_type: str) -> str:
    """The kind of device and the numeric precision of the networks on it."""
    if device_type == "cuda":
        # The 16-bit type that "auto" means depends on the GPU, and this process may have none.
        return f"cuda, {get_settings().precision}"
    return f"{device_type}, {devices.precision_name(device_type)}"


def request_digest(task: BatchTask, device_type: str) -> str:
    """SHA-256, as hex, of everything that determines a result's bytes, without reading pixels.

    Parameters
    ----------
    task : BatchTask
    device_type : str
        "cpu", "cuda" or "mps"; classical methods always run on the CPU.
    """
    request = Request(task.method, dict(task.params))
    facts = {name: value for name, value in asdict(task).items() if name not in ("caps", "mask")}
    for name in ("place", "window", "time"):
        if facts[name] is None:
            del facts[name]
    if task.plane == STORED:
        del facts["plane"]
    if not task.cropped:
        del facts["cropped"]
    if task.mask:
        facts["mask"] = hashlib.sha256(task.mask).hexdigest()
    determining = {
        "task": facts,
        "device": "cpu" if is_classical([request]) else _computing(device_type),
        "made with": fingerprint([request]),
    }
    return hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).hexdigest()

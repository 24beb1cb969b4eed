"""Reads the tensors of a user's checkpoint file, and never runs code from it.

The format is recognised by the content, not by the file's name: safetensors, or what ``torch.save``
writes (a zip archive, or the older plain pickle).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from enhancers.errors import CheckpointError

NESTS = (
    "ema", "model_ema", "ema_state_dict", "params_ema", "params-ema",
    "state_dict", "model_state_dict", "params", "model",
)  # fmt: skip
"""Keys under which training code stores the weights; averaged weights come first."""
WRAPPERS = ("module.", "model.", "diffusion_model.")
"""Prefixes that training code adds to every name."""
SETTINGS_TYPES = (argparse.Namespace,)
"""Classes that may lie beside tensors: a table of the training's settings, which runs no code."""
PICKLE_BYTES = 64 * 2**20
"""Largest table of contents that is read; thousands of tensors need 1 MB."""
NAMED = 3
"""How many names of each kind `differences` lists."""

_ZIP, _PICKLE = b"PK", b"\x80"
_FOREIGN = (
    (b"version https://git-lfs", "the pointer of Git LFS and not the weights: run git lfs pull"),
    (b"<", "a page of the web and not the weights: download the file itself"),
    (b"\x89HDF", "an HDF5 file, which is not read: save the weights as safetensors"),
    (b"\x1f\x8b", "compressed by gzip: unpack it"),
)


def read_tensors(path: Path, wrappers: Sequence[str] = WRAPPERS) -> Mapping[str, Tensor]:
    """The named tensors of a checkpoint, on the CPU; those of a zip archive are memory-mapped.

    Envelopes of training code (``{"state_dict": ...}``, ``module.`` before each name) are removed.

    Parameters
    ----------
    path : Path
    wrappers : sequence of str
        Prefixes that are removed where every name has them.

    Raises
    ------
    CheckpointError
        The file is absent, empty, truncated, of another format, would run code, pretends to be
        larger than it is, or holds no tensors.
    """
    head = _head(path)
    if head[8:9] == b"{":
        found: object = _safetensors(path)
    elif head.startswith(_ZIP):
        _check_archive(path)
        found = _torch(path, mmap=True)
    elif head.startswith(_PICKLE):
        found = _torch(path, mmap=False)
    else:
        kind = next((what for start, what in _FOREIGN if head.lstrip().startswith(start)), None)
        raise CheckpointError(
            f"{path.name} is {kind}."
            if kind
            else f"{path.name} is not a checkpoint: it is neither a safetensors file nor one that "
            "torch.save wrote."
        )
    tensors = without_wrappers(_unwrapped(found), wrappers)
    if not tensors:
        raise CheckpointError(f"{path.name} holds no named tensors, so it is no network's weights.")
    for name, tensor in tensors.items():
        _check_stored(path, name, tensor)
    return tensors


def differences(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    """How the names and shapes of ``found`` differ from ``expected``; empty where they do not.

    Counts with the first names, such as "2 missing (a, b); 1 of another shape (c: 3x3, not 6x3)".
    """
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected]
    misshapen = [
        f"{name}: {_shape(found[name])}, not {_shape(tensor)}"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    parts = [
        f"{len(names)} {what} ({listed(names)})"
        for names, what in (
            (missing, "missing"),
            (unexpected, "unexpected"),
            (misshapen, "of another shape"),
        )
        if names
    ]
    return "; ".join(parts)


def listed(names: Iterable[str]) -> str:
    """The first `NAMED` names, with an ellipsis for the rest."""
    shortened = [name if len(name) <= 120 else f"{name[:117]}..." for name in names]
    return ", ".join(shortened[:NAMED]) + (", ..." if len(shortened) > NAMED else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a single number"


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder and not a checkpoint file.")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise CheckpointError(f"{path.name} is empty; download it again.")
    return head


def _safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is a truncated or damaged safetensors file ({_first_line(error)}); "
            "download it again."
        ) from error


def _check_archive(path: Path) -> None:
    """Check the entries of an archive before torch opens it: uncompressed, and of torch.save."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is truncated: the end of the file is missing; download it again."
        ) from error
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(
            f"{path.name} is an archive that unpacks to more than its size, which torch.save never "
            "writes; it was not opened. If the checkpoint lies inside, unpack it."
        )
    if any("/code/" in entry.filename for entry in entries):
        raise CheckpointError(
            f"{path.name} was refused: it is a program (TorchScript) and not a table of tensors. "
            "Save the state_dict of its network instead."
        )
    tables = [entry for entry in entries if entry.filename.endswith("data.pkl")]
    if not tables:
        raise CheckpointError(
            f"{path.name} is a zip archive and not a checkpoint: torch.save would have put a "
            "data.pkl into it."
        )
    if any(entry.file_size > PICKLE_BYTES for entry in tables):
        raise CheckpointError(
            f"{path.name} has a table of contents above {PICKLE_BYTES // 2**20} MB; no network's "
            "weights need one, and it was not opened."
        )


def _torch(path: Path, *, mmap: bool) -> object:
    try:
        with warnings.catch_warnings():
            # Old protocols and sparse tensors are reported by this module.
            warnings.simplefilter("ignore")
            torch.serialization.add_safe_globals(list(SETTINGS_TYPES))
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        raise _with_code(path) from error
    except Exception as error:
        # A damaged archive or pickle ends in whichever error the first wrong byte leads to.
        raise CheckpointError(
            f"{path.name} is truncated or damaged ({_first_line(error)}); download it again."
        ) from error


def _with_code(path: Path) -> CheckpointError:
    """The error for a pickle that holds more than tensors."""
    names: list[str] = []
    # A damaged or hostile file is listed up to its first wrong byte.
    with contextlib.suppress(Exception):
        for name in _imports(_pickle_of(path)):
            if name.partition(".")[0] not in {"torch", "collections"} and name not in names:
                names.append(name)
    if not names:
        return CheckpointError(
            f"{path.name} is damaged, or no checkpoint: its pickle holds more than tensors, or "
            "cannot be read."
        )
    return CheckpointError(
        f"{path.name} was refused: loading it would import {listed(names)}, which can run code. "
        "Save its tensors alone (torch.save of the state_dict, or safetensors) where you trust it."
    )


def _pickle_of(path: Path) -> io.BytesIO:
    """The table of contents of an archive, or the beginning of an older checkpoint."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            return io.BytesIO(archive.read(name))
    with path.open("rb") as file:
        return io.BytesIO(file.read(PICKLE_BYTES))


def _imports(stream: io.BytesIO) -> Iterator[str]:
    """The names that the pickles of a stream would import, found without running them."""
    while stream.read(1):
        stream.seek(-1, io.SEEK_CUR)
        words: list[str] = []
        for operation, argument, _ in pickletools.genops(stream):
            if operation.name in {"GLOBAL", "INST"}:
                yield str(argument).replace(" ", ".")
            elif operation.name == "STACK_GLOBAL":
                yield ".".join(words[-2:])
            elif isinstance(argument, str):
                words.append(argument)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:160].rstrip(". ") if lines else type(error).__name__


def _unwrapped(found: object) -> dict[str, Tensor]:
    """The named tensors inside up to three envelopes."""
    for _ in range(3):
        if not isinstance(found, Mapping):
            return {}
        inner = next((found[key] for key in NESTS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = inner
    assert isinstance(found, Mapping)
    return {
        name: tensor
        for name, tensor in found.items()
        if isinstance(name, str) and isinstance(tensor, Tensor)
    }


def without_wrappers(
    tensors: Mapping[str, Tensor], wrappers: Sequence[str] = WRAPPERS
) -> dict[str, Tensor]:
    """The tensors without the prefixes that all their names have."""
    found = dict(tensors)
    for wrapper in wrappers:
        if found and all(name.startswith(wrapper) for name in found):
            found = {name.removeprefix(wrapper): tensor for name, tensor in found.items()}
    return found


def _check_stored(path: Path, name: str, tensor: Tensor) -> None:
    """Refuse a tensor that is larger than its data, as strides of zero allow."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
        raise CheckpointError(
            f"{path.name}: the tensor {name[:120]} is not stored as plain numbers; save the "
            "network's weights as dense tensors."
        )
    if tensor.nbytes > tensor.untyped_storage().nbytes():
        raise CheckpointError(
            f"{path.name}: the tensor {name[:120]} says {_shape(tensor)} and has data for less; "
            "the file is damaged, or made to fill the memory."
        )

"""One part of a prior from its diffusers folder: a network on its device, or the schedule."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor

from enhancers.errors import CheckpointError, NetworkMissing, ReadingRoomError
from enhancers.files import write_atomic
from enhancers.networks.catalog import Embedded, NetworkEntry, Part
from enhancers.networks.checkpoint import listed
from enhancers.networks.folder_structure import PREDICTIONS
from enhancers.settings import get_settings

NOTES = ".cache"
"""Folder below `Settings.models_dir` for what was computed once from the networks there."""
_BETAS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
          "rescale_betas_zero_snr")  # fmt: skip


@dataclass(frozen=True, eq=False)
class BetaSchedule:
    """The schedule a network was trained with: ābar, shape (T,), and what it predicts.

    Its own sampler adds ``offset`` to every timestep and ends at an ābar of ``final``.
    """

    signal: Tensor
    predicts: Literal["epsilon", "v_prediction"]
    offset: int = 0
    final: float = 1.0


def network(
    entry: NetworkEntry, part: Part, kinds: tuple[str, ...], *, device: str, dtype: torch.dtype
) -> Any:
    """A part of ``entry`` as the diffusers class its configuration names, ready for inference.

    Parameters
    ----------
    kinds : tuple of str
        The classes that can be used here.

    Raises
    ------
    PriorMissing
        Its files are damaged, of another class, or do not fit each other: what differs.
    """
    import diffusers

    name = str(config(entry, part).get("_class_name"))
    if name not in kinds:
        raise unusable(entry, part, f"it is a {name[:60]} and not a {' or '.join(kinds)}")
    try:
        found, info = getattr(diffusers, name).from_pretrained(
            entry.folder / part,
            local_files_only=True,
            use_safetensors=True,
            variant="fp16" if ".fp16." in entry.weights(part).name else None,
            torch_dtype=dtype,
            low_cpu_mem_usage=not isinstance(entry.source, Embedded),
            output_loading_info=True,
        )
    except Exception as error:
        # The libraries below raise their own kinds for a truncated, foreign or misshapen file.
        raise unusable(entry, part, _reason(error)) from error
    for what in ("missing_keys", "unexpected_keys"):
        if info[what]:
            names = f"{len(info[what])} tensors are {what.partition('_')[0]}"
            raise unusable(entry, part, f"{names} ({listed(sorted(info[what]))})")
    return found.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)


def config(entry: NetworkEntry, part: str) -> Mapping[str, Any]:
    """The configuration of a part, as diffusers and transformers write it.

    Raises
    ------
    PriorMissing
        It is not there, or no JSON object.
    """
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    try:
        found = json.loads((entry.folder / part / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise unusable(entry, part, f"its {name} is missing or damaged") from error
    if not isinstance(found, dict):
        raise unusable(entry, part, f"its {name} is no configuration")
    return cast(Mapping[str, Any], found)


def unusable(entry: NetworkEntry, part: str, why: str) -> NetworkMissing:
    """The sentence for a part whose files are there and are of no use."""
    if isinstance(entry.source, Embedded):
        what = "Restore the folder, or train the prior again."
    else:
        what = f"python -m enhancers networks verify {entry.key} tells what is damaged."
    return NetworkMissing(
        f"The weights in {entry.folder.name}/{part} of {entry.label} cannot be read: {why}. {what}"
    )


def betas(entry: NetworkEntry) -> BetaSchedule:
    """The schedule of the prior's own scheduler; without one, what the catalogue says.

    Raises
    ------
    PriorMissing
        The scheduler has no betas, or says that the network predicts something unknown.
    """
    from diffusers import DDIMScheduler

    if (entry.folder / "scheduler").is_dir():
        told = config(entry, "scheduler")
    else:
        plan = entry.schedule
        told = {
            "num_train_timesteps": plan.steps,
            "beta_start": plan.start,
            "beta_end": plan.end,
            "beta_schedule": plan.name,
        }
    predicts = told.get("prediction_type", "epsilon")
    if predicts not in PREDICTIONS:
        raise unusable(
            entry, "scheduler",
            f"the network predicts {str(predicts)[:40]!r}, and the methods here need "
            f"{' or '.join(PREDICTIONS)}",
        )  # fmt: skip
    if "beta_schedule" not in told and told.get("trained_betas") is None:
        raise unusable(entry, "scheduler", f"{told.get('_class_name')} has no betas of a diffusion")
    try:
        scheduler = DDIMScheduler(**{name: told[name] for name in _BETAS if name in told})
        signal: Tensor = scheduler.alphas_cumprod
    except Exception as error:
        # An impossible value in a JSON file ends in whichever error torch or diffusers has for it.
        raise unusable(entry, "scheduler", _reason(error)) from error
    falls = bool((signal.diff() <= 0).all()) and bool(signal.isfinite().all())
    if len(signal) < 2 or not falls or not 0 <= float(signal[-1]) < float(signal[0]) < 1:
        raise unusable(entry, "scheduler", "its betas do not take an image to noise")
    offset = told.get("steps_offset", 0)
    if not isinstance(offset, int) or not 0 <= offset < len(signal):
        raise unusable(entry, "scheduler", f"its timesteps are moved by {str(offset)[:40]!r}")
    final = 1.0 if told.get("set_alpha_to_one", True) else float(signal[0])
    return BetaSchedule(signal, predicts, offset, final)


def digest(path: Path) -> str:
    """SHA-256 of a file of weights, remembered between runs by size and time of change."""
    facts = path.stat()
    return _digest(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, changed: int) -> str:
    if size < REMEMBERED:
        return _hashed(path)
    name = hashlib.sha256(f"{path.resolve()}:{size}:{changed}".encode()).hexdigest()
    note = note_path(f"{name}.sha256")
    with contextlib.suppress(OSError):
        text = note.read_text(encoding="ascii", errors="replace").strip()
        if len(text) == 64:
            return text
    found = _hashed(path)
    write_note(note, found.encode())
    return found


REMEMBERED = 64 * 2**20
"""Bytes above which a file is not hashed twice."""


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def note_path(name: str) -> Path:
    """Where something computed once from a network is kept."""
    return get_settings().models_dir / NOTES / name


def write_note(path: Path, content: bytes) -> None:
    """Keep a note; where the folder cannot be written, it is computed again."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)


def bytes_of(*modules: Any) -> int:
    """Memory of the weights of some networks."""
    return sum(tensor.nbytes for module in modules for tensor in module.state_dict().values())


def _reason(error: Exception) -> str:
    if isinstance(error, ReadingRoomError | CheckpointError):
        return str(error).rstrip(".")
    words = " ".join(str(error).split())
    return f"they are damaged or of another network ({words[:160].rstrip('. ')})"

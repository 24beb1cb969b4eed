"""Runs on ZeroGPU: in another process, which has a GPU for the requested seconds."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import closing

from enhancers import devices
from enhancers.compare.runtime_model import planned_work
from enhancers.devices.spaces import MAX_SECONDS
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import Step, load_method
from enhancers.registry import get

PARAMETER_BYTES = 4
"""Bytes per parameter, for embedded networks without a parameter count in the catalogue."""


def needed(device: str) -> bool:
    """Whether a run on this device needs a GPU from ZeroGPU."""
    return devices.on_spaces() and devices.device_type(device) != "cpu"


def steps(
    key: str,
    image: MedicalImage,
    params: Mapping[str, ParameterValue],
    seed: int,
    device: str,
) -> Generator[Step, None, None]:
    """Run a method on a GPU from ZeroGPU; closing the iterator releases it.

    Parameters
    ----------
    key : str
        Registry key of the method.
    image : MedicalImage
    params : mapping
        Complete, from `registry.resolve`.
    seed : int
    device : str

    Raises
    ------
    ReadingRoomError
        An error of the method, or ZeroGPU grants no GPU or not for long enough.
    """
    expected = seconds(key, image, params, seed, device)
    if expected > MAX_SECONDS:
        # The run would be cut off, and the visitor's quota spent.
        raise ReadingRoomError(
            f"This may need a GPU for {expected:.0f} s, and it is lent for {MAX_SECONDS} s at "
            "most: choose fewer steps, a smaller image or an embedded network."
        )
    with closing(run_on_gpu(key, image, dict(params), seed, device)) as arriving:
        try:
            for step in arriving:
                # The text of a raised exception does not survive the way from the other process.
                if isinstance(step, ReadingRoomError):
                    raise step
                yield step
        except ReadingRoomError:
            raise
        except Exception as error:
            raise ReadingRoomError(_refusal(error)) from error


def seconds(
    key: str, image: MedicalImage, params: Mapping[str, ParameterValue], seed: int, device: str
) -> float:
    """Seconds of GPU to request, from the arguments of `steps`."""
    from enhancers.networks.lookup import network_entry

    entry = network_entry(str(params["prior"]))
    parameters = entry.parameters or entry.size // PARAMETER_BYTES
    return devices.gpu_seconds(planned_work(image, get(key), params), parameters)


@devices.gpu(seconds)
def run_on_gpu(
    key: str, image: MedicalImage, params: dict[str, ParameterValue], seed: int, device: str
) -> Generator[Step | ReadingRoomError, None, None]:
    """Run a method on the assigned GPU; an error of the method is the last item."""
    try:
        yield from load_method(key).run(image, params, seed=seed, device=device)
    except ReadingRoomError as error:
        yield error


def _refusal(error: Exception) -> str:
    """The message of ZeroGPU's error, without markup."""
    message = str(getattr(error, "message", "") or error or type(error).__name__)
    plain = " ".join(re.sub(r"<[^>]*>", " ", message).split())
    return f"The GPU was not lent, or not for long enough: {plain.rstrip('.')}. Choose the CPU."

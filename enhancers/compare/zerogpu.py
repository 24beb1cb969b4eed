"""On ZeroGPU a method runs in another process, which has a GPU for the seconds it asked for."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import closing

from enhancers import devices
from enhancers.compare.runtime_model import planned_work
from enhancers.devices.spaces import LONGEST
from enhancers.errors import ReadingRoomError
from enhancers.image import MedicalImage
from enhancers.method import ParameterValue
from enhancers.method_interface import Step, load_method
from enhancers.registry import get

PARAMETER_BYTES = 4
"""Of embedded networks, whose number of parameters the catalogue does not have."""


def needed(device: str) -> bool:
    """Whether a run on this device needs a GPU that is lent."""
    return devices.on_spaces() and devices.device_type(device) != "cpu"


def steps(
    key: str,
    image: MedicalImage,
    params: Mapping[str, ParameterValue],
    seed: int,
    device: str,
) -> Generator[Step, None, None]:
    """Run a method on a GPU that is lent; closing the iterator gives it back.

    Parameters
    ----------
    key : str
        The method's.
    image : MedicalImage
    params : mapping
        Complete: the outcome of `registry.resolve`.
    seed : int
    device : str

    Raises
    ------
    ReadingRoomError
        As the method does; and where no GPU is lent, or not for long enough.
    """
    expected = seconds(key, image, params, seed, device)
    if expected > LONGEST:
        # Begun all the same it would be cut off, and the visitor's quota be spent.
        raise ReadingRoomError(
            f"This may need a GPU for {expected:.0f} s, and it is lent for {LONGEST} s at most: "
            "choose fewer steps, a smaller image or an embedded network."
        )
    with closing(_lent(key, image, dict(params), seed, device)) as arriving:
        try:
            for step in arriving:
                # An exception's own words would not come across from the other process.
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
    """How long a GPU is asked for, from the arguments of `steps`."""
    from enhancers.networks.lookup import network_entry

    entry = network_entry(str(params["prior"]))
    parameters = entry.parameters or entry.size // PARAMETER_BYTES
    return devices.gpu_seconds(planned_work(image, get(key), params), parameters)


@devices.gpu(seconds)
def _lent(
    key: str, image: MedicalImage, params: dict[str, ParameterValue], seed: int, device: str
) -> Generator[Step | ReadingRoomError, None, None]:
    try:
        yield from load_method(key).run(image, params, seed=seed, device=device)
    except ReadingRoomError as error:
        yield error


def _refusal(error: Exception) -> str:
    """What the lender says, without its markup."""
    said = str(getattr(error, "message", "") or error or type(error).__name__)
    plain = " ".join(re.sub(r"<[^>]*>", " ", said).split())
    return f"The GPU was not lent, or not for long enough: {plain.rstrip('.')}. Choose the CPU."

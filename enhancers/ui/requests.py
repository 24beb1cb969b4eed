"""What the fields of the page ask for: parameters, device, confirmation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from enhancers.compare import is_large
from enhancers.compare.seeds import MAX_SEEDS, checked_seeds
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage
from enhancers.method import Method, ParameterValue
from enhancers.ui.parameters import chosen_methods, parameter_values
from enhancers.warm_up import import_networks


def requested_parameters(method: Method, values: Mapping[str, Any]) -> dict[str, ParameterValue]:
    """The parameters of a method; an error begins with the method's label."""
    try:
        return parameter_values(method, values)
    except ParameterError as error:
        raise ParameterError(f"{method.label}: {error}") from None


def requested_seeds(method: Method, values: Mapping[str, Any]) -> int:
    """The number of seeds of a method: that of the page's field if it samples, else 1.

    Raises
    ------
    ParameterError
        The field does not hold a possible number.
    """
    value = values.get("seeds", 1)
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number % 1:
        raise ParameterError(
            f"Seeds to compare is {_written(value)}; give an integer from 1 to {MAX_SEEDS}."
        )
    return checked_seeds(method, int(number)) if method.family == "diffusion" else 1


def requested_device(methods: Sequence[Method], values: Mapping[str, Any]) -> str:
    """The requested device; the CPU for classical methods, which need not wait for torch."""
    if all(method.family == "classical" for method in methods):
        return "cpu"
    import_networks()
    return values.get("device") or "auto"


def needs_confirmation(image: MedicalImage, values: Mapping[str, Any]) -> bool:
    """Whether a chosen method may take so long on this image that the user has to confirm it."""
    return any(
        is_large(image, method.key, requested_parameters(method, values))
        for method in chosen_methods(values)
    )


def seed_number(value: Any) -> int:
    """The seed of the field, where it is one."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    # Of Inf and NaN the remainder is NaN.
    if number < 0 or number % 1:
        raise ParameterError(f"The seed is {_written(value)}; give an integer of 0 or more.")
    return int(number)


def _written(value: Any) -> Any:
    """A field's content for a sentence."""
    return "empty" if value is None else value

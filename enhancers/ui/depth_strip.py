"""The depths that a method is about to make one image of, as a row of thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from enhancers.depths import depths_with_weights
from enhancers.errors import ParameterError
from enhancers.image import MedicalImage
from enhancers.ui.gallery import small_png
from enhancers.ui.html import piece
from enhancers.ui.parameters import chosen_methods, parameter_values


def depth_strip_html(image: MedicalImage, values: Mapping[str, Any]) -> str:
    """The depths of an image with the weights that the method section gives them.

    Empty where no chosen method takes several depths, or the image has one alone. ``values`` are
    those of the method section by keyword.
    """
    method = next((method for method in chosen_methods(values) if method.depths), None)
    if method is None or image.depths is None:
        return ""
    try:
        depths = depths_with_weights(image, parameter_values(method, values))
    except ParameterError:
        # The line above Run says what is wrong.
        return ""
    thumbnails = [
        (base64.b64encode(small_png(depth)).decode(), f"{weight:.2f}") for depth, weight in depths
    ]
    return piece("depth_strip", method.label, thumbnails)

"""Gradio's Blocks, answering with the components that a handler changes and no others."""

from __future__ import annotations

import copy
from typing import Any

import gradio as gr


class QuickBlocks(gr.Blocks):  # type: ignore[misc]
    """Blocks whose answers cost what they change.

    Gradio makes every output of an event anew with each answer, those that stay as they are, too:
    0.17 s of processor time for the 159 of the compare page, at each of the answers until an image
    is shown.
    """

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> Any:
        """What is sent of an answer, for each output; of a dictionary by component, its items."""
        outputs = block_fn.outputs
        if not isinstance(predictions, dict) or not predictions.keys() <= set(outputs):
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [one for one in outputs if not _is_same(predictions.get(one, gr.skip()))]
        found: dict[Any, Any] = {}
        if changed:
            fewer = copy.copy(block_fn)
            fewer.outputs = changed
            values = {one: predictions[one] for one in changed}
            sent = await super().postprocess_data(fewer, values, state)
            found = dict(zip(changed, sent, strict=True))
        # As Gradio does, nothing is sent of a State.
        return [found.get(one, None if one.stateful else gr.skip()) for one in outputs]


def _is_same(value: Any) -> bool:
    return isinstance(value, dict) and value == gr.skip()

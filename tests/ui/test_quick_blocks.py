"""Answers of a page build what a handler changes, and are those of Gradio's own Blocks."""

from __future__ import annotations

import asyncio

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from enhancers.ui.quick_blocks import QuickBlocks


def page(kind: type[gr.Blocks]):
    """A page with a slider, a text, a choice and a state, and the function of its only event."""
    with kind() as blocks:
        slider, text = gr.Slider(0, 9, value=1), gr.Textbox("as it was")
        choice, kept = gr.Dropdown(["a", "b"], value="a"), gr.State("kept")
        gr.Button().click(lambda: None, None, [slider, text, choice, kept])
    return blocks, blocks.fns[0], (slider, text, choice, kept)


ANSWERS = {
    "some": lambda slider, text, choice, kept: {
        choice: gr.update(choices=["c"], value="c"), slider: 4, text: gr.skip(),
    },
    "one": lambda slider, text, choice, kept: {text: "now"},
    "state": lambda slider, text, choice, kept: {kept: "new", slider: gr.update(visible=False)},
    "none": lambda slider, text, choice, kept: {text: gr.skip()},
    "list": lambda slider, text, choice, kept: [2, "now", gr.skip(), "new"],
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_gradios(name: str) -> None:
    sent, states = [], []
    for kind in (gr.Blocks, QuickBlocks):
        blocks, function, parts = page(kind)
        state = SessionState(blocks)
        answer = ANSWERS[name](*parts)
        sent.append(asyncio.run(blocks.postprocess_data(function, answer, state)))
        states.append((state[parts[3]._id], state[parts[2]._id].choices))
    assert sent[0] == sent[1]
    assert states[0] == states[1]


def test_what_stays_is_not_made_anew(monkeypatch) -> None:
    blocks, function, (slider, text, *_) = page(QuickBlocks)
    made = []
    for kind in (gr.Slider, gr.Textbox, gr.Dropdown):
        first = kind.__init__

        def counted(self, *given, first=first, **options) -> None:
            made.append(type(self))
            first(self, *given, **options)

        monkeypatch.setattr(kind, "__init__", counted)
    answer = {slider: gr.update(value=3), text: gr.skip()}
    asyncio.run(blocks.postprocess_data(function, answer, SessionState(blocks)))
    assert made == [gr.Slider]

"""Methods of added networks on the page: places that networks move into, between and out of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from enhancers.errors import UnknownMethod
from enhancers.networks import installed
from enhancers.registry import get
from enhancers.settings import get_settings
from enhancers.ui.added_cards import PLACES, build_added_cards, by_method
from enhancers.ui.parameters import chosen_methods, parameter_values
from enhancers.ui.tab_handlers import card_text
from tests.support.restoration_files import added


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where networks come from; those that are added are in a folder of the test."""
    monkeypatch.setenv("READINGROOM_MODELS_DIR", str(tmp_path / "networks"))
    get_settings.cache_clear()
    yield tmp_path / "files"
    monkeypatch.undo()
    get_settings.cache_clear()


class Browser:
    """What an open page has in its fields."""

    def __init__(self) -> None:
        with gr.Blocks():
            self.cards = build_added_cards()
        self.values = {keyword: field.value for keyword, field in self.cards.inputs().items()}
        self.visible = [False] * PLACES

    def refresh(self, *, restore: bool = False) -> None:
        updates = self.cards.updates(self.values, restore=restore)
        for keyword, field in self.cards.inputs().items():
            update = updates.get(field)
            if isinstance(update, dict) and "value" in update:
                self.values[keyword] = update["value"]
            elif isinstance(update, str):
                self.values[keyword] = update
        for index, card in enumerate(self.cards.cards):
            if card.group in updates:
                self.visible[index] = updates[card.group]["visible"]
        self.section = updates[self.cards.section]["visible"]

    @property
    def methods(self) -> list[str]:
        keys = [self.values[f"added{number}__method"] for number in range(1, PLACES + 1)]
        assert [bool(key) for key in keys] == self.visible
        return [key for key in keys if key]


def test_networks_take_places_and_keep_their_values_when_they_move(folder: Path) -> None:
    page = Browser()
    page.refresh()
    assert (page.methods, page.section) == ([], False)
    added(folder, "DRUNet", key="beta", label="Beta")
    page.refresh()
    assert (page.methods, page.section) == (["beta"], True)
    page.values |= {"added1": True, "added1__sigma": "0.07", "added1__unclip": False}
    added(folder, "DnCNN", key="alpha")
    page.refresh()
    assert page.methods == ["alpha", "beta"]
    assert [method.key for method in chosen_methods(page.values)] == ["beta"]
    wanted = {"prior": "beta", "sigma": 0.07, "unclip": False}
    assert parameter_values(get("beta"), page.values) == wanted
    before = dict(page.values)
    page.refresh()
    assert page.values == before
    page.refresh(restore=True)
    assert page.values == before
    installed.remove("alpha")
    page.refresh()
    assert page.methods == ["beta"]
    assert parameter_values(get("beta"), page.values) == wanted
    installed.remove("beta")
    with pytest.raises(UnknownMethod, match="No method beta"):
        chosen_methods(page.values)
    page.refresh()
    assert (page.methods, page.section) == ([], False)
    assert chosen_methods(page.values) == []


def test_values_of_places_are_values_of_methods() -> None:
    values = {"nlm": True, "added2": True, "added2__method": "mine", "added2__sigma": "0.1"}
    assert by_method(values) == {"nlm": True, "mine": True, "mine__sigma": "0.1"}
    assert by_method({"added1": True, "added1__method": ["no", "key"]}) == {}


def test_a_page_runs_it_and_has_its_card(folder: Path, handlers: SimpleNamespace) -> None:
    added(folder, licence="CC-BY-4.0", key="mine")
    assert "CC-BY-4.0" in card_text("mine")
    values = {"added1": True, "added1__method": "mine"}
    found = {method.key: box for method, box in handlers.layout.choices(values)}
    assert found["mine"] is handlers.layout.added.cards[0].chosen
    assert "nlm" in found

"""The Networks tab without a browser: what it shows, asks for and refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import pytest

from enhancers.networks import installed
from enhancers.networks.entry import FromUser, NetworkEntry
from enhancers.networks.installed import State
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import Progress
from enhancers.settings import get_settings, read_settings
from enhancers.ui import StudyLinks, gallery, layout, network_handlers
from enhancers.ui import networks_tab as view
from enhancers.ui.network_handlers import NetworkHandlers, network_import, with_field_names
from enhancers.ui.page_updates import PageUpdates
from enhancers.ui.parameters import prior_choices
from enhancers.ui.viewer import PixelStore
from tests.support.network_files import guided_file

TAB = SimpleNamespace(session_hash="tab")
FIELDS = ("path", "like", "heads", "order", "key", "label", "native", "tiles", "schedule",
          "licence")  # fmt: skip
BLANK = dict.fromkeys(FIELDS, "") | {"upload": None}


@pytest.fixture
def models(tmp_path, monkeypatch) -> Iterator:
    monkeypatch.setenv("READINGROOM_MODELS_DIR", str(tmp_path / "networks"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    get_settings.cache_clear()
    yield tmp_path / "networks"
    monkeypatch.undo()
    get_settings.cache_clear()


def made(changes: bool = True) -> NetworkHandlers:
    with gr.Blocks():
        drawn = layout.build_layout({}, gallery.tiles(), [], StudyLinks(), changes=changes)
    settings = read_settings().model_copy(update={"network_changes": changes})
    return NetworkHandlers(PageUpdates(drawn, PixelStore()), settings)


@pytest.fixture
def handlers(models) -> NetworkHandlers:
    return made()


def press(handlers: NetworkHandlers, action: str, key: str) -> list[dict]:
    return list(handlers.act(SimpleNamespace(action=action, key=key), TAB))


def notice(handlers: NetworkHandlers, updates: dict) -> str:
    return updates[handlers.updates.layout.notice]


def test_every_network_says_what_it_is_and_what_a_fetch_costs(models):
    html = view.list_html(installed.states(), changes=True)
    for entry in (
        network_entry(key) for key in ("pixel", "latent", "sd15", "adm256", "ct-abdomen")
    ):
        assert entry.label in html
        assert entry.summary.replace("'", "&#39;") in html
        assert entry.licence in html
    assert "Download 2.2 GB" in html
    assert "Download 2.1 GB" in html
    assert "Add CT.pt" in html
    assert html.count('data-action="remove"') == 0
    assert view.list_html(installed.states(), changes=True, busy=True).count(
        " disabled"
    ) == html.count("<button")


def test_what_others_wrote_is_shown_as_text():
    hostile = "<img src=x onerror=alert(1)>"
    entry = NetworkEntry(
        key="mine", label=hostile, summary=hostile, kind="pixel", parts=("unet",),
        licence=hostile, source=FromUser(hostile, hostile),
    )  # fmt: skip
    html = view.list_html([State("mine", entry, "damaged", 0, 0, hostile)], changes=True)
    assert "<img" not in html
    assert "<img" not in view.work_html(hostile, 0.5, hostile)


def test_the_form_is_read_into_an_addition():
    wanted = network_import(
        {**BLANK, "path": " /data/x.pt ", "heads": "0", "order": "new", "tiles": "whole"}
    )
    assert (str(wanted.path), wanted.head_channels, wanted.qkv_order) == ("/data/x.pt", 0, "new")
    assert wanted.tiles is False
    assert (wanted.key, wanted.like, wanted.native, wanted.schedule) == (None, None, None, None)
    assert str(network_import({**BLANK, "upload": "/tmp/a.pt", "path": "/b"}).path) == "/tmp/a.pt"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "nothing to add"),
        ({"path": "/x", "heads": "many"}, "Channels per attention head"),
        ({"path": "/x", "native": "-3"}, "Size of the training images"),
        ({"path": "/x", "native": "9" * 30}, "an integer"),
    ],
)
def test_what_cannot_be_meant_is_told(handlers, fields, said):
    (updates,) = handlers.add(TAB, **{**BLANK, **fields})
    assert said in notice(handlers, updates).replace("&#39;", "'")


def test_the_sentences_name_the_fields_of_the_page():
    assert with_field_names("give --qkv-order legacy, or another --key.") == (
        "give 'Order of the attention rows' legacy, or another 'Short name'."
    )


def test_a_command_that_is_to_be_copied_keeps_its_options(handlers, monkeypatch):
    *_, ended = press(handlers, "fetch", "sd15")
    said = notice(handlers, ended)
    assert "python -m enhancers networks add FOLDER --like sd15." in said
    command = "python -m enhancers networks add CT.pt --like ct-abdomen. Give --key."
    assert with_field_names(command) == command.replace("--key", "'Short name'")


def test_a_path_is_added_and_the_file_stays(handlers, models, tmp_path):
    path = guided_file(tmp_path / "liver.pt")
    *_, asked = handlers.add(TAB, **{**BLANK, "path": str(path)})
    assert "does not specify everything" in notice(handlers, asked)
    *_, done = handlers.add(TAB, **{**BLANK, "path": str(path), "heads": "32", "order": "legacy"})
    assert "DDNM or UniMIE" in notice(handlers, done)
    assert path.is_file()
    assert ("liver", "liver") in prior_choices("pixel")
    assert "Further networks" in done[handlers.updates.layout.header]


def test_an_upload_is_not_kept_twice(handlers, models, tmp_path):
    path = guided_file(tmp_path / "liver.pt")
    fields = {**BLANK, "upload": str(path), "heads": "32", "order": "legacy"}
    *_, done = handlers.add(TAB, **fields)
    assert "was added" in notice(handlers, done)
    assert not path.exists()


def test_a_network_that_is_not_here_is_offered_and_told(handlers):
    assert ("Heart MR DDPM (not installed)", "mr-heart") in prior_choices("pixel")
    assert all(key in ("latent", "sd15") for _, key in prior_choices("latent"))
    assert "not on this machine" in notice(handlers, handlers.chosen("mr-heart"))
    assert notice(handlers, handlers.chosen("pixel")) == ""


def test_a_removed_network_leaves_its_method_on_the_embedded_one(handlers):
    updates = handlers.show(null_space__prior="gone", unimie__prior="adm256")
    fields = handlers.fields()
    assert updates[fields["null_space__prior"]]["value"] == "pixel"
    assert updates[fields["unimie__prior"]]["value"] == "adm256"


def test_a_fetch_is_refused_without_the_net_with_both_ways(handlers):
    *_, ended = press(handlers, "fetch", "adm256")
    said = notice(handlers, ended)
    assert "HF_HUB_OFFLINE" in said
    assert "add a copy" in said


def test_a_fetch_shows_how_far_it_is_and_stops(handlers, monkeypatch):
    closed = threading.Event()

    def endless(key):
        try:
            while True:
                yield Progress("Downloading", 1_200_000_000, 2_400_000_000)
        finally:
            closed.set()

    monkeypatch.setitem(network_handlers.ACTIONS, "fetch", endless)
    going = handlers.act(SimpleNamespace(action="fetch", key="adm256"), TAB)
    next(going)
    shown = next(going)[handlers.updates.layout.networks.progress]
    assert "width:50.0%" in shown
    assert "1.2 GB of 2.4 GB" in shown
    (second,) = press(handlers, "verify", "pixel")
    assert "Another job" in notice(handlers, second)
    handlers.stop(TAB)
    *_, ended = going
    assert closed.is_set()
    assert "Stopped" in notice(handlers, ended)
    assert len(press(handlers, "verify", "pixel")) > 1


def test_an_unforeseen_failure_is_a_sentence_and_the_tab_goes_on(handlers, monkeypatch, caplog):
    def failing(key):
        yield Progress("", 0, 0)
        raise OSError("/secret/path")

    monkeypatch.setitem(network_handlers.ACTIONS, "fetch", failing)
    *_, ended = press(handlers, "fetch", "adm256")
    assert "OSError" in notice(handlers, ended)
    assert "/secret" not in notice(handlers, ended)
    assert "is intact" in notice(handlers, press(handlers, "verify", "latent")[-1])


def test_the_embedded_networks_cannot_be_removed(handlers):
    *_, ended = press(handlers, "remove", "pixel")
    assert "comes with the project" in notice(handlers, ended)
    *_, ended = press(handlers, "paint", "pixel")
    assert "no such action" in notice(handlers, ended)


def test_where_visitors_may_not_change_networks_there_are_no_buttons(models, tmp_path):
    handlers = made(changes=False)
    tab = handlers.updates.layout.networks
    assert tab.form is None
    assert "<button" not in handlers.show()[tab.list]
    assert "Visitors cannot" in handlers.show()[tab.list]
    for action in ("fetch", "remove", "verify"):
        (refused,) = press(handlers, action, "adm256")
        assert "Visitors cannot" in notice(handlers, refused)
    (refused,) = handlers.add(TAB, **{**BLANK, "path": str(guided_file(tmp_path / "x.pt"))})
    assert "Visitors cannot" in notice(handlers, refused)
    assert "The Networks tab" not in notice(handlers, handlers.chosen("adm256"))

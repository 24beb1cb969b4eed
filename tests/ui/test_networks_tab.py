"""The Networks tab without a browser: what it shows, asks for and refuses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import gradio as gr
import pytest

from enhancers.networks import installed
from enhancers.networks.catalog import FromUser, NetworkEntry
from enhancers.networks.digests import Progress
from enhancers.networks.installed import State
from enhancers.networks.lookup import network_entry
from enhancers.settings import get_settings, read_settings
from enhancers.ui import StudyLinks, gallery, layout, networks
from enhancers.ui import networks_view as view
from enhancers.ui.networks import Networks, addition, on_page
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


def made(changes: bool = True) -> Networks:
    with gr.Blocks():
        drawn = layout.draw({}, gallery.tiles(), [], StudyLinks(), changes=changes)
    settings = read_settings().model_copy(update={"network_changes": changes})
    return Networks(PageUpdates(drawn, PixelStore()), settings)


@pytest.fixture
def room(models) -> Networks:
    return made()


def press(room: Networks, action: str, key: str) -> list[dict]:
    return list(room.act(SimpleNamespace(action=action, key=key), TAB))


def notice(room: Networks, updates: dict) -> str:
    return updates[room.screen.layout.notice]


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
    wanted = addition(
        {**BLANK, "path": " /data/x.pt ", "heads": "0", "order": "new", "tiles": "whole"}
    )
    assert (str(wanted.path), wanted.head_channels, wanted.qkv_order) == ("/data/x.pt", 0, "new")
    assert wanted.tiles is False
    assert (wanted.key, wanted.like, wanted.native, wanted.schedule) == (None, None, None, None)
    assert str(addition({**BLANK, "upload": "/tmp/a.pt", "path": "/b"}).path) == "/tmp/a.pt"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "nothing to add"),
        ({"path": "/x", "heads": "many"}, "Channels of an attention head"),
        ({"path": "/x", "native": "-3"}, "Side of its training images"),
        ({"path": "/x", "native": "9" * 30}, "whole number"),
    ],
)
def test_what_cannot_be_meant_is_told(room, fields, said):
    (updates,) = room.add(TAB, **{**BLANK, **fields})
    assert said in notice(room, updates).replace("&#39;", "'")


def test_the_sentences_name_the_fields_of_the_page():
    assert on_page("give --qkv-order legacy, or another --key.") == (
        "give 'Order of the attention's rows' legacy, or another 'Short name'."
    )


def test_a_path_is_added_and_the_file_stays(room, models, tmp_path):
    path = guided_file(tmp_path / "liver.pt")
    *_, asked = room.add(TAB, **{**BLANK, "path": str(path)})
    assert "does not tell everything" in notice(room, asked)
    *_, done = room.add(TAB, **{**BLANK, "path": str(path), "heads": "32", "order": "legacy"})
    assert "DDNM or UniMIE" in notice(room, done)
    assert path.is_file()
    assert ("liver", "liver") in prior_choices("pixel")
    assert "Further networks" in done[room.screen.layout.header]


def test_an_upload_is_not_kept_twice(room, models, tmp_path):
    path = guided_file(tmp_path / "liver.pt")
    fields = {**BLANK, "upload": str(path), "heads": "32", "order": "legacy"}
    *_, done = room.add(TAB, **fields)
    assert "is here" in notice(room, done)
    assert not path.exists()


def test_a_network_that_is_not_here_is_offered_and_told(room):
    assert ("Heart MR DDPM (not here)", "mr-heart") in prior_choices("pixel")
    assert all(key in ("latent", "sd15") for _, key in prior_choices("latent"))
    assert "not on this machine" in notice(room, room.chosen("mr-heart"))
    assert notice(room, room.chosen("pixel")) == ""


def test_a_removed_network_leaves_its_method_on_the_embedded_one(room):
    updates = room.show(null_space__prior="gone", unimie__prior="adm256")
    fields = room.fields()
    assert updates[fields["null_space__prior"]]["value"] == "pixel"
    assert updates[fields["unimie__prior"]]["value"] == "adm256"


def test_a_fetch_is_refused_without_the_net_with_both_ways(room):
    *_, ended = press(room, "fetch", "adm256")
    said = notice(room, ended)
    assert "HF_HUB_OFFLINE" in said
    assert "add a copy" in said


def test_a_fetch_shows_how_far_it_is_and_stops(room, monkeypatch):
    closed = threading.Event()

    def endless(key):
        try:
            while True:
                yield Progress("Downloading", 1_200_000_000, 2_400_000_000)
        finally:
            closed.set()

    monkeypatch.setitem(networks._ACTIONS, "fetch", endless)
    going = room.act(SimpleNamespace(action="fetch", key="adm256"), TAB)
    next(going)
    shown = next(going)[room.screen.layout.networks.told]
    assert "width:50.0%" in shown
    assert "1.2 GB of 2.4 GB" in shown
    (second,) = press(room, "verify", "pixel")
    assert "under way" in notice(room, second)
    room.stop(TAB)
    *_, ended = going
    assert closed.is_set()
    assert "Stopped" in notice(room, ended)
    assert len(press(room, "verify", "pixel")) > 1


def test_an_unforeseen_failure_is_a_sentence_and_the_tab_goes_on(room, monkeypatch, caplog):
    def failing(key):
        yield Progress("", 0, 0)
        raise OSError("/secret/path")

    monkeypatch.setitem(networks._ACTIONS, "fetch", failing)
    *_, ended = press(room, "fetch", "adm256")
    assert "OSError" in notice(room, ended)
    assert "/secret" not in notice(room, ended)
    assert "as it should be" in notice(room, press(room, "verify", "latent")[-1])


def test_the_embedded_networks_cannot_be_removed(room):
    *_, ended = press(room, "remove", "pixel")
    assert "comes with the project" in notice(room, ended)
    *_, ended = press(room, "paint", "pixel")
    assert "cannot do that" in notice(room, ended)


def test_where_visitors_may_not_change_networks_there_are_no_buttons(models, tmp_path):
    room = made(changes=False)
    tab = room.screen.layout.networks
    assert tab.form is None
    assert "<button" not in room.show()[tab.list]
    assert "visitors cannot" in room.show()[tab.list]
    for action in ("fetch", "remove", "verify"):
        (refused,) = press(room, action, "adm256")
        assert "visitors cannot" in notice(room, refused)
    (refused,) = room.add(TAB, **{**BLANK, "path": str(guided_file(tmp_path / "x.pt"))})
    assert "visitors cannot" in notice(room, refused)
    assert "The Networks tab" not in notice(room, room.chosen("adm256"))

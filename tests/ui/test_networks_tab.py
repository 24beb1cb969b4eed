"""The Networks tab without a browser: what it shows, asks for and refuses."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from enhancers.networks import installed
from enhancers.networks.entry import FromUser, NetworkEntry
from enhancers.networks.installed import State
from enhancers.networks.lookup import network_entry
from enhancers.networks.progress import Progress
from enhancers.settings import get_settings, read_settings
from enhancers.ui import StudyLinks, gallery, layout, network_handlers, page_handlers
from enhancers.ui import networks_tab as view
from enhancers.ui.layout import Layout
from enhancers.ui.network_form import network_import, with_field_names, without_paths
from enhancers.ui.network_handlers import NetworkHandlers
from enhancers.ui.page_handlers import PageHandlers
from enhancers.ui.page_updates import PageUpdates
from enhancers.ui.parameters import prior_choices
from enhancers.ui.sessions import Sessions
from enhancers.ui.viewer import PixelStore
from tests.support.compare_page import IMAGE
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


@functools.cache
def drawn(changes: bool, has_folder: bool) -> Layout:
    """The components of a page; what handlers return names them, and changes none."""
    folder = Path("/folder of networks") if has_folder else None
    with gr.Blocks():
        return layout.build_layout(
            {}, gallery.tiles(), [], StudyLinks(), changes=changes, network_folder=folder
        )


def made(changes: bool = True, folder: Path | None = None) -> NetworkHandlers:
    chosen = {"network_changes": changes, "network_folder": folder}
    settings = read_settings().model_copy(update=chosen)
    updates = PageUpdates(drawn(changes, folder is not None), PixelStore())
    return NetworkHandlers(updates, settings)


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


def test_the_form_is_read_into_an_addition(tmp_path):
    fields = {"path": " x.pt ", "heads": "0", "order": "new", "tiles": "whole"}
    wanted = network_import({**BLANK, **fields}, tmp_path)
    assert wanted.path == tmp_path.resolve() / "x.pt"
    assert (wanted.head_channels, wanted.qkv_order) == (0, "new")
    assert wanted.tiles is False
    assert (wanted.key, wanted.like, wanted.native, wanted.schedule) == (None, None, None, None)
    assert str(network_import({**BLANK, "upload": "/tmp/a.pt", "path": "/b"}).path) == "/tmp/a.pt"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "nothing to add"),
        ({"upload": "/x", "heads": "many"}, "Channels per attention head"),
        ({"upload": "/x", "native": "-3"}, "Size of the training images"),
        ({"upload": "/x", "native": "9" * 30}, "an integer"),
        ({"path": "/etc/passwd"}, "takes no path of the server"),
        ({"path": "/nothing/here"}, "takes no path of the server"),
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


def test_without_the_setting_there_is_no_field_for_a_path(handlers):
    assert handlers.updates.layout.networks.form.path is None
    assert made(folder=Path("/")).updates.layout.networks.form.path is not None


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/nothing/here", "../secret.pt", "out/x.pt", ".", "link.pt", "a\0b"]
)
def test_a_path_out_of_the_folder_is_refused_whether_it_exists_or_not(models, tmp_path, path):
    home = tmp_path / "home"
    home.mkdir()
    guided_file(tmp_path / "secret.pt")
    (home / "link.pt").symlink_to(tmp_path / "secret.pt")
    (home / "out").symlink_to(tmp_path)
    handlers = made(folder=home)
    (refused,) = handlers.add(TAB, **{**BLANK, "path": path})
    assert "is no path in the server&#39;s folder" in notice(handlers, refused)


ANSWERS = {
    "file": "neither a file nor a folder", "config": "config.json is neither",
    "missing": "no file x.pt", "damaged": "truncated", "folder": "config.json",
}  # fmt: skip


@pytest.mark.parametrize("kind", ANSWERS)
def test_what_the_form_answers_names_no_folder_of_the_server(models, tmp_path, kind):
    home = tmp_path / "home of networks"
    (home / "net" / "unet").mkdir(parents=True)
    if kind == "file":
        os.mkfifo(home / "x.pt")
    elif kind == "damaged":
        (home / "x.pt").write_bytes(b"PK broken")
    elif kind == "config":
        os.mkfifo(home / "net" / "unet" / "config.json")
    handlers = made(folder=home)
    name = "net" if kind in ("config", "folder") else "x.pt"
    *_, ended = handlers.add(TAB, **{**BLANK, "path": name})
    said = notice(handlers, ended)
    assert ANSWERS[kind] in said
    assert "home of" not in said
    assert str(tmp_path) not in said


def test_messages_name_files_by_their_last_name_only(tmp_path, monkeypatch):
    monkeypatch.setenv("READINGROOM_MODELS_DIR", str(tmp_path / "my networks"))
    get_settings.cache_clear()
    said = (
        f"It lies in {tmp_path / 'my networks' / 'liver' / 'x.pt'}: delete '/srv/a/b.pt', and/or c."
    )
    assert without_paths(said) == "It lies in x.pt: delete 'b.pt', and/or c."
    get_settings.cache_clear()
    assert without_paths("See https://example.org/a/b.") == "See https://example.org/a/b."


def test_a_path_is_added_and_the_file_stays(models, tmp_path):
    handlers = made(folder=tmp_path)
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


def test_a_page_that_is_loaded_again_keeps_its_networks(handlers, monkeypatch):
    monkeypatch.setattr(page_handlers, "import_torch", lambda: None)
    monkeypatch.setattr(page_handlers.devices, "devices", lambda: ["cpu"])
    monkeypatch.setattr(handlers, "header", lambda: "")
    sessions, fields = Sessions(), handlers.fields()
    page = PageHandlers(handlers.updates, sessions, handlers.settings, handlers)
    left = sessions.get("tab")
    left.settings = {"null_space__prior": "gone", "unimie__prior": "adm256"}
    left.replace_image(IMAGE)
    request = SimpleNamespace(session_hash="again")
    for shown in (page.resume(left.token, request), page.opened(request)):
        assert shown[fields["null_space__prior"]]["value"] == "pixel"
        assert shown[fields["unimie__prior"]]["value"] == "adm256"


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

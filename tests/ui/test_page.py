"""The compare page without a browser: its parameters, sessions, handlers, routes and texts."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from enhancers.compare import Event, Request, compare
from enhancers.errors import ParameterError
from enhancers.image import from_array
from enhancers.job_queue import QueueStatus
from enhancers.method import Modality
from enhancers.method_interface import Figure, Result, Step
from enhancers.metrics import METRICS, Score, ScoreRow
from enhancers.registry import METHODS, get, resolve
from enhancers.save import read_png16, to_png16
from enhancers.settings import get_settings, read_settings
from enhancers.ui import StudyLinks, build, download_routes, gallery, render, run_handlers
from enhancers.ui import parameters as fields
from enhancers.ui.image_handlers import ImageHandlers
from enhancers.ui.layout import METRICS_TAB
from enhancers.ui.metrics_table import metrics_html
from enhancers.ui.page_updates import DOWNLOADS, PageUpdates
from enhancers.ui.render import Notice
from enhancers.ui.session import INPUT, MethodRun, Run, Session, Sessions
from enhancers.ui.viewer import PixelStore

ROOT = Path(__file__).resolve().parents[2]
IMAGE = from_array(np.random.default_rng(0).random((32, 40)).astype(np.float32), Modality.US)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINGROOM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("READINGROOM_CACHE_GB", "0")
        get_settings.cache_clear()
        yield build(read_settings())
    get_settings.cache_clear()


@pytest.fixture
def handlers(page):
    """The handlers on a page of their own, and the request of a tab."""
    from enhancers.load import DEFAULT_CAPS
    from enhancers.ui import layout

    sessions = Sessions()
    with gr.Blocks():
        drawn = layout.build_layout({}, gallery.tiles(), [], StudyLinks())
    updates = PageUpdates(drawn, PixelStore())
    return SimpleNamespace(
        layout=drawn,
        sessions=sessions,
        run_handlers=run_handlers.RunHandlers(updates, sessions),
        image_handlers=ImageHandlers(updates, sessions, DEFAULT_CAPS),
        request=SimpleNamespace(session_hash="tab"),
    )


def values(*chosen, modality=Modality.OTHER, **edited):
    """What the page would hand to a handler."""
    found = {"seed": 0, "device": "cpu", "confirm": False}
    for method in METHODS:
        found[method.key] = method.key in chosen
        for name, value in resolve(method.key, modality).items():
            shown = fields.field_value(method.parameter(name), value)
            found[fields.FIELD_KEY.format(method=method.key, parameter=name)] = shown
    return found | edited


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)
@pytest.mark.parametrize("modality", list(Modality))
def test_untouched_fields_mean_the_preset(method, modality):
    assert fields.parameter_values(method, values(modality=modality)) == resolve(
        method.key, modality
    )


def test_every_parameter_has_a_field_and_every_keyword_is_different(handlers):
    inputs = handlers.layout.method_inputs()
    wanted = {
        fields.FIELD_KEY.format(method=method.key, parameter=parameter.name)
        for method in METHODS
        for parameter in method.parameters
    }
    assert set(inputs) == wanted | {method.key for method in METHODS} | {
        "seed",
        "device",
        "confirm",
    }


def test_an_empty_automatic_field_is_none_and_text_becomes_a_number():
    keyword = "nlm__sigma"
    assert fields.parameter_values(get("nlm"), values(**{keyword: "  "}))["sigma"] is None
    assert fields.parameter_values(get("nlm"), values(**{keyword: "0.05"}))["sigma"] == 0.05
    with pytest.raises(ParameterError, match="sigma=7"):
        fields.parameter_values(get("nlm"), values(**{keyword: "7"}))


def test_presets_follow_the_modality_but_not_into_edited_fields():
    changes = fields.preset_changes(Modality.OTHER, Modality.MR, values())
    assert changes["nlm__noise"] == "rician"
    assert all(value != values()[keyword] for keyword, value in changes.items())
    edited = values(clahe__clip_limit=5.0)
    lighter = fields.preset_changes(Modality.OTHER, Modality.CT, values())
    assert lighter["clahe__clip_limit"] == 1.0
    assert "clahe__clip_limit" not in fields.preset_changes(Modality.OTHER, Modality.CT, edited)


def test_presets_there_and_back_leave_what_was():
    after = values() | fields.preset_changes(Modality.OTHER, Modality.CT, values())
    back = after | fields.preset_changes(Modality.CT, Modality.OTHER, after)
    assert back == values()


def step(fraction=0.5, preview=None):
    return Step(fraction, preview, 3.0, "step 5 of 10")


def run_of(*keys):
    session = Session()
    session.replace_image(IMAGE)
    session.start(Run(IMAGE, [MethodRun(Request(key), get(key).label) for key in keys], 0))
    return session


def states(run):
    return [method.state for method in run.methods]


def test_a_run_advances_stops_and_forgets_its_previews():
    session = run_of("srad", "clahe", "tv")
    run = session.run
    assert states(run) == ["running", "waiting", "waiting"]
    for event in compare(IMAGE, [Request("srad")]):
        run.apply(event)
    assert states(run) == ["done", "running", "waiting"]
    run.apply(Event(1, "clahe", step(preview=IMAGE.pixels)))
    assert run.methods[1].pixels is IMAGE.pixels
    run.stop()
    assert states(run) == ["done", "stopped", "stopped"]
    assert run.methods[1].pixels is None
    run.apply(Event(1, "clahe", step(0.9)))
    assert run.methods[1].state == "stopped"
    assert not run.active
    assert [key for key, _, _ in session.panels()] == [INPUT, "srad"]


def test_a_failed_method_lets_the_next_one_begin():
    run = run_of("srad", "clahe").run
    run.apply(Event(0, "srad", step(1.0), error="It <broke>."))
    assert states(run) == ["failed", "running"]


def test_sessions_are_few_and_found_by_token_only():
    sessions = Sessions(capacity=3)
    made = [sessions.get(str(number)) for number in range(5)]
    assert len(sessions) == 3
    assert sessions.get("4") is made[4]
    assert sessions.by_token(made[4].token) is made[4]
    assert sessions.by_token(made[0].token) is None
    sessions.remove("4")
    assert sessions.by_token(made[4].token) is None
    assert len({session.token for session in made}) == 5


def test_what_still_runs_when_a_tab_is_closed_leaves_no_session_behind(monkeypatch):
    sessions = Sessions()
    sessions.get("tab")
    sessions.remove("tab")
    late = sessions.get("tab")
    assert len(sessions) == 0
    assert sessions.by_token(late.token) is None
    monkeypatch.setattr("enhancers.ui.session.LATE_EVENT_SECONDS", 0.0)
    assert sessions.get("tab") is sessions.get("tab")


def test_another_image_clears_results_and_measures():
    session = run_of("srad")
    session.set_truth(IMAGE.pixels, None, "uploaded")
    session.scores["input"] = ScoreRow("input", ())
    session.replace_image(IMAGE)
    assert session.run is None
    assert session.truth is None
    assert session.scores == {}


def test_run_draws_every_method_and_ends_with_free_buttons(handlers):
    handlers.sessions.get("tab").replace_image(IMAGE)
    drawn = list(handlers.run_handlers.run(handlers.request, **values("srad", "clahe")))
    last = drawn[-1]
    assert [panel["key"] for panel in last[handlers.layout.viewer]["panels"]] == [
        "input",
        "srad",
        "clahe",
    ]
    assert last[handlers.layout.run]["interactive"]
    assert not last[handlers.layout.stop]["interactive"]
    assert not drawn[0][handlers.layout.run]["interactive"]
    assert drawn[0][handlers.layout.stop]["interactive"]


def test_closing_a_run_closes_the_methods(handlers, monkeypatch):
    closed = []

    def endless(*_, **__):
        try:
            while True:
                yield Event(0, "srad", step(preview=IMAGE.pixels))
        finally:
            closed.append(True)

    monkeypatch.setattr(run_handlers, "compare", endless)
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    events = handlers.run_handlers.run(handlers.request, **values("srad"))
    for _ in range(3):
        next(events)
    events.close()
    assert closed == [True]
    assert session.run.methods[0].state == "stopped"


def test_stop_ends_the_stream_even_when_the_cancel_is_lost(handlers, monkeypatch):
    def endless(*_, **__):
        while True:
            yield Event(0, "srad", step(preview=IMAGE.pixels))

    monkeypatch.setattr(run_handlers, "compare", endless)
    handlers.sessions.get("tab").replace_image(IMAGE)
    events = handlers.run_handlers.run(handlers.request, **values("srad"))
    next(events)
    next(events)
    handlers.run_handlers.stop(handlers.request)
    assert len(list(events)) <= 1


def in_line(ahead, seconds):
    wait = QueueStatus(ahead, seconds, "the CPU")
    return Event(0, "srad", Step(0.0, None, seconds, wait.text), wait=wait)


def test_a_run_in_line_shows_its_place_and_time_and_draws_only_what_changes(handlers, monkeypatch):
    queued = [in_line(2, 35.2), in_line(2, 34.9), in_line(2, 33.0), in_line(1, None)]
    finished = list(compare(IMAGE, [Request("srad")]))[-1]
    monkeypatch.setattr(run_handlers, "compare", lambda *_, **__: (e for e in [*queued, finished]))
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    page = handlers.layout
    _, first, second, third, *rest = handlers.run_handlers.run(handlers.request, **values("srad"))
    assert "2 runs ahead of yours" in first[page.progress]
    assert "starts in about 35 s" in first[page.progress]
    assert first[page.progress].count("<i></i>") == 2
    assert "Waiting for the CPU." in first[page.estimate]
    assert first[page.stop]["interactive"]
    assert page.viewer in first
    assert "about 33 s" in second[page.progress]
    assert page.viewer not in second
    assert "1 run ahead of yours" in third[page.progress]
    assert "starts in" not in third[page.progress]
    assert "Running." in rest[0][page.estimate]
    assert "in-line" not in rest[0][page.progress]
    assert rest[-1][page.run]["interactive"]
    assert session.run.methods[0].state == "done"


def test_stop_while_in_line_is_a_stopped_run():
    session = run_of("srad", "clahe")
    session.run.apply(in_line(3, 10.0))
    assert session.run.methods[0].state == "queued"
    assert session.run.wait.ahead == 3
    session.run.stop()
    assert session.run.wait is None
    assert states(session.run) == ["stopped", "stopped"]
    assert "in-line" not in render.progress_html(session, "base/")


def test_many_ahead_are_counted_and_not_all_drawn():
    session = run_of("srad")
    session.run.apply(in_line(40, 4000.0))
    html = render.progress_html(session, "base/")
    assert html.count("<i></i>") == render.MAX_QUEUE_DOTS
    assert "40 runs ahead" in html
    assert "about 67 min" in html


def test_an_image_that_replaces_the_running_one_is_not_drawn_over(handlers, monkeypatch):
    session = handlers.sessions.get("tab")

    def replaced(*_, **__):
        yield in_line(1, 5.0)
        session.replace_image(IMAGE)
        yield in_line(1, 4.0)

    monkeypatch.setattr(run_handlers, "compare", replaced)
    session.replace_image(IMAGE)
    last = list(handlers.run_handlers.run(handlers.request, **values("srad")))[-1]
    assert last == handlers.run_handlers.updates.unchanged()


def test_runs_in_line_leave_threads_for_everything_else(page):
    threads = page.launch_options["max_threads"]
    (limit,) = {
        fn.concurrency_limit for fn in page.blocks.fns.values() if fn.concurrency_id == "methods"
    }
    assert threads > limit > 1
    assert threads != 40, "Gradio then takes the threads of the whole server"


def test_a_time_that_is_not_known_is_not_called_seconds():
    assert render.estimate_text(2, 0.0) == "2 methods · a few seconds"
    assert "not known" in render.estimate_text(2, 3.0, unknown=True)


@pytest.mark.parametrize(
    ("chosen", "edited", "says"),
    [
        ((), {}, "No method is selected"),
        (("srad",), {"seed": -3}, "seed is -3"),
        (("srad",), {"seed": None}, "seed"),
        (("srad",), {"srad__steps": "many"}, "SRAD: steps=many"),
    ],
)
def test_what_cannot_run_is_said_and_nothing_starts(handlers, chosen, edited, says):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    (updates,) = list(handlers.run_handlers.run(handlers.request, **values(*chosen, **edited)))
    assert says in updates[handlers.layout.notice]
    assert session.run is None


def test_a_large_image_needs_a_confirmation_for_diffusion_only(handlers):
    large = from_array(np.zeros((1025, 1025), np.float32))
    handlers.sessions.get("tab").replace_image(large)
    (updates,) = list(handlers.run_handlers.run(handlers.request, **values("null_space")))
    assert "1024 x 1024" in updates[handlers.layout.notice]
    first = next(handlers.run_handlers.run(handlers.request, **values("clahe")))
    assert handlers.layout.viewer in first


def test_a_bad_file_changes_only_the_notice(handlers, tmp_path):
    session = handlers.sessions.get("tab")
    session.replace_image(IMAGE)
    bad = tmp_path / "notes.dcm"
    bad.write_text("no image")
    updates = handlers.image_handlers.upload(str(bad), handlers.request, **values())
    assert set(updates) == {handlers.layout.notice}
    assert session.image is IMAGE


def test_every_sample_opens_with_its_modality_and_truth(handlers):
    for group in gallery.tiles()["groups"]:
        for tile in group["items"]:
            event = SimpleNamespace(key=tile["key"])
            handlers.image_handlers.sample(event, handlers.request, **values())
            session = handlers.sessions.get("tab")
            assert session.sample == tile["key"]
            assert session.image.modality is not Modality.OTHER
            assert (session.truth is not None) == ("Synthetic" in group["title"])
            assert gallery.thumbnail_png(tile["key"]).startswith(b"\x89PNG")


@pytest.fixture
def client():
    sessions = Sessions()
    app = FastAPI()
    app.include_router(download_routes.router(sessions))
    return TestClient(app), sessions


def test_downloads_are_exact_and_private(client):
    http, sessions = client
    session = sessions.get("tab")
    session.replace_image(IMAGE)
    session.start(Run(IMAGE, [MethodRun(Request("srad"), "SRAD")], 0))
    assert http.get(f"/{DOWNLOADS}{session.token}/bundle.zip").status_code == 404
    for event in compare(IMAGE, [Request("srad")]):
        session.run.apply(event)
    answer = http.get(f"/{DOWNLOADS}{session.token}/srad.png")
    result = session.run.methods[0].pixels
    np.testing.assert_array_equal(read_png16(answer.content), read_png16(to_png16(result)))
    assert answer.headers["cache-control"] == "no-store"
    bundle = http.get(f"/{DOWNLOADS}{session.token}/bundle.zip")
    with zipfile.ZipFile(io.BytesIO(bundle.content)) as archive:
        assert {"input.png", "srad.png", "provenance.json"} <= set(archive.namelist())
    for address in (f"{session.token}/tv.png", f"{'0' * 32}/srad.png", "x/bundle.zip"):
        assert http.get(f"/{DOWNLOADS}{address}").status_code == 404
    sessions.remove("tab")
    assert http.get(f"/{DOWNLOADS}{session.token}/srad.png").status_code == 404


def test_thumbnails_are_served_by_key_only(client):
    http, _ = client
    assert http.get(f"/{gallery.THUMBNAILS}ultrasound.png").status_code == 200
    assert http.get(f"/{gallery.THUMBNAILS}nothing.png").status_code == 404


def test_texts_from_outside_are_escaped():
    hostile = "<img src=x onerror=alert(1)>"
    session = run_of("srad")
    session.name = hostile
    session.run.apply(Event(0, "srad", step(1.0), error=hostile))
    for html in (
        render.notice_html(Notice("error", (hostile,))),
        render.facts_html(session),
        render.progress_html(session, "base/"),
        render.header_html(hostile, [("pixel", False)]),
        metrics_html([row(hostile)], [hostile], hostile),
    ):
        assert "<img" not in html


def row(reason, value=None):
    return ScoreRow("x", tuple(Score(metric.key, value, reason) for metric in METRICS))


def test_the_best_of_a_line_is_bold_and_the_input_takes_no_part():
    html = metrics_html([row("", 9.0), row("", 1.0), row("", 2.0)], ["Input", "A", "B"], "clean")
    psnr = html.split('data-metric="psnr"')[1].split("</tr>")[0]
    nmse = html.split('data-metric="nmse"')[1].split("</tr>")[0]
    assert '<td class="best">2</td>' in psnr
    assert '<td class="best">1</td>' in nmse


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under 1 s"), (12.4, "12 s"), (240.0, "4 min"), (7200.0, "2.0 h")],
)
def test_durations_are_as_precise_as_an_estimate(seconds, text):
    assert render.seconds_text(seconds) == text


def test_a_caption_tells_step_and_seconds_left():
    method = run_of("srad").run.methods[0].updated(Event(0, "srad", step()))
    assert render.method_caption(method) == "step 5 of 10 · 3 s left"
    result = Result(IMAGE.pixels, (Figure("q0", "Speckle q0", 0.123456),))
    outcome = SimpleNamespace(result=result)
    done = method.updated(Event(0, "srad", step(1.0), seconds=2.0, outcome=outcome))
    assert render.figures_text(done) == "Speckle q0 0.123"


@pytest.mark.parametrize(
    ("space", "sentence", "other"),
    [("", "stay on the machine", "Hugging Face"), ("us/room", "Hugging Face", "stay on")],
)
def test_the_page_says_where_images_go(monkeypatch, space, sentence, other):
    monkeypatch.setenv("SPACE_ID", space)
    config = str(build(read_settings()).blocks.get_config_file()["components"])
    assert sentence in config
    assert other not in config


def test_the_page_offers_no_api_and_names_the_metrics_tab(page):
    assert page.blocks.get_api_info()["named_endpoints"] == {}
    assert METRICS_TAB in str(page.blocks.get_config_file()["components"])


def test_the_page_is_built_without_torch_and_leaves_no_stub_files():
    code = (
        "import sys; import enhancers.ui; from enhancers.settings import read_settings; "
        "enhancers.ui.build(read_settings()); "
        "print([m for m in ('torch', 'diffusers', 'pyiqa', 'SimpleITK') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert not list((ROOT / "enhancers").rglob("*.pyi"))

"""An error of any handler becomes a sentence, and the page stays usable."""

from __future__ import annotations

import functools
import inspect

from enhancers.settings import read_settings
from enhancers.ui import build
from enhancers.ui.wiring import Wiring
from tests.support.compare_page import IMAGE
from tests.support.page_driver import DrivenTab, served


def raising(handler):
    """A handler with the same parameters that fails."""

    @functools.wraps(handler)
    def fail(*_, **__):
        raise RuntimeError("planted")

    @functools.wraps(handler)
    def fail_later(*_, **__):
        yield from ()
        raise RuntimeError("planted")

    return fail_later if inspect.isgeneratorfunction(handler) else fail


def is_answered(dep):
    """Whether a handler answers the event; nothing is shown to a tab that is closed."""
    return dep["backend_fn"] and all(event != "unload" for _, event in dep["targets"])


def test_every_handler_may_raise(monkeypatch, caplog):
    connected = []
    connect = Wiring.connect

    def connect_raising(self, listener, handler, *args, **options):
        connected.append(handler)
        return connect(self, listener, raising(handler), *args, **options)

    monkeypatch.setattr(Wiring, "connect", connect_raising)
    page = build(read_settings())
    with served(page) as address:
        tab = DrivenTab(address)
        handled = [number for number, dep in tab.deps.items() if is_answered(dep)]
        assert len(handled) == len(connected) > 40
        tab.after.clear()
        page.sessions.get(tab.hash).replace_image(IMAGE)
        for number in handled:
            tab.call(number)
        tab.wait()
        tab.close()
        # Gradio summed up all events so far after each of them.
        assert page.blocks._queue.cached_event_analytics_summary == {"functions": {}}
    assert {dep["id"] for dep, _ in tab.answers} >= set(handled)
    for dep, message in tab.answers:
        assert message["success"], dep
    assert "internal error (RuntimeError)" in tab.prop("notice")
    assert "planted" not in tab.prop("notice")
    assert tab.prop("run", "interactive")
    assert not tab.prop("stop", "interactive")
    assert tab.prop("estimate") == ""

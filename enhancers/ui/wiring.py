"""Connecting events to handlers, so that no error of a handler leaves the page unusable."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from enhancers.errors import ReadingRoomError
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.render import Notice
from enhancers.ui.sessions import Sessions
from enhancers.ui.visitors import tab_of

# No handler of the page is an endpoint of the API, which `enhancers.api` has. "multiple", because
# by default Gradio drops an event while an earlier one of the same listener is being answered, and
# "always_last" would repeat the data of the first event.
QUIET: dict[str, Any] = {
    "api_visibility": "private", "show_progress": "hidden", "trigger_mode": "multiple",
}  # fmt: skip
LIGHT: dict[str, Any] = {**QUIET, "concurrency_limit": None}

_log = logging.getLogger(__name__)


class Wiring:
    """Connects events to handlers.

    An error of a handler becomes a notice, and the buttons are set to what the session is doing.

    Parameters
    ----------
    updates : PageUpdates
    sessions : Sessions
    """

    def __init__(self, updates: PageUpdates, sessions: Sessions) -> None:
        self.updates = updates
        self.sessions = sessions

    def connect(
        self,
        listener: Callable[..., Any],
        handler: Callable[..., Any],
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] = (),
        **options: Any,
    ) -> Any:
        """Let a handler answer an event.

        Parameters
        ----------
        listener : callable
            Such as ``button.click``, ``event.then`` or ``functools.partial(gr.on, triggers)``.
        handler : callable
            Returns or yields updates by component, or None for no change.
        inputs, outputs : sequence of components
            `PageUpdates.controls` are added to the outputs.
        **options
            Of the listener; by default `LIGHT`.

        Returns
        -------
        gradio.events.Dependency
        """
        missing = [each for each in self.updates.control_outputs() if each not in outputs]
        # With each message of an event, Gradio's script searches its tree for every component that
        # any event so far could have shown progress on: by default for all outputs.
        return listener(
            self._guarded(handler), inputs, [*outputs, *missing],
            show_progress_on=self.updates.layout.header, **{**LIGHT, **options},
        )  # fmt: skip

    def _guarded(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(handler)

        def recovered(error: Exception, *args: Any, **kwargs: Any) -> Updates:
            request = signature.bind_partial(*args, **kwargs).arguments.get("request")
            return self._recovered(error, handler, request)

        if inspect.isgeneratorfunction(handler):

            @functools.wraps(handler)
            def stream(*args: Any, **kwargs: Any) -> Iterator[Updates]:
                try:
                    yield from handler(*args, **kwargs)
                except Exception as error:
                    yield recovered(error, *args, **kwargs)

            return stream

        @functools.wraps(handler)
        def answer(*args: Any, **kwargs: Any) -> Updates:
            try:
                found = handler(*args, **kwargs)
            except Exception as error:
                return recovered(error, *args, **kwargs)
            return self.updates.unchanged() if found is None else found

        return answer

    def _recovered(self, error: Exception, handler: Callable[..., Any], request: Any) -> Updates:
        notice = self.updates.notice(Notice("error", (error_sentence(error),)))
        if not isinstance(error, ReadingRoomError):
            name = getattr(handler, "__qualname__", "a handler")
            _log.error("%s failed", name, exc_info=error)
        if request is None:
            return notice
        tab = tab_of(request)
        return {**notice, **self.updates.controls(self.sessions.get(tab.key, tab.address))}


def error_sentence(error: Exception) -> str:
    """The sentence for the user: what an error of the project says, or that something failed."""
    if isinstance(error, ReadingRoomError):
        return str(error)
    return (
        f"This did not work because of an internal error ({type(error).__name__}); the log of the "
        "server has the details. The page can be used as before."
    )

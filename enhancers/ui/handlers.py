"""What the handlers of the page share."""

from __future__ import annotations

import gradio as gr

from enhancers.ui.page_updates import PageUpdates
from enhancers.ui.session import Session
from enhancers.ui.sessions import Sessions
from enhancers.ui.visitors import tab_of


class Handlers:
    """Handlers that change a session and return updates of the page.

    Parameters
    ----------
    updates : PageUpdates
    sessions : Sessions
    """

    def __init__(self, updates: PageUpdates, sessions: Sessions) -> None:
        self.updates = updates
        self.sessions = sessions

    def session(self, request: gr.Request) -> Session:
        """The session of the browser tab that sent the request."""
        tab = tab_of(request)
        return self.sessions.get(tab.key, tab.address)

"""Handlers of a page that is opened and closed."""

from __future__ import annotations

from typing import Any

import gradio as gr

from enhancers import devices
from enhancers.registry import METHODS
from enhancers.settings import Settings
from enhancers.ui.handlers import Handlers
from enhancers.ui.network_handlers import NetworkHandlers
from enhancers.ui.page_updates import PageUpdates, Updates
from enhancers.ui.sessions import Sessions
from enhancers.ui.tab_handlers import card_text
from enhancers.ui.visitors import tab_of
from enhancers.warm_up import import_torch


class PageHandlers(Handlers):
    """Handlers of opening and closing a browser tab.

    Parameters
    ----------
    updates : PageUpdates
    sessions : Sessions
    settings : Settings
    networks : NetworkHandlers
    """

    def __init__(
        self,
        updates: PageUpdates,
        sessions: Sessions,
        settings: Settings,
        networks: NetworkHandlers,
    ) -> None:
        super().__init__(updates, sessions)
        self.settings = settings
        self.networks = networks

    def resume(self, former: str | None, request: gr.Request) -> Updates:
        """Show what the tab had before its page was loaded anew, and name its session now.

        Parameters
        ----------
        former : str, optional
            Token of the session that the tab had.
        request : gradio.Request
        """
        tab = tab_of(request)
        resumed = self.sessions.resume(tab.key, str(former or ""), tab.address)
        session = self.session(request)
        page = self.updates.layout
        # Networks may have been added or removed since.
        shown: Updates = {}
        if resumed:
            shown = {**self.updates.resumed(session), **self.networks.choices(session.settings)}
        added = page.added.updates(session.settings, restore=True)
        return {**added, **shown, page.visit: session.token}

    def opened(self, request: gr.Request) -> Updates:
        """Fill in what needs torch or may have changed since the page was built."""
        import_torch()
        page = self.updates.layout
        settings = self.session(request).settings
        device = settings.get("device", self.settings.device)
        choices = [("Automatic", "auto"), *((name, name) for name in devices.devices())]
        return {
            **self.networks.refresh(**settings),
            page.device: gr.update(choices=choices, value=device),
            page.card: card_text(METHODS[0].key),
        }

    def opened_outputs(self) -> list[Any]:
        """The components of `opened`."""
        page = self.updates.layout
        return [page.device, page.card, *self.networks.outputs()]

    def closed(self, request: gr.Request) -> None:
        """Stop what the tab runs, and forget it."""
        session = self.sessions.remove(tab_of(request).key)
        if session is not None:
            session.stop()
            session.drop_slices()
        self.networks.stop(request)

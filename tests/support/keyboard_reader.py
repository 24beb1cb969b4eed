"""A reader who uses a browser by keyboard, for the tests of the reader's pages."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from enhancers.display import window_u8
from study.accounts.readers import invite
from study.reading import next_pair
from study.storage.models import RatingEvent
from study.web.devices import DEVICE_COOKIE, SCREEN_HEADER
from tests.support.http_visitor import Visitor
from tests.support.leak_checks import two_images
from tests.support.open_study import SIZE, Small, methods_of

READY = ".dk-reading[aria-busy=false]"
LIGHT = "document.querySelector('.dk-images').rrLight"
SCREEN_FACTS = """(() => {
    const limits = { narrow: 900, medium: 1400, wide: 2000, huge: 1e9 };
    const size = Object.keys(limits).find((name) => innerWidth < limits[name]);
    return `${screen.width}x${screen.height}@${devicePixelRatio} ${size}`;
})()"""
"""What the page sends of its screen."""
ANSWERS = ("4", "3", "5", "2", "ArrowRight")
"""Quality and fidelity, left and right, and the preference."""


class KeyboardReader:
    """A reader at a page.

    Parameters
    ----------
    page : playwright.sync_api.Page
    small : Small
    root : str
        Address of the server.
    """

    def __init__(self, page: Any, small: Small, root: str) -> None:
        self.page = page
        self.small = small
        self.root = root
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))

    def join(self, code: str = "R01", *, until: str = "") -> KeyboardReader:
        """Join by a new invitation; the steps before a screen are done over HTTP."""
        link = invite(self.small.store, code, actor="coordinator")
        if until:
            walker = Visitor(self.small)
            walker.client.headers[SCREEN_HEADER] = self.page.evaluate(SCREEN_FACTS)
            walker.client.post("/reader/login", data={"code": code, "secret": link.secret})
            walker.sit_down(until)
            device = {
                "name": DEVICE_COOKIE,
                "value": walker.client.cookies[DEVICE_COOKIE],
                "url": self.root,
            }
            self.page.context.add_cookies([device])
        self.page.goto(self.root + link.path)
        self.page.locator("button").click()
        self.page.wait_for_selector(".dk-card, " + READY)
        return self

    def wait_for_pair(self) -> KeyboardReader:
        """Wait until a pair is shown."""
        self.page.wait_for_selector(READY)
        return self

    def wait_until_drawn(self, drawn: bool) -> KeyboardReader:
        """Wait, a second at most, until both images are drawn, or else black."""
        for _ in range(20):
            if all(bool(self.canvas(side)[0].any()) is drawn for side in (0, 1)):
                return self
            self.page.wait_for_timeout(50)
        raise AssertionError(f"the images are {'' if drawn else 'not '}black")

    def press(self, *keys: str) -> KeyboardReader:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def press_place(self, key: str, place: str, *, alt_graph: bool = False, **held: bool) -> None:
        """Press the key at a place of a keyboard that gives this character or name."""
        plain = {"key": key, "code": place, "bubbles": True}
        options = {**plain, "modifierAltGraph": alt_graph, **held}
        self.page.evaluate(
            "options => document.body.dispatchEvent(new KeyboardEvent('keydown', options))", options
        )

    def answer(self, *keys: str) -> KeyboardReader:
        """Answer everything, store it and wait for the next pair or screen."""
        before = self.count
        self.press(*(keys or ANSWERS), "Enter")
        self.page.wait_for_function(
            "old => !document.querySelector('.dk-reading') || "
            "!document.querySelector('.dk-told').hidden || "
            "(document.querySelector('.dk-count').textContent !== old && "
            "document.querySelector('.dk-reading').getAttribute('aria-busy') === 'false')",
            arg=before,
        )
        return self

    @property
    def count(self) -> str:
        """The text of the progress, such as "3 of 12"."""
        return str(self.page.locator(".dk-count").text_content())

    @property
    def chosen(self) -> list[str]:
        """The keys of the answers that are chosen."""
        marks = self.page.locator("[role=radio][aria-checked=true] .dk-key")
        return [str(text) for text in marks.all_text_contents()]

    def wait_for_chosen(self, *keys: str) -> KeyboardReader:
        """Wait until the answers with these keys, and no others, are chosen."""
        self.page.wait_for_function(
            "keys => [...document.querySelectorAll('[role=radio][aria-checked=true] .dk-key')]"
            ".map(mark => mark.textContent).join() === keys.join()",
            arg=list(keys),
        )
        return self

    @property
    def message(self) -> str:
        """The message on the page."""
        return str(self.page.locator(".dk-status").text_content())

    def settle(self) -> KeyboardReader:
        """Wait until all drawing is done."""
        self.page.evaluate(
            "new Promise(done => setTimeout(() => requestAnimationFrame(() => "
            "requestAnimationFrame(done)), 150))"
        )
        return self

    def light(self) -> dict[str, Any]:
        """The state of the light box."""
        self.settle()
        found = self.page.evaluate(
            f"(() => {{ const {{ view, levels, preset, smooth, shift, shown }} = {LIGHT};"
            "return { view, levels, preset, smooth, shift, shown }; })()"
        )
        return dict(found)

    def canvas(self, side: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """What is on the page on one side, as gray levels, and how it was drawn."""
        self.settle()
        got = self.page.evaluate(
            """side => {
                const panel = document.querySelectorAll('.dk-images .rr-panel')[side].rrPanel;
                const { canvas, context } = panel;
                const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
                let text = '';
                for (let i = 0; i < data.length; i += 8192) {
                    text += String.fromCharCode(...data.subarray(i, i + 8192));
                }
                const { width, height } = canvas;
                const { imageSmoothingEnabled, imageSmoothingQuality } = context;
                return { width, height, text: btoa(text),
                         imageSmoothingEnabled, imageSmoothingQuality };
            }""",
            side,
        )
        raw = np.frombuffer(base64.b64decode(got.pop("text")), np.uint8)
        return raw.reshape(got["height"], got["width"], 4)[..., :3], got

    def pixels(self, side: int) -> NDArray[np.uint8]:
        """The image of one side as the page has windowed it, in its own size."""
        self.settle()
        text = self.page.evaluate(
            """side => {
                const panel = document.querySelectorAll('.dk-images .rr-panel')[side].rrPanel;
                const { width, height, context } = panel.image;
                const data = context.getImageData(0, 0, width, height).data;
                return btoa(String.fromCharCode(...data));
            }""",
            side,
        )
        raw = np.frombuffer(base64.b64decode(text), np.uint8)
        return raw.reshape(SIZE, SIZE, 4)[..., 0]

    def expected(self, token: str, side: int) -> NDArray[np.uint8]:
        """What one side should show: the frozen image under the window of the light box."""
        levels = self.light()["levels"]
        return window_u8(self.frozen(token)[side], *levels)

    def frozen(self, token: str) -> list[NDArray[np.uint16]]:
        """The frozen images of a pair, left and right."""
        both = [self.small.pixels[one] for one in two_images(self.small.store, token)]
        return [np.frombuffer(data, "<u2").reshape(SIZE, SIZE) for data in both]

    def methods(self, token: str) -> tuple[str, str]:
        """The methods of a pair."""
        return methods_of(self.small.store, token)

    def dom(self) -> str:
        """The document with its state, except the counts, which differ by design."""
        self.settle()
        text = str(self.page.evaluate("document.querySelector('.desk').outerHTML"))
        text = re.sub(r'class="dk-count">[^<]*<', 'class="dk-count"><', text)
        return re.sub(r'<i style="width: [\d.]+%;">', "<i>", text)


def ratings(small: Small, code: str) -> list[tuple[int, float | None, int]]:
    """(slot, value, revision) of a reader's answers, in their order."""
    with small.store.read() as rows_:
        mine = select(RatingEvent).where(RatingEvent.actor_id == small.reader(code))
        return [
            (one.slot, one.value_num, one.revision)
            for one in rows_.scalars(mine.order_by(RatingEvent.seq))
        ]


def current(small: Small, code: str) -> str:
    """The token of a reader's current pair."""
    with small.store.read() as rows_:
        found = next_pair.current(rows_, small.reader(code))
        return found.token if found else ""

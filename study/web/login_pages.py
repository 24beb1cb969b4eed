"""The pages before signing in, as plain HTML without script."""

from __future__ import annotations

from html import escape

DOOR_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_STYLE = """
:root { color-scheme: dark; }
body { margin: 0; min-height: 100vh; display: flex; align-items: center; justify-content: center;
  background: #141414; color: #d8d8d8;
  font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { width: 100%; max-width: 380px; padding: 28px 24px; }
h1 { margin: 0 0 6px; font-size: 22px; font-weight: 600; color: #ececec; }
p { margin: 0 0 20px; color: #979797; }
p.problem { color: #e3bd72; }
label { display: block; margin: 0 0 16px; }
label span { display: block; margin-bottom: 5px; }
input { width: 100%; height: 40px; padding: 0 11px; box-sizing: border-box; font: inherit;
  color: #ececec; background: #1f1f1f; border: 1px solid #474747; border-radius: 4px;
  letter-spacing: .04em; }
button { height: 40px; padding: 0 22px; font: inherit; font-weight: 600; color: #111;
  background: #d0d0d0; border: 1px solid #d0d0d0; border-radius: 4px; cursor: pointer; }
button:hover { background: #e4e4e4; }
a { color: #ececec; }
:focus-visible { outline: 2px solid #e6e6e6; outline-offset: 1px; }
"""


def login_page(problem: str = "", code: str = "") -> str:
    """The sign-in page.

    Parameters
    ----------
    problem : str
        What was wrong with the last try.
    code : str
        To be filled in again.
    """
    words = _problem(problem) or "<p>Your code and secret came with the invitation.</p>"
    return _page(
        "Sign in to read",
        f"""{words}
<form method="post" action="login" autocomplete="off">
<label><span>Reader code</span><input name="code" required maxlength="20" value="{escape(code)}"
 autocapitalize="characters" spellcheck="false"{"" if code else " autofocus"}></label>
<label><span>Secret</span><input name="secret" required maxlength="40" autocomplete="off"
 autocapitalize="characters" spellcheck="false"{" autofocus" if code else ""}></label>
<button type="submit">Sign in</button>
</form>""",
    )


def join_page(token: str) -> str:
    """The page of an invitation; the link works once, so opening it is not enough to use it up."""
    return _page(
        "You are invited to read",
        f"""<p>This invitation signs you in once, on this computer. For later you have your reader
code and secret.</p>
<form method="post" action="../join"><input type="hidden" name="token" value="{escape(token)}">
<button type="submit" autofocus>Open the study</button></form>""",
    )


def closed_page(reading: str) -> str:
    """What a signed-in reader sees in place of pages that show methods by name.

    Parameters
    ----------
    reading : str
        Address of the reader's page.
    """
    return _page(
        "You are signed in as a reader",
        f"""<p>This part of the program shows methods by name, so it stays closed while you take
part in a blinded study. Sign out on your reading page if you are not reading any more.</p>
<p><a href="{escape(reading)}/">Go on reading</a></p>""",
    )


def _problem(text: str) -> str:
    return f'<p class="problem" role="alert">{escape(text)}</p>' if text else ""


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex">'
        '<link rel="icon" href="data:,"><title>Reading</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    )

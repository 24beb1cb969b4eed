"""What a page of another site or port can do to a study in a browser that is signed in there."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from study.accounts.staff import StaffRole, add
from tests.support.open_study import small_study
from tests.support.served_study import served

pytestmark = pytest.mark.e2e

ATTACK = """async (root) => {
  const tries = [
    ['POST', '/reader/api/withdraw', {'X-Reading-Room': '1', 'Content-Type': 'application/json'}],
    ['POST', '/coordinator/gradio_api/queue/join', {'Content-Type': 'text/plain'}],
    ['POST', '/coordinator/logout', {}],
    ['GET', '/reader/api/state', {}],
    ['GET', '/coordinator/config', {}],
  ];
  const seen = [];
  for (const [method, path, headers] of tries) {
    const body = method === 'POST' ? '{}' : undefined;
    for (const mode of ['cors', 'no-cors']) {
      const own = mode === 'no-cors' ? {'Content-Type': 'text/plain'} : headers;
      const sent = {method, body, mode, credentials: 'include', headers: body ? own : {}};
      try {
        const answer = await fetch(root + path, sent);
        seen.push([path, mode, answer.type, answer.status, (await answer.text()).length]);
      } catch (error) { seen.push([path, mode, 'error', 0, 0]); }
    }
  }
  return seen;
}"""


class Empty(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def test_a_page_of_another_site_or_port_reads_and_changes_nothing(page, tmp_path, elsewhere):
    study = small_study(tmp_path / "s", cases=1)
    made = add(study.store, "anna", StaffRole.ADMIN, actor="coordinator")
    with served(study.store) as address:
        root = address.replace("127.0.0.1", "study.example.test")
        page.goto(f"{root}/coordinator/login")
        page.fill("[name=name]", made.code)
        page.fill("[name=secret]", made.secret)
        page.click("button[type=submit]")
        page.wait_for_selector(".co-board")
        for host in ("other.example.test", "study.example.test"):
            page.goto(f"http://{host}:{elsewhere}/")
            for path, mode, kind, _, length in page.evaluate(ATTACK, root):
                assert kind in ("error", "opaque"), (host, path, mode)
                assert length == 0, (host, path, mode)
        page.goto(f"{root}/coordinator/")
        page.wait_for_selector(".co-board")
    study.store.close()

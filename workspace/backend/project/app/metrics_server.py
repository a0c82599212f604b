"""Serves /metrics, and /admin/maintenance/enable and /disable, until SIGTERM or SIGINT."""

import argparse
import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from app.exposition import Family, render
from app.metrics import collect


class Maintenance:
    """Whether the backend takes new work. It starts anew with the process."""

    def __init__(self):
        self.enabled = False


def handler(maintenance):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/metrics":
                mode = Family("m10_maintenance_mode", "gauge", "1 while the backend takes no new work.")
                mode.add(int(maintenance.enabled))
                self.answer(200, render([*collect(), mode]), "text/plain; version=0.0.4; charset=utf-8")
            elif self.path == "/admin/maintenance":
                self.answer_json(200, {"enabled": maintenance.enabled})
            elif self.path == "/healthz":
                self.answer_json(200, {"status": "ok"})
            else:
                self.answer_json(404, {"error": f"nothing at {self.path}"})

        def do_POST(self):
            wanted = {"/admin/maintenance/enable": True, "/admin/maintenance/disable": False}.get(self.path)
            if wanted is None:
                self.answer_json(404, {"error": f"nothing to post to at {self.path}"})
                return
            maintenance.enabled = wanted
            self.answer_json(200, {"enabled": wanted})

        def answer_json(self, status, value):
            self.answer(status, json.dumps(value) + "\n", "application/json")

        def answer(self, status, text, kind):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """A scrape every few seconds is no news."""

    return Handler


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    args = parser.parse_args()
    server = ThreadingHTTPServer((args.host, args.port), handler(Maintenance()))
    server.daemon_threads = True

    def stop(*_):
        # shutdown() waits for serve_forever(), which is in this very thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Listening on http://{args.host}:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()

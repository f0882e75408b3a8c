"""One origin on loopback for the page: its files, the dashboards, the run, Grafana's icons, and Prometheus."""

import contextlib
import http.server
import mimetypes
import pathlib
import threading
import urllib.error
import urllib.request

import tools

ICONS = tools.MODULES / "@grafana/ui/dist/public"


@contextlib.contextmanager
def serving(prometheus, dashboards, run):
    """Serves until the block ends; yields the URL."""

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, _, query = self.path.lstrip("/").partition("?")
            if path.startswith("prom/"):
                return self.forward(f"{prometheus}/{path.removeprefix('prom/')}?{query}")
            return self.file(locate(path))

        def file(self, found):
            if not found.is_file():
                return self.answer(404, "text/plain", b"no such file")
            kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
            return self.answer(200, kind, found.read_bytes())

        def forward(self, url):
            try:
                with urllib.request.urlopen(url, timeout=60) as answer:
                    self.answer(answer.status, "application/json", answer.read())
            except urllib.error.HTTPError as error:
                self.answer(error.code, "application/json", error.read())

        def answer(self, status, kind, body):
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def locate(path):
        if path == "run.json":
            return run
        folder, _, rest = path.partition("/")
        if folder == "dashboards":
            return dashboards / rest
        if path.startswith("public/fonts/inter/"):
            return tools.FONTS / pathlib.Path(rest).with_suffix(".otf").name
        if path.startswith("public/build/"):
            return ICONS / path.removeprefix("public/build/")
        return pathlib.Path(tools.OUT, "page", path or "index.html")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()

"""An upstream that keeps what it was sent and always answers the same completion."""

import contextlib
import http.server
import threading

ANSWER = (
    b'{"id":"cmpl-1","object":"text_completion","created":1,"model":"served",'
    b'"choices":[{"text":"x","index":0,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}'
)
STREAM = b"data: " + ANSWER + b"\n\ndata: [DONE]\n\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(body)
        streamed = self.server.streamed(body)
        answer, kind = (STREAM, "text/event-stream") if streamed else (ANSWER, "application/json")
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def upstream(streamed):
    """Yields its address and the list of bodies."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.bodies, server.streamed = True, [], streamed
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", server.bodies
    finally:
        server.shutdown()

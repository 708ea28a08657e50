"""A small HTTP/1.1 server on loopback.

The standard library's takes longer for a request than what the benchmarks measure.
"""

import socket
import threading
import time
import traceback

from .answers import Raw, Request, head


class Server:
    """One thread a connection; connections are kept. `answer(request)` gives a `Reply`, a `Raw`, or None to end the connection."""

    def __init__(self, answer, tls=None, is_open=True):
        self.answer, self.tls = answer, tls
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        if is_open:
            self.open()

    def open(self):
        """Takes connections. Until then the port is taken, and they are refused."""
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        # Closing alone does not wake up the thread that waits for a connection.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while request := read(stream):
                    reply = self.answer(request)
                    if reply is None:
                        return
                    if isinstance(reply, Raw):
                        for piece in reply.pieces:
                            connection.sendall(piece)
                            time.sleep(reply.pause)
                        return
                    connection.sendall(head(reply, f"content-length: {len(reply.body)}") + reply.body)
        except OSError:
            pass  # A process that was killed closes its connections.
        except Exception:
            traceback.print_exc()


def read(stream):
    """The next request; None at the end."""
    line = stream.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers = {}
    while (header := stream.readline()) not in (b"\r\n", b""):
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    return Request(method, path, headers, stream.read(int(headers.get("content-length") or 0)))

"""HTTP requests and answers, and how EC2 and Security Hub word their errors."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict  # by name in lower case
    body: bytes


class Reply:
    """An answer; the server adds its length."""

    # Whether AWS documents that it refuses such a request: sg-trust must not make it.
    is_malformed = False

    def __init__(self, status, body, content_type="application/json", headers=None):
        self.status, self.headers = status, {"content-type": content_type, **(headers or {})}
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


class Raw:
    """Bytes as they are instead of an answer, with a pause after each piece; then the connection ends."""

    def __init__(self, *pieces, pause=0.0):
        self.pieces, self.pause = pieces, pause


# Instead of an answer: the connection ends without one.
DROP = "drop"


def head(reply, *lines, version="1.1"):
    """The head of an answer, with these lines instead of its length."""
    kept = [f"{name}: {value}" for name, value in reply.headers.items()]
    return "\r\n".join([f"HTTP/{version} {reply.status} so", *kept, *lines, "", ""]).encode()


def hub_error(status, code, message):
    return Reply(status, {"Message": message, "Code": code}, headers={"x-amzn-errortype": code})


def ec2_error(status, code, message):
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"
    return Reply(status, body.encode(), "text/xml")


def malformed(reply):
    reply.is_malformed = True
    return reply

"""A process as Lambda runs it, from its start until it has answered every event."""

import time

import groups
from aws_stub import Function

# What Lambda lets an invocation take at most.
SECONDS = 15 * 60


class Run:
    """One process from its start until it asked for more events than there are."""

    def __init__(self, binary, endpoint, events, environment, prewarms):
        function = Function(
            endpoint, account=groups.ACCOUNT, environment=environment, binary=binary, events=events, seconds=SECONDS, prewarms=prewarms, logs=False
        )
        while not function.api.is_idle.wait(1) and function.process.poll() is None and time.perf_counter() - function.began < SECONDS:
            pass
        is_done = function.api.is_idle.is_set()
        self.peak_kb = function.peak_memory_kb()
        function.stop()
        if not is_done:
            raise SystemExit(f"{binary} did not answer every event: {''.join(function.errors)}")
        self.answers = [invocation.result() for invocation in function.given]
        failed = [answer for answer in self.answers if answer.is_error]
        if failed:
            raise SystemExit(f"{binary} failed: {failed[0].body}")
        # Seconds from the start of the process to its first question for an event, and to its first answer.
        self.init = function.api.ready_at - function.began
        self.cold = function.given[0].answered - function.began
        # Seconds from each event to its answer.
        self.latencies = [answer.seconds for answer in self.answers]

"""What races are made of: calls that wait, and quotas."""

import threading
import time


class Pause:
    """Calls of an operation wait: the request, before AWS sees it, or the answer, after AWS has made it.

    Without `seconds` they wait until `release()`. As a context manager it releases them at its end.
    """

    def __init__(self, operation, of, times, when, seconds=None):
        self.operation, self.of, self.left, self.when, self.seconds = operation, of, times, when, seconds
        self.calls = []  # that have waited or wait, in the order of their arrival
        self.changed, self.is_released = threading.Condition(), False

    def meets(self, call, of):
        """Whether this call is to wait here; it counts as one of the `times` then."""
        with self.changed:
            if self.is_released or of != self.of or call.operation != self.operation or self.left == 0 or not self.when(call):
                return False
            self.left = None if self.left is None else self.left - 1
            self.calls.append(call)
            self.changed.notify_all()
            return True

    def hold(self):
        with self.changed:
            self.changed.wait_for(lambda: self.is_released, self.seconds)

    def wait(self, calls=1, seconds=20):
        """Waits until so many calls have come here, and returns the last of them."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.calls) >= calls, seconds):
                raise AssertionError(f"{len(self.calls)} calls of {self.operation} after {seconds} s, not {calls}")
            return self.calls[calls - 1]

    def release(self):
        """Lets go of those that wait, and of all that come later."""
        with self.changed:
            self.is_released = True
            self.changed.notify_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class Quota:
    """A token bucket, as AWS counts calls: `burst` at once, and `rate` a second afterwards."""

    def __init__(self, rate, burst, now=time.monotonic):
        self.rate, self.burst, self.now = rate, burst, now
        self.tokens, self.at = burst, now()
        self.lock = threading.Lock()

    def allows(self):
        with self.lock:
            now = self.now()
            self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
            self.at = now
            if self.tokens < 1:
                return False
            self.tokens -= 1
            return True

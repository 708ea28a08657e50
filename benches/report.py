"""The table, on the terminal and in RESULTS.md."""

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
COLUMNS = ("figure", "measured", "against", "ratio", "target", "")


@dataclass
class Row:
    """One figure. Without a target it is there for reading only."""

    figure: str
    measured: str
    against: str = ""
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None

    def cells(self):
        verdict = {True: "ok", False: "MISSED", None: ""}[self.is_met]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ×" if self.ratio < 10 else f"{self.ratio:.0f} ×"
        return self.figure, self.measured, self.against, ratio, self.target, verdict


def at_most(figure, measured, against, limit, show, note):
    """A time that must not be more than so many times another."""
    ratio = measured / against
    return Row(figure, show(measured), f"{note} {show(against)}", ratio, f"≤ {limit} ×", ratio <= limit)


def at_least(figure, measured, against, limit, show, note):
    """A throughput that must be at least so many times another."""
    ratio = measured / against
    return Row(figure, show(measured), f"{note} {show(against)}", ratio, f"≥ {limit} ×", ratio >= limit)


def within(figure, measured, limit, unit):
    """An amount that must be less than a limit."""
    return Row(figure, f"{measured:.1f} {unit}", target=f"< {limit} {unit}", is_met=measured < limit)


def equal(figure, measured, expected):
    """Calls that must be exactly these."""
    def show(calls):
        return ", ".join(f"{count} {operation}" for operation, count in sorted(calls.items()) if count) or "none"

    calls = {operation: count for operation, count in measured.items() if count}
    is_met = calls == {operation: count for operation, count in expected.items() if count}
    return Row(figure, show(calls), target=show(expected), is_met=is_met)


def milliseconds(seconds):
    return f"{seconds * 1e3:.2f} ms"


def per_second(count):
    return f"{count:,.0f} / s"


def on_terminal(rows):
    table = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(COLUMNS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


def as_markdown(rows):
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine():
    """The first words of /proc, where there is one."""
    def first(path, name):
        try:
            return next(line.partition(":")[2].strip() for line in Path(path).read_text().splitlines() if line.startswith(name))
        except (OSError, StopIteration):
            return "unknown"

    memory = first("/proc/meminfo", "MemTotal").removesuffix(" kB")
    gigabytes = f"{int(memory) / (1 << 20):.0f} GiB" if memory.isdigit() else "unknown"
    return f"{first('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores, {gigabytes}, {platform.system()} {platform.release()} {platform.machine()}"


def write(rows, seconds):
    changes = output("git", "status", "--porcelain", "--", "src", "Cargo.toml", "Cargo.lock", "benches/*.rs")
    commit = output("git", "rev-parse", "--short", "HEAD") + (", with changes" if changes else "")
    now = datetime.datetime.now(datetime.timezone.utc)
    RESULTS.write_text(f"""# Measured

By `make bench`, in one run of {seconds:.0f} s after building; medians of interleaved measurements. Absolute times are this machine's: look at the ratios.

| | |
|---|---|
| date | {now:%Y-%m-%d %H:%M} UTC |
| commit | {commit} |
| machine | {machine()} |
| versions | {output('rustc', '--version')}; Python {platform.python_version()} |
| load at the end | {os.getloadavg()[0]:.1f} (an idle machine: about 1, by this itself) |

{as_markdown(rows)}

## What the figures are

* EC2 and Security Hub are a stub on loopback (`tests/aws_stub`) that answers at once, behind HTTPS with an RSA certificate by a throw-away authority; the
  authority stands behind all the system's root certificates in the bundle that `SSL_CERT_FILE` names, so that reading roots and handshakes count.
  Lambda's Runtime API is the same stub's.
* *hello-world* is `hello/`: lambda_runtime alone, no logging, one thread, the same release profile. *Bare* is `bare.rs`: the two calls of one event by
  the SDK, with the same HTTP client.
* *Cold total*: from the start of the process to the answer to its first event. *Init*: to its first question for an event.
* *Published logic* is `published.py`, on the same file of made-up groups (`groups.py`) line by line. Before they are compared, both have to find equally
  many groups FAILED in the reading `reference`; what is timed is the default reading.
* *Evaluate only* is timed soon after the groups were read, a hundred at a time. One group in ten fails the policy. Python stops at the first permission
  that does; here all violations are found, with their ports, sources and rules.
* *Two bare calls in a process of their own*: `bare.rs` from its start to its end, without Lambda: what the SDK, TLS and the two calls take by themselves.
* A sweep reads GetFindings once more before it publishes its first finding over none: a finding that was archived with a time to come would hide it; and once
  before each import, for what events have published meanwhile.
* The times of sweeps include waiting for Security Hub's quotas: six calls of GetFindings at once, then three a second.
* *Trust graph*: `graph.rs` on a file without network interfaces, one round after the other, with petgraph on the same edges in each: its breadth-first search, its
  components (Kosaraju) and, on a graph in which each edge is split by a node, its dominators. What both find has to be equal. Any trust is followed, so that all edges count.
  *All questions* are laying out the graph, reach both ways, a path, clusters, restricted hops, and what to revoke first, both ways; the smallest cut and how many groups
  each reaches stand beside them. The large graph is asked without petgraph, whose dominators take a minute and a half there.
* Memory is the highest resident size (`VmHWM`), the program's own pages of the binary included.
""")

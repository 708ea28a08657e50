"""Measures what performance is about, in one interleaved run: `make bench`.

usage: bench.py [--quick]. Prints one table, and writes it to RESULTS.md unless --quick, which only shows that everything
works. Exits 0 also when a target is missed: that is a result.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from datetime import datetime, timedelta, timezone
from math import ceil
from pathlib import Path
from statistics import median

import build

sys.path.insert(0, str(build.ROOT / "tests"))

import groups
import published
import report
from aws_stub import ACCESS_KEYS, REGION, AwsStub, group_xml
from aws_stub.function import peak_memory_kb
from aws_stub.tls import certificates
from function import Run
from report import Row, at_least, at_most, equal, milliseconds, per_second, within

GROUP = "sg-0123456789abcdef0"
SWEEP = json.dumps({"action": "sweep"}).encode()
MEGABYTE = 1024  # of kilobytes
# Security Hub takes 30 imports at once, and the function paces itself beyond: this many events of a process wait for nothing.
AT_ONCE = 28


def event(name, id=GROUP):
    """A sample event about a group, as if it had happened just now: of an older one the function asks whether its rule still stands."""
    seconds_ago = datetime.now(timezone.utc) - timedelta(seconds=2)
    text = (build.ROOT / f"events/{name}.json").read_text().replace(GROUP, id)
    event = json.loads(text)
    event["time"] = event["detail"]["eventTime"] = seconds_ago.strftime("%Y-%m-%dT%H:%M:%SZ")
    event["detail"]["eventID"] = str(uuid.uuid5(uuid.NAMESPACE_URL, text))
    return json.dumps(event)


def batch(ids):
    """Ten events in records of SQS, one for each group."""
    arn = f"arn:aws:sqs:{REGION}:{groups.ACCOUNT}:sg-trust"
    records = [
        {"messageId": id, "body": event("authorize-ingress", id), "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": REGION}
        for id in ids
    ]
    return json.dumps({"Records": records}).encode()


def timed(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Bench:
    def __init__(self, is_quick, folder):
        self.is_quick, self.folder = is_quick, folder
        self.executables = build.executables()
        tls, bundle = certificates(folder)
        self.aws = AwsStub(groups.ACCOUNT, tls=tls)
        self.bundle = bundle
        self.rows = []

    def function(self, events, program="sg-trust-lambda", prewarms=False):
        return Run(self.executables[program], self.aws.endpoint, events, {"SSL_CERT_FILE": self.bundle}, prewarms)

    def cold(self, event):
        """One process without prewarming, and the calls that it made."""
        self.aws.calls.clear()
        self.aws.hub.imported.clear()
        run = self.function([event])
        return run, self.aws.count()

    def start_and_warm(self):
        self.aws.ec2.groups = {GROUP: group_xml(groups.open_group(GROUP))}
        rounds, of_each, warm_runs = (3, 2, 2) if self.is_quick else (9, 5, 12)
        init, cold, function, bare, bare_cold = {}, {}, [], [], []
        peaks = []
        for _ in range(rounds):
            open_ingress = event("authorize-ingress").encode()
            for _ in range(of_each):
                for name, run in (
                    ("hello", self.function([open_ingress], "hello")),
                    ("prewarmed", self.function([open_ingress], prewarms=True)),
                    ("function", self.function([open_ingress])),
                ):
                    init.setdefault(name, []).append(run.init)
                    cold.setdefault(name, []).append(run.cold)
                peaks.append(run.peak_kb)
                bare_cold.append(timed(lambda: self.bare(0)))
            for _ in range(warm_runs):
                function += self.function([open_ingress] * AT_ONCE).latencies[3:]
                bare += self.bare(AT_ONCE)[3:]
        init, cold = ({name: median(seconds) for name, seconds in figures.items()} for figures in (init, cold))
        self.rows += [
            at_most("cold total over TLS", cold["prewarmed"], cold["hello"], 4.5, milliseconds, "hello-world"),
            at_most("the same, prewarm off", cold["function"], cold["hello"], 4, milliseconds, "hello-world"),
            at_most("the same, against the SDK itself", cold["function"], median(bare_cold), 1, milliseconds, "two bare calls in a process of their own"),
            at_most("init, prewarm off", init["function"], init["hello"], 1.5, milliseconds, "hello-world"),
            Row("init with prewarm", milliseconds(init["prewarmed"])),
            Row("two bare calls in a process of their own", milliseconds(median(bare_cold)), f"hello-world {milliseconds(cold['hello'])}", median(bare_cold) / cold["hello"]),
            at_most("warm: event → response, p50", median(function), median(bare), 1.3, milliseconds, "bare calls"),
            Row("warm, p99", milliseconds(sorted(function)[int(len(function) * 0.99)]), f"bare calls {milliseconds(sorted(bare)[int(len(bare) * 0.99)])}"),
            within("peak memory, one event", median(peaks) / MEGABYTE, 32, "MB"),
        ]

    def bare(self, count):
        environment = {
            "PATH": "/usr/bin:/bin", "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": f"{ACCESS_KEYS}999", "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token", "SSL_CERT_FILE": self.bundle, "AWS_ENDPOINT_URL_EC2": self.aws.endpoint,
            "AWS_ENDPOINT_URL_SECURITYHUB": self.aws.endpoint,
        }  # fmt: skip
        done = subprocess.run([self.executables["bare"], str(count)], env=environment, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    def calls(self):
        ids = [groups.group_id(number) for number in range(10)]
        self.aws.ec2.groups = {id: group_xml(groups.open_group(id)) for id in [GROUP, *ids]}
        one = {"DescribeSecurityGroups": 1, "BatchImportFindings": 1}
        self.rows += [
            equal("AWS calls for one event", self.cold(event("authorize-ingress").encode())[1], one),
            equal("AWS calls for an SQS batch of 10 events on 10 groups", self.cold(batch(ids))[1], one),
        ]
        self.aws.ec2.groups = {}
        evaluate = json.dumps({"action": "evaluate", "group_ids": [GROUP]}).encode()
        self.rows.append(equal("AWS calls, group absent without a delete event", self.cold(evaluate)[1], {**one, "DescribeSecurityGroups": 4}))

    def sweeps(self):
        peaks = {}
        sizes = (1_000, 5_000) if self.is_quick else (1_000, 5_000, 20_000)
        for size in sizes:
            account = [groups.group(number) for number in range(size)]
            self.aws.ec2.groups = {group["GroupId"]: group_xml(group) for group in account}
            self.aws.hub.findings = {}
            failed = sum(not published.complies(group) for group in account)
            # The active ones, of which there are none; archived ones of the future, once, before the first finding over none;
            # and before each import what others have published meanwhile.
            imports = ceil(failed / 100)
            expected = {"DescribeSecurityGroups": ceil(size / 1000), "GetFindings": 2 + imports, "BatchImportFindings": imports}
            first = self.sweep(f"sweep of {size:,} groups, {failed:,} of them FAILED", size, failed, expected)
            expected |= {"GetFindings": ceil(failed / 100), "BatchImportFindings": 0}
            second = self.sweep("second sweep, nothing changed", size, 0, expected)
            peaks[size] = max(first.peak_kb, second.peak_kb) / MEGABYTE
        # 250 of the FAILED groups go: two describes for the second look.
        gone = [group["GroupId"] for group in account if not published.complies(group)][:250]
        for id in gone:
            del self.aws.ec2.groups[id]
        imports = ceil(len(gone) / 100)
        describes = ceil((size - len(gone)) / 1000) + ceil(len(gone) / 200)
        expected |= {"DescribeSecurityGroups": describes, "GetFindings": ceil(failed / 100) + imports, "BatchImportFindings": imports}
        self.sweep(f"third sweep, {len(gone)} of these groups are gone", size - len(gone), len(gone), expected)
        small, large = peaks[sizes[0]], peaks[sizes[-1]]
        self.rows.append(at_most(f"peak memory, sweep of {sizes[-1]:,} groups", large, small, 1.5, "{:.1f} MB".format, f"{sizes[0]:,} groups"))

    def sweep(self, figure, size, imported, expected):
        run, calls = self.cold(SWEEP)
        outcome = run.answers[0].body
        assert outcome["evaluated"] == size and len(self.aws.hub.imported) == imported, f"{figure}: {outcome}, imported {len(self.aws.hub.imported)}"
        row = equal(f"AWS calls, {figure}", calls, expected)
        row.against = f"{run.latencies[0]:.2f} s, {run.peak_kb / MEGABYTE:.1f} MB"
        self.rows.append(row)
        return run

    def throughput(self):
        count, rounds = (5_000, 2) if self.is_quick else (50_000, 7)
        path = self.folder / "groups.ndjson"
        with path.open("w") as file:
            for number in range(count):
                file.write(json.dumps(groups.group(number), separators=(",", ":")) + "\n")
        check, check_here, evaluate, evaluate_here = [], [], [], []
        for _ in range(rounds):
            check.append(timed(lambda: self.check(path, "--format", "ndjson")))
            check_here.append(timed(lambda: published.check(path)))
            evaluate += json.loads(subprocess.run([self.executables["policy"], path, "1"], stdout=subprocess.PIPE, check=True).stdout)
            evaluate_here.append(published.seconds_of_evaluation(path))
        failed = published.check(path)
        summary = json.loads(self.check(path, "--reading", "reference", "--format", "json", stdout=subprocess.PIPE).stdout)["summary"]
        assert (summary["groups"], summary["failed"]) == (count, failed), f"{summary}, but the published logic finds {failed} of {count} FAILED"
        of_passed = median(passed for _, passed in evaluate) / (count - failed)
        evaluate = [seconds for seconds, _ in evaluate]
        evaluate, check, evaluate_here, check_here = (count / median(seconds) for seconds in (evaluate, check, evaluate_here, check_here))
        self.rows += [
            at_least("evaluate only, one core", evaluate, evaluate_here, 6, per_second, "published logic in Python"),
            Row("evaluate only, of groups that passed", f"{of_passed * 1e9:.0f} ns a group"),
            at_least("parse + evaluate (check --format ndjson)", check, check_here, 6, per_second, "published logic in Python"),
        ]
        self.reading(count * 4, rounds)
        self.memory_of_check(path, 100_000 // count)

    def reading(self, count, rounds):
        """Reads, evaluates and prints on every core, of which two are expected: lines, and one document as the AWS CLI prints it."""
        lines, document = self.folder / "lines.json", self.folder / "document.json"
        made = [groups.often_violating(number) for number in range(count)]
        lines.write_text("".join(json.dumps(group, separators=(",", ":")) + "\n" for group in made))
        document.write_text(json.dumps({"SecurityGroups": made}, indent=4))
        seconds = {path: [] for path in (lines, document)}
        for _ in range(rounds):
            for path, timings in seconds.items():
                timings.append(timed(lambda: self.check(path, "--format", "ndjson")))
        of_lines, of_document = (path.stat().st_size / 1e6 / median(timings) for path, timings in seconds.items())
        size = lines.stat().st_size / count
        is_met = of_lines >= 300 if os.cpu_count() == 2 else None
        self.rows += [
            Row(f"check --format ndjson, {size:.0f} bytes a group, 40 % of them FAILED", f"{of_lines:.0f} MB/s", f"{os.cpu_count()} cores", target="≥ 300 MB/s on 2 cores", is_met=is_met),
            Row("the same groups in one indented document", f"{of_document:.0f} MB/s"),
        ]

    def check(self, path, *arguments, stdout=subprocess.DEVNULL):
        done = subprocess.run([self.executables["sg-trust"], "check", *arguments, path], stdout=stdout, check=False)
        assert done.returncode == 1, f"exit {done.returncode}"
        return done

    def memory_of_check(self, path, times):
        """From a pipe: one document a line, and all groups in one document."""
        def lines():
            for _ in range(times):
                with path.open("rb") as file:
                    yield from file

        def document():
            yield b'{"SecurityGroups":['
            for number, line in enumerate(lines()):
                yield (b"," if number else b"") + line.rstrip()
            yield b"]}\n"

        of_lines, of_document = self.peak_of_check(lines()), self.peak_of_check(document())
        self.rows += [
            within("peak memory, check of 100,000 groups from a pipe, one a line", of_lines / MEGABYTE, 32, "MB"),
            within("the same in one document, as the AWS CLI prints it", of_document / MEGABYTE, 32, "MB"),
        ]

    def peak_of_check(self, chunks):
        process = subprocess.Popen([self.executables["sg-trust"], "check", "-", "--format", "ndjson"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        peak = 0

        def watch():
            nonlocal peak
            while process.poll() is None:
                peak = max(peak, peak_memory_kb(process.pid))
                time.sleep(0.002)

        watcher = threading.Thread(target=watch)
        watcher.start()
        with process.stdin as pipe:
            for chunk in chunks:
                pipe.write(chunk)
        watcher.join()
        assert process.returncode == 1, f"exit {process.returncode}"
        return peak

    def trust_graph(self):
        count, edges, rounds = (1_000, 20_000, 1) if self.is_quick else (10_000, 200_000, 3)
        both = [self.trust_graph_file(count, edges), self.trust_graph_file(20 * count, 20 * edges)]
        # By turns: what else goes on here slows down both.
        runs = [[self.trust_graph_of(path, *arguments) for path, arguments in zip(both, ([], ["alone"]))] for _ in range(rounds)]
        small, large = (self.trust_graph_median(of) for of in zip(*runs))
        seconds, facts = small["seconds"], small["facts"]
        name = f"trust graph, {count:,} groups, {facts['edges']:,} edges"
        questions = [part for part in seconds if not part.startswith(("petgraph", "read", "how many", "the summary", "a smallest cut"))]
        asked = {size: sum(found["seconds"][part] for part in questions) for size, found in (("small", small), ("large", large))}
        whole = {size: asked[size] + found["seconds"]["read and make"] for size, found in (("small", small), ("large", large))}
        self.rows += [
            at_most(f"{name}: all questions", asked["small"], seconds["read"], 1, milliseconds, "reading the file"),
            at_most("reading and making the graph", seconds["read and make"], seconds["read"], 2, milliseconds, "reading the file"),
        ]
        for part in (*questions, "a smallest cut", "how many each reaches", "the summary"):
            theirs = seconds.get(f"petgraph: {part}")
            against, ratio = (f"petgraph {milliseconds(theirs)}", seconds[part] / theirs) if theirs else ("", None)
            self.rows.append(Row(f"{name}: {part}", milliseconds(seconds[part]), against, ratio))
        larger = f"trust graph, {20 * count:,} groups, {large['facts']['edges']:,} edges"
        self.rows += [
            at_most(f"{larger}: reading, making, all questions", whole["large"], whole["small"], 30, milliseconds, "20 times smaller"),
            at_most(f"{larger}: all questions", asked["large"], large["seconds"]["read"], 1, milliseconds, "reading the file"),
            Row(f"peak memory, {name}", f"{facts['peak_kb'] / MEGABYTE:.1f} MB"),
            Row(f"peak memory, {larger}", f"{large['facts']['peak_kb'] / MEGABYTE:.1f} MB"),
        ]

    def trust_graph_file(self, count, edges):
        path = self.folder / f"trust-{count}.ndjson"
        with path.open("w") as file:
            for group in groups.trust(count, edges):
                file.write(json.dumps(group, separators=(",", ":")) + "\n")
        return path

    def trust_graph_of(self, path, *arguments):
        """The seconds of each part, and what was found: by both alike."""
        done = subprocess.run([self.executables["graph"], path, "1", *arguments], stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        facts = found["facts"]
        for what in ("reached", "clusters", "freeing"):
            assert facts[what] == facts.get(f"petgraph {what}", facts[what]) > 0, facts
        return found

    @staticmethod
    def trust_graph_median(runs):
        parts = runs[0]["seconds"]
        return {"seconds": {part: median(run["seconds"][part][0] for run in runs) for part in parts}, "facts": runs[0]["facts"]}

    def packages(self):
        faults = {name: build.faults(self.executables[name]) for name in ("sg-trust-lambda", "sg-trust")}
        found = "; ".join(f"{name} is {', '.join(what)}" for name, what in faults.items() if what)
        self.rows.append(Row("both binaries position-independent and stripped", found or "yes", target="yes", is_met=not found))
        for architecture, size in build.packages(self.executables["sg-trust-lambda"]).items():
            self.rows.append(within(f"deployment package, zip, {architecture}", size / 1e6, 5, "MB"))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--quick", action="store_true", help="a smoke test: few repetitions, and RESULTS.md stays as it is")
    is_quick = arguments.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(is_quick, Path(folder))
        if os.getloadavg()[0] > 1:
            # A process that has to wait for a core makes every start alike: ratios come out too good.
            print(f"Other work is going on here (load {os.getloadavg()[0]:.1f}): the figures of starts will not be right.", flush=True)
        began = time.perf_counter()
        for measure in (bench.start_and_warm, bench.calls, bench.sweeps, bench.throughput, bench.trust_graph, bench.packages):
            print(f"Measuring: {measure.__name__.replace('_', ' ')} ...", flush=True)
            measure()
        seconds = time.perf_counter() - began
    print(f"\n{report.on_terminal(bench.rows)}\n")
    missed = [row.figure for row in bench.rows if row.is_met is False]
    print(f"{len(bench.rows)} figures in {seconds:.0f} s; missed: {'; '.join(missed) or 'none'}")
    if not is_quick:
        report.write(bench.rows, seconds)
        print(f"Written to {report.RESULTS.relative_to(build.ROOT)}")


if __name__ == "__main__":
    sys.exit(main())

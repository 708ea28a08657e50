#!/usr/bin/env python3
"""Makes the plans of this folder: `make.py [CASE…]`, with terraform, the AWS provider and moto, and no account of AWS.

A case is a folder of .tf files. Before its plan is made, `before.tf.txt` is applied in its place, and `elsewhere.tf.txt`
in a state of its own, whose output `id` becomes the variable `id`. `options.txt` has options of `terraform plan`.
The provider talks to moto, so that ids, refreshed values and imports are as AWS would have them. TF_PLUGINS names a folder
with a mirror of the provider, for machines that cannot reach the registry.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from moto.server import ThreadedMotoServer

HERE = Path(__file__).resolve().parent


def terraform(folder, *arguments):
    done = subprocess.run(["terraform", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{folder.name}: terraform {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def make(case, scratch, port):
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST"))
    work = scratch / case.name
    shutil.copytree(case, work, ignore=shutil.ignore_patterns("*.json"))
    options = (work / "options.txt").read_text().split() if (work / "options.txt").exists() else []
    if (work / "elsewhere.tf.txt").exists():
        elsewhere = scratch / f"{case.name}-elsewhere"
        elsewhere.mkdir()
        shutil.copy(work / "provider.tf", elsewhere)
        shutil.copy(work / "elsewhere.tf.txt", elsewhere / "main.tf")
        terraform(elsewhere, "init", "-no-color")
        terraform(elsewhere, "apply", "-auto-approve", "-no-color")
        options.append(f"-var=id={json.loads(terraform(elsewhere, 'output', '-json'))['id']['value']}")
    terraform(work, "init", "-no-color")
    if (work / "before.tf.txt").exists():
        main = (work / "main.tf").read_text()
        (work / "main.tf").write_text((work / "before.tf.txt").read_text())
        terraform(work, "apply", "-auto-approve", "-no-color")
        (work / "main.tf").write_text(main)
    terraform(work, "plan", "-no-color", "-out=tfplan", *options)
    plan = json.loads(terraform(work, "show", "-json", "tfplan"))
    plan.pop("timestamp", None)
    (case / "plan.json").write_text(json.dumps(plan, indent=1) + "\n")
    if (work / "elsewhere.tf.txt").exists() or (work / "before.tf.txt").exists():
        import boto3

        ec2 = boto3.client("ec2", region_name="eu-west-1", endpoint_url=f"http://127.0.0.1:{port}")
        groups = ec2.describe_security_groups()["SecurityGroups"]
        (case / "groups.json").write_text(json.dumps({"SecurityGroups": groups}, indent=1) + "\n")


def main():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    os.environ.update(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        if "TF_PLUGINS" in os.environ:
            rc = scratch / "terraformrc"
            rc.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{os.environ["TF_PLUGINS"]}"\n  }}\n}}\n')
            os.environ["TF_CLI_CONFIG_FILE"] = str(rc)
        cases = [HERE / name for name in sys.argv[1:]] or sorted(path for path in HERE.iterdir() if path.is_dir())
        for case in cases:
            make(case, scratch, port)
            print(case.name)
    server.stop()


if __name__ == "__main__":
    main()

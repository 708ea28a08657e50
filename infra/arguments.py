#!/usr/bin/env python3
"""Runs deploy.sh with the ARGUMENTS of make: words as in a shell, and a rate or cron expression is one word without quotes.

A shell would take the parentheses of SweepRate=rate(6 hours) for its own.
"""

import os
import re
import shlex
import sys
from pathlib import Path

# In quotes, or in parentheses without quotes.
PARTS = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*'|\\.)|(\([^()'"]*\))""", re.S)


def words(text):
    return shlex.split(PARTS.sub(lambda found: found[1] or shlex.quote(found[2]), text))


if __name__ == "__main__":
    script = Path(__file__).with_name("deploy.sh")
    try:
        arguments = words(os.environ.get("ARGUMENTS", ""))
    except ValueError as error:
        sys.exit(f"ARGUMENTS: {error}")
    os.execv(script, [str(script), *arguments])

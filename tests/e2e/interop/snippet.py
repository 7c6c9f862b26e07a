"""Runs a snippet of the documentation as it stands there, and says which `token` it ended with or how it failed."""

import json
import sys

names = {}
try:
    exec(compile(sys.argv[1], "snippet", "exec"), names)
    print(json.dumps({"token": names["token"]}))
except Exception as failed:
    print(json.dumps({"error": type(failed).__name__, "description": str(failed)}))

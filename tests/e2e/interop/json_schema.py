"""Judges documents by a JSON Schema: argument is a file with {"schema": ..., "documents": [...]}.

Prints one entry for each document: null, or the place and the words of the first mistake.
"""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    task = json.load(file)

Draft202012Validator.check_schema(task["schema"])
validator = Draft202012Validator(task["schema"])


def mistake(document):
    for error in validator.iter_errors(document):
        return f"{error.json_path}: {error.message[:200]}"
    return None


json.dump([mistake(document) for document in task["documents"]], sys.stdout)

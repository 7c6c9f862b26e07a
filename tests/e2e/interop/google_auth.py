"""Google's own client, as it comes from the package index, with a credential file that names our STS."""

import json
import sys

import google.auth.exceptions
import google.auth.transport.requests
from google.auth import identity_pool, pluggable

settings = json.loads(sys.argv[1])
kind = pluggable if "executable" in settings["credential_source"] else identity_pool
credentials = kind.Credentials.from_info(settings)
try:
    credentials.refresh(google.auth.transport.requests.Request())
    said = {"token": credentials.token, "valid": credentials.valid}
except google.auth.exceptions.GoogleAuthError as error:
    said = {"error": str(error)}
print(json.dumps(said))

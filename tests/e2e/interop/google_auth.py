"""Google's own client, as it comes from the package index, with a credential file that names our STS."""

import json
import sys

import google.auth.transport.requests
from google.auth import identity_pool

credentials = identity_pool.Credentials.from_info(json.loads(sys.argv[1]))
credentials.refresh(google.auth.transport.requests.Request())
print(json.dumps({"token": credentials.token, "valid": credentials.valid}))

"""Google's own client on a machine of Google's: an ID token of its service account, for our STS."""

import json
import sys

import google.auth.transport.requests
import google.oauth2.id_token

settings = json.loads(sys.argv[1])
request = google.auth.transport.requests.Request()
print(json.dumps({"token": google.oauth2.id_token.fetch_id_token(request, settings["audience"])}))

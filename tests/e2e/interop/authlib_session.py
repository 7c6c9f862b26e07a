"""Authlib's OAuth2 session, as it comes from the package index."""

import json
import sys

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

settings = json.loads(sys.argv[1])
session = OAuth2Session(client_id="batch", token_endpoint_auth_method="none")
try:
    token = session.fetch_token(
        settings["token_url"],
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=settings["subject_token"],
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        resource=settings["resource"],
        scope=settings["scope"],
    )
    print(json.dumps({"token": token["access_token"], "scope": token.get("scope")}))
except OAuthError as refused:
    print(json.dumps({"error": refused.error, "description": refused.description}))

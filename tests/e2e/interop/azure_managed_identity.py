"""Azure's own client on a machine of Azure's: a token of its managed identity, for our STS."""

import json
import sys

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential

settings = json.loads(sys.argv[1])
try:
    said = {"token": ManagedIdentityCredential().get_token(settings["scope"]).token}
except (ClientAuthenticationError, CredentialUnavailableError) as error:
    said = {"error": str(error)}
print(json.dumps(said))

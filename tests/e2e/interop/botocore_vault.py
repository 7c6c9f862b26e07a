"""botocore, as it comes from the package index: credentials from the instance's metadata service, and a request for
GetCallerIdentity signed with them and written down as clients of Vault do."""

import base64
import json
import os
import sys

settings = json.loads(sys.argv[1])
os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = settings["metadata"]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

import botocore.session
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

credentials = botocore.session.get_session().get_credentials()
url = f"https://sts.{settings['region']}.amazonaws.com/"
body = "Action=GetCallerIdentity&Version=2011-06-15"
headers = {
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    "X-Vault-AWS-IAM-Server-ID": settings["audience"],
}
request = AWSRequest(method="POST", url=url, data=body, headers=headers)
SigV4Auth(credentials.get_frozen_credentials(), "sts", settings["region"]).add_auth(request)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


login = json.dumps(
    {
        "iam_http_request_method": request.method,
        "iam_request_url": encoded(request.url),
        "iam_request_body": encoded(body),
        "iam_request_headers": encoded(json.dumps(dict(request.headers))),
    }
)
answer = requests.post(
    settings["token_url"],
    data={
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": base64.urlsafe_b64encode(login.encode()).decode().rstrip("="),
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "resource": settings["resource"],
    },
    timeout=10,
).json()
print(json.dumps({"token": answer.get("access_token"), "method": credentials.method, "error": answer.get("reason")}))

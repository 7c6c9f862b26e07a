"""boto3, as it comes from the package index, does a round of what a service is there for. It says what it got, or which
error the service answered.

`tamper` changes requests after they were signed, `clock` is how many seconds the signer's clock is ahead."""

import datetime
import hashlib
import io
import json
import os
import sys

settings = json.loads(sys.argv[1])
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

import boto3
import botocore.auth
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError


def client(service, **options):
    made = boto3.client(
        service,
        endpoint_url=settings["endpoint"],
        region_name=settings["region"],
        verify=settings.get("ca"),
        aws_access_key_id=settings["access_key"],
        aws_secret_access_key=settings["secret_key"],
        aws_session_token=settings["session_token"],
        config=Config(retries={"total_max_attempts": 1}, proxies={}, **options),
    )
    if "tamper" in settings:
        made.meta.events.register("before-send", tamper)
    return made


def tamper(request, **_):
    match settings["tamper"]:
        case "path":
            before, question, after = request.url.partition("?")
            request.url = before + "-other" + question + after
        case "query":
            request.url += ("&" if "?" in request.url else "?") + "versionId=1"
        case "header":
            request.headers["x-amz-meta-note"] = "other"
        case "body":
            body = request.body.read() if hasattr(request.body, "read") else request.body
            request.body = body.replace(b"first", b"other")


def s3():
    # The bucket stands in the path: the name in the URL is the gateway's.
    s3 = client("s3", s3={"addressing_style": "path"})
    bucket, keys, seen = settings["bucket"], settings["keys"], {}
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": settings["region"]})
    seen["read"] = []
    for key in keys:
        # What is signed of this header is not quite what is sent: spaces in a row count as one.
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"note": "one,  two,   three"})
        head = s3.head_object(Bucket=bucket, Key=key)
        got = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if got == key.encode() and head["ContentLength"] == len(got) and "two" in head["Metadata"]["note"]:
            seen["read"].append(key)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    seen["listed"] = sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
    # Parameters with a character of every kind, and one with no value.
    odd = s3.list_objects_v2(Bucket=bucket, Prefix="a b+c%2F~é&x=1/", Delimiter="'()*!", StartAfter=" +")
    seen["odd"] = odd["KeyCount"]
    copied = keys[0] + " (copy)"
    s3.copy_object(Bucket=bucket, Key=copied, CopySource={"Bucket": bucket, "Key": keys[0]})
    seen["copied"] = s3.get_object(Bucket=bucket, Key=copied)["Body"].read().decode()
    seen["large"] = large(s3, bucket)
    s3.delete_object(Bucket=bucket, Key=copied)
    # This one has a body, and a checksum in a header of its own.
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys + ["large"]]})
    seen["left"] = s3.list_objects_v2(Bucket=bucket)["KeyCount"]
    return seen


def large(s3, bucket):
    """An upload in parts, several at once, and a download in ranges."""
    size = settings["large_bytes"]
    content = hashlib.shake_256(b"large").digest(1 << 20) * (size >> 20)
    parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(content), bucket, "large", Config=parts)
    got = io.BytesIO()
    s3.download_fileobj(bucket, "large", got, Config=parts)
    return {"bytes": len(got.getvalue()), "same": got.getvalue() == content}


def s3_object():
    """One object only: for requests that are to be refused."""
    s3 = client("s3", s3={"addressing_style": "path"})
    if settings.get("create"):
        s3.create_bucket(Bucket=settings["bucket"], CreateBucketConfiguration={"LocationConstraint": settings["region"]})
    s3.put_object(Bucket=settings["bucket"], Key="k", Body=b"first", Metadata={"note": "one"})
    return {"read": s3.get_object(Bucket=settings["bucket"], Key="k")["Body"].read().decode()}


def s3_delete_bucket():
    return client("s3", s3={"addressing_style": "path"}).delete_bucket(Bucket=settings["bucket"])


def dynamodb():
    dynamodb = client("dynamodb")
    text = {name: {"S": value} for name, value in {"owner": "Zoë/漢", "text": "first " * 20_000}.items()}
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(3):
        item = {"customer": {"S": "a"}, "number": {"N": str(number)}, **text}
        dynamodb.put_item(TableName="orders", Item=item)
    got = dynamodb.get_item(TableName="orders", Key={"customer": {"S": "a"}, "number": {"N": "1"}})["Item"]
    found = dynamodb.query(
        TableName="orders",
        KeyConditionExpression="customer = :c AND #n > :n",
        ExpressionAttributeNames={"#n": "number"},
        ExpressionAttributeValues={":c": {"S": "a"}, ":n": {"N": "0"}},
    )
    return {"owner": got["owner"]["S"], "text": len(got["text"]["S"]), "found": found["Count"]}


def dynamodb_item():
    """One write only: for requests that are to be refused."""
    client("dynamodb").put_item(TableName="orders", Item={"customer": {"S": "first"}, "number": {"N": "1"}})
    return {}


def sqs():
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    attributes = {"by": {"DataType": "String", "StringValue": "Zoë & co."}}
    sqs.send_message(QueueUrl=queue, MessageBody="first <job> 漢", MessageAttributes=attributes)
    received = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    for message in received:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    left = sqs.receive_message(QueueUrl=queue).get("Messages", [])
    return {"received": [message["Body"] for message in received], "left": len(left)}


if "clock" in settings:
    ahead = datetime.timedelta(seconds=settings["clock"])
    botocore.auth.get_current_datetime = lambda *_, **__: datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + ahead
try:
    print(json.dumps(globals()[settings["task"]](), default=str))
except ClientError as refused:
    answer = refused.response["ResponseMetadata"]
    said = {"error": refused.response["Error"]["Code"], "status": answer["HTTPStatusCode"]}
    # Who refuses: the gateway says why in a header of its own.
    reason = {name: answer["HTTPHeaders"][name] for name in ["x-cloakroom-reason"] if name in answer["HTTPHeaders"]}
    print(json.dumps(said | reason))

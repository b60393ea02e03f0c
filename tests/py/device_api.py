"""A device or module that does what it is told, a JSON object a line, and says what it hears.

What it can be told is below, a function each. Desired properties, methods and messages are said as they come.
"""

import json
import sys
import time

from azure.iot.device import MethodResponse

from common import ARGS, device, module, say

client = module(ARGS["connection_string"]) if ARGS.get("module") else device()


def text(data):
    return data.decode("utf-8") if isinstance(data, bytes) else str(data)


def on_desired(patch):
    say("desired", patch=patch)


def on_method(request):
    """Answers with what it was asked, unless the method's name says otherwise."""
    say("method", name=request.name, payload=request.payload)
    if request.name == "silent":
        return
    answers = {"empty": None, "large": "x" * 100_000, "list": [1, [2, {"three": None}]]}
    payload = answers.get(request.name, {"asked": request.payload})
    status = 200 if request.name != "failing" else -417
    client.send_method_response(MethodResponse.create_from_method_request(request, status, payload))


def on_message(message):
    system = {
        "message_id": message.message_id,
        "correlation_id": message.correlation_id,
        "user_id": message.user_id,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "expiry_time_utc": message.expiry_time_utc,
        "ack": message.ack,
    }
    say("message", body=text(message.data), system=system, properties=dict(message.custom_properties))


def connect():
    client.connect()
    say("connected")


def disconnect():
    client.disconnect()
    say("disconnected")


def listen(to):
    """Each handler makes the SDK subscribe, and for desired properties read the twin by itself."""
    if "desired" in to:
        client.on_twin_desired_properties_patch_received = on_desired
    if "methods" in to:
        client.on_method_request_received = on_method
    if "messages" in to:
        client.on_message_received = on_message
    say("listening")


def get():
    say("twin", twin=client.get_twin())


def report(patch):
    client.patch_twin_reported_properties(patch)
    say("reported")


def report_many(count):
    """One after another, to count with; the last number is what stays."""
    for number in range(count):
        client.patch_twin_reported_properties({"n": number})
    say("reported", count=count)


def send(body):
    """Sends telemetry: what was sent to the device before is settled when it has arrived."""
    client.send_message(body)
    say("sent")


def pause(seconds):
    time.sleep(seconds)
    say("paused")


TOLD = {f.__name__: f for f in (connect, disconnect, listen, get, report, report_many, send, pause)}

say("ready")
for line in sys.stdin:
    told = json.loads(line)
    what = told.pop("do")
    if what == "stop":
        break
    try:
        TOLD[what](**told)
    except Exception as error:  # The test looks at which it is.
        cause = error.__cause__ or error
        say("failed", do=what, error=type(error).__name__, cause=f"{type(cause).__name__}: {cause}")
client.shutdown()
say("stopped")

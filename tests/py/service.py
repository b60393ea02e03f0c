"""Drives a gateway by the service SDK as it is told, a JSON object a line, and says what came of it."""

import json
import os
import sys

ARGS = json.loads(sys.argv[1])
# Before the SDK is imported: `requests` reads it.
os.environ["REQUESTS_CA_BUNDLE"] = ARGS["ca"]

import certifi  # noqa: E402

# `uamqp` trusts what is in this file, and has no option for another.
certifi.where = lambda: ARGS["ca"]

import requests  # noqa: E402
from azure.iot.hub.sastoken import SasToken  # noqa: E402
from azure.iot.hub import IoTHubRegistryManager  # noqa: E402
from azure.iot.hub.models import CloudToDeviceMethod, Twin, TwinProperties  # noqa: E402


def say(word, **fields):
    sys.stdout.write(json.dumps({"say": word, **fields}) + "\n")
    sys.stdout.flush()


manager = IoTHubRegistryManager.from_connection_string(ARGS["service"])


def twin_of(twin):
    return {
        "etag": twin.etag,
        "version": twin.version,
        "tags": twin.tags,
        "desired": twin.properties.desired,
        "reported": twin.properties.reported,
        "connection_state": twin.connection_state,
    }


def get_twin(device, module=None):
    twin = manager.get_module_twin(device, module) if module else manager.get_twin(device)
    say("twin", **twin_of(twin))


def patch_twin(device, module=None, desired=None, tags=None, etag="*"):
    properties = None if desired is None else TwinProperties(desired=desired)
    patch = Twin(tags=tags, properties=properties)
    if module:
        twin = manager.update_module_twin(device, module, patch, etag)
    else:
        twin = manager.update_twin(device, patch, etag)
    say("twin", **twin_of(twin))


def replace_twin(device, desired, etag="*"):
    twin = manager.replace_twin(device, Twin(properties=TwinProperties(desired=desired)), etag)
    say("twin", **twin_of(twin))


def method(device, name, payload=None, module=None, response_timeout=30, connect_timeout=0):
    call = CloudToDeviceMethod(
        method_name=name,
        payload=payload,
        response_timeout_in_seconds=response_timeout,
        connect_timeout_in_seconds=connect_timeout,
    )
    if module:
        result = manager.invoke_device_module_method(device, module, call)
    else:
        result = manager.invoke_device_method(device, call)
    say("result", status=result.status, payload=result.payload)


SYSTEM = {
    "messageId": "iothub-messageid",
    "correlationId": "iothub-correlationid",
    "userId": "iothub-userid",
    "contentType": "iothub-contenttype",
    "contentEncoding": "iothub-contentencoding",
}


def send(device, body, properties=None, module=None):
    """A cloud-to-device message: by the gateway's own call, for the SDK has none over HTTPS."""
    parts = dict(part.split("=", 1) for part in ARGS["service"].split(";"))
    host = parts["HostName"]
    token = SasToken(host, parts["SharedAccessKey"], parts["SharedAccessKeyName"])
    headers = {"Authorization": str(token)}
    for name, value in (properties or {}).items():
        headers[SYSTEM.get(name, "iothub-app-" + name)] = value
    of = f"/modules/{module}" if module else ""
    answer = requests.post(f"https://{host}/devices/{device}{of}/messages/deviceBound", data=body, headers=headers)
    answer.raise_for_status()
    say("sent")


def send_c2d(device, body, properties=None):
    """A cloud-to-device message by the SDK itself, which is AMQP."""
    manager.send_c2d_message(device, body, properties or {})
    say("sent")


def create(device, key):
    made = manager.create_device_with_sas(device, key, key, "enabled")
    say("device", etag=made.etag, generation=made.generation_id, status=made.status)


def update(device, key, etag, status):
    made = manager.update_device_with_sas(device, etag, key, key, status)
    say("device", etag=made.etag, generation=made.generation_id, status=made.status)


def read(device):
    made = manager.get_device(device)
    say("device", etag=made.etag, generation=made.generation_id, status=made.status)


def delete(device, etag=None):
    manager.delete_device(device, etag)
    say("deleted")


def listed():
    say("devices", ids=sorted(device.device_id for device in manager.get_devices()))


TOLD = {
    f.__name__: f
    for f in (get_twin, patch_twin, replace_twin, method, send, send_c2d, create, update, read, delete, listed)
}

say("ready")
for line in sys.stdin:
    told = json.loads(line)
    what = told.pop("do")
    if what == "stop":
        break
    try:
        TOLD[what](**told)
    except Exception as error:  # The test looks at which it is.
        response = getattr(error, "response", None)
        say("failed", do=what, error=type(error).__name__, status=getattr(response, "status_code", None), text=str(error))
say("stopped")

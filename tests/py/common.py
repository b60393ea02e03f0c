"""What the scripts share: their arguments, the words they exchange with the test that runs them, and clients.

A script gets one JSON object as its argument, says what happens by a JSON object a line on its standard output, and
waits for words on its standard input. The SDK is used as anybody would use it.
"""

import json
import sys

from azure.iot.device import X509, IoTHubDeviceClient, IoTHubModuleClient

ARGS = json.loads(sys.argv[1])


def say(word, **fields):
    """Says a word in one write: the SDK calls handlers on several threads, and their lines must not mix."""
    sys.stdout.write(json.dumps({"say": word, **fields}) + "\n")
    sys.stdout.flush()


def wait_for(word):
    heard = sys.stdin.readline().strip()
    if heard != word:
        sys.exit(f"expected the word {word}, heard {heard!r}")


def options(**more):
    with open(ARGS["ca"], encoding="utf-8") as file:
        trusted = file.read()
    chosen = {"server_verification_cert": trusted, "websockets": ARGS.get("websockets", False)}
    return {**chosen, **ARGS.get("options", {}), **more}


def device(kind=IoTHubDeviceClient, **more):
    """Makes a client by connection string, or by certificate where the arguments name one."""
    if "certificate" in ARGS:
        certificate = X509(cert_file=ARGS["certificate"], key_file=ARGS["key"])
        named = {"x509": certificate, "hostname": ARGS["hub"], "device_id": ARGS["device"]}
        return kind.create_from_x509_certificate(gateway_hostname=ARGS["gateway"], **named, **options(**more))
    return kind.create_from_connection_string(ARGS["connection_string"], **options(**more))


def module(connection_string, **more):
    return IoTHubModuleClient.create_from_connection_string(connection_string, **options(**more))

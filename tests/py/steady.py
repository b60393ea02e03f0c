"""Sends numbered messages one after another until it is told to stop; connections may end meanwhile."""

import json
import sys
import threading
import time

from azure.iot.device import Message
from azure.iot.device.exceptions import ConnectionDroppedError, ConnectionFailedError, NoConnectionError

from common import device, say, wait_for

client = device()
client.connect()
say("connected")
told_to_stop = threading.Event()


def listen():
    wait_for("stop")
    told_to_stop.set()


def send(message):
    """Sends a message; while nobody can be connected to, the SDK leaves trying again to the application."""
    while True:
        try:
            return client.send_message(message)
        except (ConnectionDroppedError, ConnectionFailedError, NoConnectionError):
            time.sleep(0.2)


threading.Thread(target=listen, daemon=True).start()
number = 0
while not told_to_stop.is_set():
    send(Message(json.dumps({"n": number}), content_encoding="utf-8", content_type="application/json"))
    number += 1
    if number % 50 == 0:
        say("sent", count=number)
    # A device has something to say now and then, not all the time.
    told_to_stop.wait(0.005)
say("stopped", count=number)
client.shutdown()
sys.exit(0)

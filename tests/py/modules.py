"""One module sends to an output, another receives on an input what a route brings there."""

import threading

from azure.iot.device import Message

from common import ARGS, module, say

count = ARGS["count"]
received = []
complete = threading.Event()


def on_message(message):
    text = message.data.decode("utf-8")
    received.append({"input": message.input_name, "body": text, "properties": dict(message.custom_properties)})
    if len(received) == count:
        complete.set()


receiver = module(ARGS["receiver"])
receiver.on_message_received = on_message
receiver.connect()
sender = module(ARGS["sender"])
sender.connect()
say("connected")
for number in range(count):
    message = Message(f"reading {number}")
    message.custom_properties["n"] = str(number)
    sender.send_message_to_output(message, "readings")
arrived = complete.wait(60)
say("received", complete=arrived, messages=received)
sender.shutdown()
receiver.shutdown()

"""Sends messages with system properties and application properties of all sorts, one after another or at once."""

import asyncio
import json

from azure.iot.device import Message
from azure.iot.device.aio import IoTHubDeviceClient

from common import ARGS, device, say


def message(number):
    made = Message(json.dumps({"n": number}), message_id=f"id-{number}")
    made.content_type = "application/json"
    made.content_encoding = "utf-8"
    made.correlation_id = f"corr/{number}&x=1"
    made.user_id = "user %+"
    made.custom_properties.update(ARGS["properties"])
    made.custom_properties["n"] = str(number)
    return made


async def main():
    client = device(IoTHubDeviceClient)
    await client.connect()
    say("connected")
    messages = [message(number) for number in range(ARGS["count"])]
    if ARGS["at_once"]:
        await asyncio.gather(*(client.send_message(made) for made in messages))
    else:
        for made in messages:
            await client.send_message(made)
    say("sent")
    await client.shutdown()


asyncio.run(main())

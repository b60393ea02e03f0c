"""Connects, and says whether that went well."""

from common import device, say

client = device()
try:
    client.connect()
    say("connected")
    client.send_message("hello")
    say("sent")
except Exception as error:  # The test looks at which it is.
    say("refused", error=type(error).__name__)
finally:
    client.shutdown()

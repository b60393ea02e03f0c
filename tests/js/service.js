'use strict';
// The service side, over AMQP and HTTPS.

const hub = require('azure-iothub');
const { Message } = require('azure-iot-common');
const { ARGS, say, serve } = require('./common');

const heard = [];
const client = hub.Client.fromConnectionString(ARGS.service, ARGS.websockets ? hub.AmqpWs : hub.Amqp);

serve({
  async connect() {
    await client.open();
    say('connected');
  },
  async send({ device, body, id, ack, properties }) {
    const message = new Message(body);
    message.messageId = id;
    message.correlationId = 'c/1';
    message.contentType = 'text/plain';
    if (ack) message.ack = ack;
    for (const [name, value] of Object.entries(properties || {})) message.properties.add(name, value);
    await client.send(device, message);
    say('sent');
  },
  async feedback() {
    const { result: receiver } = await client.getFeedbackReceiver();
    receiver.on('message', (message) => {
      const records = JSON.parse(message.data.toString());
      receiver.complete(message, () => heard.push(...records));
    });
    say('listening');
  },
  // Says what was heard once there are so many records.
  async records({ count }) {
    while (heard.length < count) await new Promise((done) => setTimeout(done, 50));
    say('records', { records: heard.splice(0, count) });
  },
  async method({ device, module, name, payload }) {
    const call = { methodName: name, payload, responseTimeoutInSeconds: 10 };
    const { result } = await (module
      ? client.invokeDeviceMethod(device, module, call)
      : client.invokeDeviceMethod(device, call));
    say('result', { status: result.status, payload: result.payload });
  },
  async desire({ device, patch }) {
    const { responseBody } = await hub.Registry.fromConnectionString(ARGS.service).getTwin(device);
    await responseBody.update({ properties: { desired: patch } });
    say('desired');
  },
});

'use strict';
// A device or module on any of the SDK's transports.

const fs = require('fs');
const { Client, ModuleClient, Message, SharedAccessKeyAuthenticationProvider } = require('azure-iot-device');
const { NoRetry } = require('azure-iot-common');
const { ARGS, say, serve } = require('./common');

const TRANSPORTS = {
  mqtt: () => require('azure-iot-device-mqtt').Mqtt,
  'mqtt-ws': () => require('azure-iot-device-mqtt').MqttWs,
  amqp: () => require('azure-iot-device-amqp').Amqp,
  'amqp-ws': () => require('azure-iot-device-amqp').AmqpWs,
  http: () => require('azure-iot-device-http').Http,
};

let client;
let twin;
let count = 0;
const abandoned = new Set();

/** A message with everything that it can have. */
function full(body) {
  const message = new Message(body);
  message.messageId = '7f0ac2f4-3a5c-4a0e-9d5b-0f1e2d3c4b5a';
  message.correlationId = 'c/1';
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  message.properties.add('line', '7/8+9 %&=');
  message.properties.add('empty', '');
  return message;
}

function numbered(n) {
  const message = new Message(JSON.stringify({ n }));
  message.contentType = 'application/json';
  message.contentEncoding = 'utf-8';
  return message;
}

async function connect({ connection_string, transport, renew, retry }) {
  const kind = ARGS.module ? ModuleClient : Client;
  const Transport = TRANSPORTS[transport || ARGS.transport]();
  const string = connection_string || ARGS.connection_string;
  if (renew) {
    const provider = SharedAccessKeyAuthenticationProvider.fromConnectionString(string, renew + 60, 60);
    provider.on('newTokenAvailable', () => say('renewed'));
    client = kind.fromAuthenticationProvider(provider, Transport);
  } else {
    client = kind.fromConnectionString(string, Transport);
  }
  if (!retry) client.setRetryPolicy(new NoRetry());
  client.on('disconnect', () => say('disconnected'));
  client.on('error', (error) => say('error', { error: error.name }));
  const options = { ca: fs.readFileSync(ARGS.ca, 'utf8') };
  // Without an option of its own the transport of HTTP never says that it has taken the others.
  if (Transport === TRANSPORTS.http()) options.http = { receivePolicy: { interval: 1 } };
  await client.setOptions(options);
  await client.open();
  twin = undefined;
  say('connected');
}

function heard(message) {
  const properties = {};
  for (let i = 0; i < message.properties.count(); i += 1) {
    const { key, value } = message.properties.getItem(i);
    properties[key] = value;
  }
  say('message', { body: message.data.toString(), id: message.messageId, correlation: message.correlationId, properties });
}

serve({
  connect,
  async close() {
    await client.close();
    client.removeAllListeners();
    say('closed');
  },
  async send({ body, output }) {
    const message = full(body);
    await (output ? client.sendOutputEvent(output, message) : client.sendEvent(message));
    say('sent');
  },
  async large({ bytes }) {
    await client.sendEvent(new Message(Buffer.alloc(bytes, 0x61)));
    say('sent');
  },
  async batch({ bodies }) {
    await client.sendEventBatch(bodies.map(full));
    say('sent');
  },
  async in_a_row({ messages }) {
    for (let i = 0; i < messages; i += 1) {
      await client.sendEvent(numbered(count));
      count += 1;
    }
    say('sent', { count });
  },
  // Sends in a row until so many have gone; what has failed is sent again by the next call.
  async go_on({ until }) {
    while (count < until) {
      await client.sendEvent(numbered(count));
      count += 1;
    }
    say('sent', { count });
  },
  async at_once({ messages }) {
    const from = count;
    count += messages;
    await Promise.all([...Array(messages).keys()].map((i) => client.sendEvent(numbered(from + i))));
    say('sent', { count });
  },
  // Each message is settled as its body says; anything else completes it.
  async listen() {
    client.on('message', async (message) => {
      heard(message);
      const body = message.data.toString();
      let how = 'complete';
      if (body === 'reject') how = body;
      // A message that is given back comes again, and is completed then.
      if (body === 'abandon' && !abandoned.has(message.messageId)) how = body;
      if (how === 'abandon') abandoned.add(message.messageId);
      await client[how](message);
      say('settled', { how });
    });
    say('listening');
  },
  async listen_for_inputs() {
    client.on('inputMessage', async (input, message) => {
      await client.complete(message);
      say('input', { input, body: message.data.toString() });
    });
    say('listening');
  },
  async twin() {
    twin = await client.getTwin();
    twin.on('properties.desired', (patch) => say('desired', { patch }));
    say('twin', { desired: twin.properties.desired, reported: twin.properties.reported });
  },
  async report({ patch }) {
    await new Promise((done, failed) => {
      twin.properties.reported.update(patch, (error) => (error ? failed(error) : done()));
    });
    say('reported');
  },
  async method({ name, status }) {
    const on = ARGS.module ? 'onMethod' : 'onDeviceMethod';
    client[on](name, async (request, response) => {
      await response.send(status, { heard: request.payload });
      say('answered');
    });
    say('listening');
  },
  async invoke({ device, module, name, payload }) {
    const call = { methodName: name, payload, responseTimeoutInSeconds: 10, connectTimeoutInSeconds: 0 };
    const answer = await (module ? client.invokeMethod(device, module, call) : client.invokeMethod(device, call));
    say('result', { status: answer.status, payload: answer.payload });
  },
});

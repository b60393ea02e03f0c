'use strict';
// What the scripts share: their arguments, and the words that they exchange with the test that runs them.
//
// A script gets one JSON object as its argument, is told what to do by a JSON object a line on its standard input, and
// says what came of it the same way. The SDKs are used as anybody would use them.

const readline = require('readline');

exports.ARGS = JSON.parse(process.argv[2]);

function say(word, fields = {}) {
  process.stdout.write(JSON.stringify({ say: word, ...fields }) + '\n');
}
exports.say = say;

/** Does what it is told, one thing after the other; a thing that fails is said, and the next one done. */
exports.serve = async function serve(tasks) {
  say('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const told = JSON.parse(line);
    if (told.do === 'stop') break;
    try {
      await tasks[told.do](told);
    } catch (error) {
      say('failed', { do: told.do, error: error.name || String(error), text: String(error.message) });
    }
  }
  say('stopped');
  process.exit(0);
};

// The openai package against a server: what it was answered, left in told.json. Arguments: base URL, WAV of a question, address of a TLS front.
import fs from 'node:fs';
import OpenAI, { toFile } from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';

const [baseURL, wav, secureURL] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: 'x', maxRetries: 0 });
const model = 'gpt-4o';
const messages = [{ role: 'user', content: 'What colour is the sky?' }];
const parameters = { type: 'object', properties: { place: { type: 'string', enum: ['sea', 'sky'] } }, required: ['place'], additionalProperties: false };
const tool = { type: 'function', function: { name: 'look_at', description: 'Looks there.', parameters, strict: true } };
const told = {};

async function chat() {
  const whole = await client.chat.completions.create({ model, messages, temperature: 0 });
  told.text = whole.choices[0].message.content;
  const stream = client.chat.completions.stream({ model, messages, temperature: 0 });
  told.pieces = [];
  stream.on('content', (piece) => told.pieces.push(piece));
  told.streamed = await stream.finalContent();
  const spoken = await client.chat.completions.create({
    model, messages, temperature: 0, modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } });
  told.spoken = spoken.choices[0].message.audio;
}

async function call() {
  const seen = [];
  const runner = client.chat.completions.runTools({
    model, messages, temperature: 0, tool_choice: { type: 'function', function: { name: 'look_at' } }, max_tokens: 60,
    tools: [{ type: 'function', function: {
      name: 'look_at', description: 'Looks there.', parameters, strict: true, parse: JSON.parse,
      function: (given) => { seen.push(given); return 'The sky is blue.'; } } }] });
  told.after_call = (await runner.done(), runner.messages.map((one) => one.role));
  told.called = seen;
  const stream = client.chat.completions.stream({ model, messages, temperature: 0, tools: [tool], tool_choice: 'required', max_tokens: 60 });
  told.stream_called = (await stream.finalChatCompletion()).choices[0].message.tool_calls[0].function;
}

async function respond() {
  const stream = client.responses.stream({ model, input: 'What colour is the sky?', temperature: 0 });
  told.response_pieces = [];
  stream.on('response.output_text.delta', (event) => told.response_pieces.push(event.delta));
  told.response = (await stream.finalResponse()).output_text;
}

async function sound() {
  told.heard = (await client.audio.transcriptions.create({ model: 'whisper-1', file: fs.createReadStream(wav) })).text;
  const speech = await client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'The sky is blue.', response_format: 'wav' });
  const bytes = Buffer.from(await speech.arrayBuffer());
  told.speech = bytes.toString('base64');
  told.heard_again = (await client.audio.transcriptions.create({ model: 'whisper-1', file: await toFile(bytes, 'speech.wav') })).text;
}

async function draw() {
  const made = await client.images.generate({ model: 'gpt-image-1', prompt: 'Draw a red circle.' });
  told.picture = made.data[0].b64_json;
  told.vector = (await client.embeddings.create({ model: 'text-embedding-3-small', input: 'sky' })).data[0].embedding.length;
  told.no_such_model = await client.models.retrieve('nobody').catch((error) => [error.constructor.name, error.status]);
}

async function live() {       // this class speaks wss only
  const over = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { rejectUnauthorized: false } }, new OpenAI({ baseURL: secureURL, apiKey: 'x' }));
  told.live = await new Promise((resolve, reject) => {
    over.on('error', reject);
    over.on('session.created', () => {
      over.send({ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'] } });
      over.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: messages[0].content }] } });
      over.send({ type: 'response.create' });
    });
    over.on('response.done', (event) => resolve(event.response.output[0].content[0].text));
  });
  over.close();
}

for (const step of [chat, call, respond, sound, draw]) await step();
if (secureURL) await live();
fs.writeFileSync('told.json', JSON.stringify(told));
process.exit(0);

// @openai/agents-realtime over WebSocket: a written turn, a tool, a spoken turn, an interruption; left in told.json. Arguments: address, file of PCM (24 kHz) of a question.
import fs from 'node:fs';
import { RealtimeAgent, RealtimeSession, tool } from '@openai/agents/realtime';
import { z } from 'zod';

const [url, pcm] = process.argv.slice(2);
const told = { errors: [], calls: [] };
const look = tool({
  name: 'look_at', description: 'Looks there.', parameters: z.object({ place: z.enum(['sea', 'sky']) }),
  execute: async (given) => { told.calls.push(given.place); return 'The sky is blue.'; } });

function open(tools, config = {}) {
  const agent = new RealtimeAgent({ name: 'Guide', instructions: '', tools });
  const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime', tracingDisabled: true, config });
  const heard = { session, sound: [], events: [], answers: [] };
  session.on('audio', (event) => heard.sound.push(Buffer.from(event.data)));
  session.on('agent_end', (context, whose, answer) => heard.answers.push(answer));
  session.on('audio_interrupted', () => heard.events.push('audio_interrupted'));
  session.on('error', (error) => told.errors.push(JSON.stringify(error.error ?? String(error))));
  session.on('transport_event', (event) => heard.events.push(event.type === 'response.done' ? `done ${event.response.status}` : event.type));
  return heard;
}

async function until(condition, what, seconds = 40) {
  for (const end = Date.now() + 1000 * seconds; !condition();) {
    if (Date.now() > end) throw new Error(`waited for ${what}; ${JSON.stringify(told.errors)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const finished = (heard) => heard.events.filter((type) => type.startsWith('done')).length;

async function written() {
  const heard = open([]);
  await heard.session.connect({ apiKey: 'x', url });
  heard.session.sendMessage('What colour is the sky?');
  await until(() => heard.answers.length, 'an answer');
  told.written = { answer: heard.answers[0], sound: Buffer.concat(heard.sound).toString('base64') };
  heard.session.close();
}

async function called() {
  const heard = open([look], { toolChoice: 'required' });
  await heard.session.connect({ apiKey: 'x', url });
  heard.session.sendMessage('What colour is the sky?');
  await until(() => heard.session.history.some((item) => item.type === 'function_call' && item.output), 'the output of a tool');
  told.output = heard.session.history.find((item) => item.type === 'function_call').output;
  heard.session.close();
}

function say(session) {
  const sound = Buffer.concat([Buffer.alloc(19200), fs.readFileSync(pcm), Buffer.alloc(67200)]);
  for (let start = 0; start < sound.length; start += 4800) {
    const piece = sound.subarray(start, start + 4800);
    session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.length));
  }
}

async function spoken() {
  const heard = open([], { audio: { input: { transcription: { model: 'whisper-1' }, turnDetection: { type: 'server_vad' } } } });
  await heard.session.connect({ apiKey: 'x', url });
  say(heard.session);
  await until(() => finished(heard) && heard.session.history.length > 1 && heard.session.history[0].content[0].transcript, 'a spoken answer');
  told.spoken = { sound: Buffer.concat(heard.sound).toString('base64'), history: heard.session.history.map((item) => item.content[0].transcript) };
  const before = heard.events.length;
  heard.session.sendMessage('Tell me a story about a dog.');       // a long one, interrupted at its first sound
  await until(() => heard.events.slice(before).includes('response.output_audio.delta'), 'the next answer');
  heard.session.interrupt();
  await until(() => finished(heard) > 1 && heard.events.includes('conversation.item.truncated'), 'the end of an interrupted answer');
  told.interrupted = heard.events.slice(before).filter((type) => /^done|interrupted|truncated/.test(type));
  heard.session.close();
}

for (const step of [written, called, spoken]) await step();
fs.writeFileSync('told.json', JSON.stringify(told));
process.exit(0);

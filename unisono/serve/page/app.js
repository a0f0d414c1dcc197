// The page: wires composer, conversation, voice, camera, settings and strip together.

import { complete } from "./chat.js";
import { Camera, Trouble, address, read } from "./files.js";
import { contentOf, created } from "./items.js";
import { Conversation, keep, request, settings, snippet, textOf } from "./store.js";
import { Strip } from "./strip.js";
import { View, button, isByKeys } from "./view.js";
import { Voice, wavAddress } from "./voice.js";

const $ = (id) => document.getElementById(id);
const strip = new Strip($("strip"), $("counts"), $("under"));
const camera = new Camera($("camera"));
let conversation = new Conversation(), attached = [], running = null, voice = null, edited = null;

const headers = () => (settings.key ? { authorization: `Bearer ${settings.key}` } : {});
const trouble = (text = "") => { $("trouble").textContent = text; };
const view = new View($("log"), {
  choose: (node) => { conversation.choose(node); show(); },
  copy: (node) => copy(textOf(node)),
  edit,
  retry: (node) => { const parent = conversation.nodes.get(node.parent); if (parent) answer(parent); },
  save: (part) => { const link = document.createElement("a"); link.href = part.url; link.download = "drawing.png"; link.click(); },
  write,
  use: (part) => { attached.push({ type: "image", url: part.url, name: "drawing" }); showAttached(); $("words").focus(); },
});

function copy(text) {
  if (!navigator.clipboard) trouble("The browser does not allow copying here.");
  else navigator.clipboard.writeText(text).catch(() => trouble("The browser does not allow copying here."));
}

function write(byKeys) { if (byKeys || matchMedia("(hover: hover)").matches) $("words").focus(); }      // a finger that pressed a button wants no keyboard

function show() {
  const path = conversation.path(), focused = document.activeElement;
  if (path.length && $("welcome").contains(focused)) write(isByKeys(focused));
  $("welcome").hidden = path.length > 0;
  view.show(path, (node) => conversation.siblings(node));
}

// ---- writing ----

function edit(node) {
  leave();
  edited = node;
  $("editing").textContent = "You are changing an earlier message. Escape leaves it as it was.";
  fill(textOf(node), node.parts.filter((part) => part.type !== "text"));
  $("words").focus();
}

function leave() {               // what is written next is a new message
  if (!edited) return;
  const { parts } = edited;
  edited = null;
  $("editing").textContent = "";
  fill("", attached.filter((part) => !parts.includes(part)));
}

function fill(text, parts) { $("words").value = text; attached = parts; grow(); showAttached(); }

async function send() {
  const text = $("words").value.trim();
  if (running) { running.abort(); hush(); return; }
  const parts = [...attached, ...(camera.isOn ? [camera.part(settings.camera === "video")] : []), ...(text ? [{ type: "text", text }] : [])];
  if (!parts.length) { $("words").focus(); return; }
  if (voice?.transport) { await tell(voice, parts); return; }
  trouble();
  await answer(asked(parts));
}

function asked(parts) {          // what was in the composer becomes a turn
  const node = conversation.add(edited ? edited.parent : conversation.last, "user", parts);
  leave();
  fill("", []);
  return node;
}

async function answer(question) {
  running?.abort();
  hush();
  const control = running = new AbortController(), reply = conversation.add(question.id, "assistant", []), sounds = [], began = performance.now();
  const draw = () => { if (conversation.nodes.get(reply.id) === reply && conversation.path().includes(reply)) view.turn(reply, conversation.siblings(reply)); };
  reply.waiting = true;
  show(); busy(true);
  try {
    for await (const news of answered(conversation.path().slice(0, -1), control.signal)) {
      if (!reply.note && !news.ids) reply.note = `first answer after ${Math.round(performance.now() - began)} ms`;
      take(reply, news, sounds);
      draw();
    }
  } catch (error) {
    if (error.status === 401) askForKey();
    else if (error.name !== "AbortError") trouble(error instanceof TypeError ? "The server cannot be reached. Your words are kept; press Retry when it is back." : error.message);
  }
  if (sounds.length) reply.parts.push({ type: "audio", url: await address(new Blob([wavAddress(sounds, 24000)], { type: "audio/wav" })), format: "wav", name: "spoken reply" });
  reply.waiting = false;
  reply.failed = !reply.parts.length;
  if (running === control) { running = null; busy(false); }
  draw();
}

async function* answered(path, signal) {      // where the conversation is longer than the network holds, its beginning is left out
  for (;;) {
    try { yield* complete(request(path), headers(), signal); return; } catch (error) {
      if (error.code !== "context_length_exceeded" || path.length < 3) throw error;
      path = path.slice(2 * Math.ceil(path.length / 8));
    }
  }
}

function take(reply, news, sounds) {
  const last = reply.parts.at(-1);
  if (news.ids) strip.push(news.ids);
  if (news.text) last?.type === "text" ? last.text += news.text : reply.parts.push({ type: "text", text: news.text });
  if (news.call) last?.type === "call" ? last.text += news.call : reply.parts.push({ type: "call", text: news.call });
  if (news.sound) { sounds.push(news.sound); if (!voice) play(news.sound); }       // into an open microphone nothing is played
  if (news.picture) last?.type === "image" && !last.whole ? Object.assign(last, { url: news.picture, whole: news.last }) : reply.parts.push({ type: "image", drawn: true, url: news.picture, whole: news.last });
  if (news.finish === "length") reply.note += " · cut at the longest reply";
}

let speaker = null, due = 0;
function play(samples) {
  speaker ??= new AudioContext({ sampleRate: 24000 });
  const buffer = speaker.createBuffer(1, samples.length, 24000), source = speaker.createBufferSource();
  buffer.copyToChannel(samples, 0);
  source.buffer = buffer;
  source.connect(speaker.destination);
  due = Math.max(due, speaker.currentTime + 0.02);
  source.start(due);
  due += buffer.duration;
}

function hush() { speaker?.close(); speaker = null; due = 0; }

function busy(isBusy) { $("send").textContent = isBusy ? "Stop" : "Send"; if (!voice) $("state").textContent = isBusy ? "answering" : "ready"; }
function grow() { const box = $("words"); box.style.height = "auto"; box.style.height = `${box.scrollHeight + 2}px`; }

// ---- things to look at and listen to ----

async function attach(files) {
  trouble();
  try { attached.push(...await read([...files], attached.length)); } catch (error) { trouble(error instanceof Trouble ? error.message : "That could not be read."); }
  showAttached();
}

function showAttached() {
  const buttons = () => [...$("attached").querySelectorAll("button")], focused = document.activeElement, place = buttons().indexOf(focused), byKeys = isByKeys(focused);
  $("attached").replaceChildren(...attached.map((part, at) => {
    const item = document.createElement("li");
    item.append(part.type === "image" || part.type === "frames" ? Object.assign(new Image(), { src: part.url ?? part.urls[0], alt: part.name ?? "a picture" }) : `${part.type}: ${part.name}`,
      button("×", () => { attached.splice(at, 1); showAttached(); }, `remove ${part.name ?? part.type}`));
    return item;
  }));
  if (place >= 0) attached.length ? buttons()[Math.min(place, attached.length - 1)].focus() : write(byKeys);
}

async function look() {
  trouble();
  try { camera.isOn ? camera.stop() : await camera.start(); } catch (error) { trouble(`The camera cannot be used: ${reason(error)}`); }
  $("look").setAttribute("aria-pressed", String(camera.isOn));
}

function reason(error) {
  return { NotAllowedError: "permission was refused. Allow it in the address bar and press the button again.", NotFoundError: "this device has none.",
    NotReadableError: "another program uses it." }[error.name] ?? error.message;
}

// ---- talking ----

const turns = new Map();         // item or response id -> node
let latency = "";                // on a slow line a reply may be heard before a word of it is there

async function remind(line) {    // a session that begins is told what was said before
  settle();
  for (const { role, parts } of conversation.path()) {
    const contents = await Promise.all(parts.map((part) => contentOf(part, role))), event = created(role, contents);
    line.send(line.fits(event) ? event : created(role, contents.filter((one) => one?.type !== "input_audio")));
  }
}

let isTelling = false;           // sound is decoded first; Enter pressed twice meanwhile is one turn

async function tell(line, parts) {
  if (isTelling) return;
  isTelling = true;
  trouble();
  const contents = await Promise.all(parts.map((part) => contentOf(part, "user"))), lost = parts[contents.indexOf(null)];
  isTelling = false;
  if (lost) { trouble(`${lost.name} cannot be ${lost.type === "audio" ? "played" : "shown"} in a call; hang up first.`); return; }
  if (line !== voice || !line.send(created("user", contents))) return;      // what could not be sent stays where it is
  asked(parts);
  show();
  line.send({ type: "response.create" });
}

async function watch(line) { line?.send(created("user", [await contentOf(camera.part(settings.camera === "video"), "user")])); }

async function talk() {
  trouble();
  hush();
  if (voice) { voice.stop(); voice = null; pressed(false); settle(); return; }
  running?.abort();
  const mine = voice = new Voice({
    headers, key: () => settings.key,
    session: () => ({ type: "realtime", output_modalities: ["audio"], ...(settings.system ? { instructions: settings.system } : {}), unisono: { ids: true, images: settings.pictures },
      audio: { input: { turn_detection: { type: "semantic_vad" }, transcription: { model: "whisper-1" } }, output: { voice: settings.voice } } }),
    opened: remind,
  });
  const on = (name, act) => mine.addEventListener(name, ({ detail }) => { if (voice === mine) act(detail); });        // a line that was left has no say
  on("event", heard);
  on("level", (level) => $("talk").style.setProperty("--level", level));
  on("state", (state) => { $("state").textContent = state; });
  on("latency", (ms) => { latency = `answered after ${ms} ms`; noted(conversation.nodes.get(conversation.last)); show(); });
  on("unplugged", () => { talk(); trouble("The microphone was pulled out or taken away, so the call has ended. Press Talk to go on with another one."); });
  pressed(true);
  try { await mine.start(); } catch (error) {
    mine.stop();
    if (voice !== mine) return;         // hung up, or begun anew
    voice = null;
    pressed(false);
    if (error.status === 401) askForKey();
    else trouble(error.name?.startsWith("Not") ? `The microphone cannot be used: ${reason(error)} You can still write.` : error.message);
  }
}

function pressed(isOn) { $("talk").setAttribute("aria-pressed", String(isOn)); $("talk-name").textContent = isOn ? "Hang up" : "Talk"; }

function node(id, role) {
  if (!turns.has(id)) turns.set(id, conversation.add(conversation.last, role, []));
  return turns.get(id);
}

function settle() {              // of a line that ended nothing more comes
  for (const node of turns.values()) {
    if (node.waiting && node.role === "user" && !conversation.remove(node)) node.parts = [{ type: "text", text: "(not written down)" }];
    node.waiting = false;
  }
  turns.clear();
  latency = "";
  show();
}

function growing(event) {        // until response.done it is not read aloud
  const reply = Object.assign(node(event.response_id, "assistant"), { waiting: true });
  noted(reply);
  return reply;
}

function noted(node) { if (latency && node?.role === "assistant") { node.note = latency; latency = ""; } }

function written(event, text) { Object.assign(node(event.item_id, "user"), { waiting: false, parts: [{ type: "text", text }] }); }

function heard(event) {
  if (event.type === "input_audio_buffer.speech_started" && camera.isOn) watch(voice);
  if (event.type === "response.created") latency = "";
  if (event.type === "input_audio_buffer.committed") Object.assign(node(event.item_id, "user"), { waiting: true, parts: [{ type: "text", text: "…" }] });
  if (event.type === "conversation.item.input_audio_transcription.completed") written(event, event.transcript.trim() || "(nothing understood)");
  if (event.type === "response.output_audio_transcript.delta" || event.type === "response.output_text.delta") take(growing(event), { text: event.delta }, []);
  if (event.type === "unisono.image") take(growing(event), { picture: `data:image/png;base64,${event.b64_json}`, last: event.last }, []);
  if (event.type === "response.function_call_arguments.done") take(growing(event), { call: `${event.name}${event.arguments}` }, []);
  if (event.type === "unisono.ids") { strip.push(event.ids); return; }
  if (event.type === "response.done" && turns.has(event.response.id)) node(event.response.id, "assistant").waiting = false;
  if (event.type === "response.done" && event.response.status === "cancelled" && turns.has(event.response.id)) node(event.response.id, "assistant").note = "interrupted";
  if (event.type === "response.done" && event.response.status === "failed") trouble(event.response.status_details?.error?.message ?? "The reply failed.");
  if (event.type === "conversation.item.input_audio_transcription.failed") written(event, "(not written down)");
  if (event.type === "error") trouble(event.error.message);
  if (!event.type.endsWith("audio.delta")) show();
}

// ---- settings ----

async function openSettings() {
  const form = $("settings").querySelector("form");
  for (const [name, value] of Object.entries(settings)) {
    const field = form.elements[name];
    if (field?.type === "checkbox") field.checked = value;
    else if (field) { if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === value)) field.add(new Option(value, value)); field.value = value; }
  }
  $("snippet").textContent = snippet(conversation.path());
  form.querySelector("output").textContent = settings.temperature;
  $("settings").showModal();
  try {
    const told = await (await fetch("page/choices", { headers: headers() })).json();
    for (const name of ["voice", "model"]) {
      const field = form.elements[name], value = settings[name];
      field.replaceChildren(...told[`${name}s`].map((one) => new Option(one, one, false, one === value)));
    }
  } catch { /* the server is away: what was chosen stays */ }
}

function askForKey() {           // it is kept in this browser; then the question can be asked again
  trouble("This server asks for a key: enter it once, then press Retry.");
  openSettings();                // they are open at once; what the server offers comes later, while the key is being typed
  $("settings").querySelector("[name=key]").focus();
}

function changed({ target }) {
  if (!target.name || target.type === "file") return;
  keep({ [target.name]: target.type === "checkbox" ? target.checked : target.value });
  if (target.name === "temperature") target.nextElementSibling.textContent = target.value;
  $("snippet").textContent = snippet(conversation.path());
  voice?.send({ type: "session.update", session: { type: "realtime", instructions: settings.system } });
}

function begin(fresh) {          // whatever belonged to the conversation before goes
  running?.abort();
  hush();
  conversation = fresh; attached = [];
  leave(); showAttached();
  turns.clear(); view.clear(); trouble(); show();
  if (voice) talk().then(talk);  // the session knows of the old one
}

async function load(file) {
  try {
    const stored = JSON.parse(await file.text());
    begin(Conversation.from(stored));
    if (typeof stored.system === "string") keep({ system: stored.system });
    $("settings").close();
  } catch (error) { $("settings").close(); trouble(error instanceof SyntaxError ? "This file is not a saved conversation." : error.message); }
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(conversation, null, 1)], { type: "application/json" }));
  link.download = "conversation.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- wiring ----

$("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("words").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  if (event.key === "Escape" && !event.isComposing) leave();
});
$("words").addEventListener("input", () => { grow(); if (!$("words").value) leave(); });
$("attach").addEventListener("click", () => $("files").click());
$("files").addEventListener("change", () => { attach($("files").files); $("files").value = ""; });
$("look").addEventListener("click", look);
$("talk").addEventListener("click", talk);
$("new").addEventListener("click", () => begin(new Conversation()));
$("settings-open").addEventListener("click", openSettings);
$("settings").addEventListener("input", changed);
$("export").addEventListener("click", save);
$("import").addEventListener("click", () => $("import-file").click());
$("import-file").addEventListener("change", () => { const [file] = $("import-file").files; if (file) load(file); $("import-file").value = ""; });
$("copy-snippet").addEventListener("click", () => copy($("snippet").textContent));
document.addEventListener("keydown", (event) => { if (event.key === " " && !event.repeat && (event.target === document.body || event.target === $("log"))) { event.preventDefault(); talk(); } });
document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); attach(event.clipboardData.files); } });
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => { event.preventDefault(); document.body.classList.remove("dropping"); attach(event.dataTransfer.files); });
for (const text of ["Draw a big red star.", "What colour is the sky?", "What is two plus three?"]) $("welcome").querySelector(".examples").append(button(text, () => { $("words").value = text; send(); }));
show();

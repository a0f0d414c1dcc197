// What is remembered: settings in this browser, and the conversation as a tree, so that an edited question is a branch.

const DEFAULTS = { system: "", voice: "heart", temperature: "0", speech: false, pictures: true, json: false, camera: "photo", model: "unisono", key: "" };

export const settings = { ...DEFAULTS, ...read("unisono-settings") };

function read(name) {
  try { return JSON.parse(localStorage.getItem(name)) ?? {}; } catch { return {}; }
}

export function keep(changes) {
  Object.assign(settings, changes);
  try { localStorage.setItem("unisono-settings", JSON.stringify(settings)); } catch { /* a private window keeps nothing */ }
}

export class Conversation {
  // A node: {id, parent, role: user|assistant, parts: [{type: text|image|audio|video|frames|call, ...}], note}
  constructor() { this.nodes = new Map(); this.chosen = new Map(); this.next = 1; }

  add(parent, role, parts) {
    const node = { id: this.next++, parent, role, parts, note: "" };
    this.nodes.set(node.id, node);
    this.chosen.set(parent, node.id);
    return node;
  }

  remove(node) {                 // one that nothing follows -> whether it was
    if ([...this.nodes.values()].some((other) => other.parent === node.id)) return false;
    if (this.chosen.get(node.parent) === node.id) this.chosen.delete(node.parent);
    return this.nodes.delete(node.id);
  }

  path() {                       // the branch that is shown
    const found = [];
    for (let id = this.chosen.get(0); id !== undefined; id = this.chosen.get(id)) found.push(this.nodes.get(id));
    return found;
  }

  get last() { return this.path().at(-1)?.id ?? 0; }

  siblings(node) { return [...this.nodes.values()].filter((other) => other.parent === node.parent && other.role === node.role); }

  choose(node) { this.chosen.set(node.parent, node.id); }

  toJSON() { return { format: "unisono-conversation-1", system: settings.system, nodes: [...this.nodes.values()], chosen: [...this.chosen] }; }

  static from(stored) {
    if (stored?.format !== "unisono-conversation-1" || !Array.isArray(stored.nodes) || !Array.isArray(stored.chosen) || !stored.chosen.every(Array.isArray)) throw new Error("This file is not a saved conversation.");
    const made = new Conversation();
    for (const node of stored.nodes) {
      if (!["user", "assistant"].includes(node?.role) || !Array.isArray(node.parts) || !Number.isInteger(node.id)) throw new Error("This file is not a saved conversation.");
      if (!node.parts.every(isPart)) throw new Error(`In this file turn ${node.id} holds something that is neither words nor a picture, sound or clip, so the file was not loaded.`);
      made.nodes.set(node.id, { id: node.id, parent: node.parent, role: node.role, parts: node.parts, note: String(node.note ?? ""), failed: Boolean(node.failed) });
    }
    for (const [parent, child] of stored.chosen) if (made.nodes.has(child) && child > parent) made.chosen.set(parent, child);       // children are younger: no rings
    made.next = Math.max(0, ...made.nodes.keys()) + 1;
    return made;
  }
}

const isData = (url) => typeof url === "string" && url.startsWith("data:");      // all of it is in the file, nothing is fetched

function isPart(part) {
  if (part?.type === "text" || part?.type === "call") return typeof part.text === "string";
  if (part?.type === "frames") return Array.isArray(part.urls) && part.urls.length > 0 && part.urls.every(isData);
  if (part?.type === "audio") return isData(part.url) && ["wav", "mp3"].includes(part.format);
  return ["image", "video"].includes(part?.type) && isData(part.url);
}

export function textOf(node) { return node.parts.filter((part) => part.type === "text").map((part) => part.text).join(""); }

// ---- the shapes of the API ----

function contentOf(part) {
  if (part.type === "text") return { type: "text", text: part.text };
  if (part.type === "image") return { type: "image_url", image_url: { url: part.url } };
  if (part.type === "audio") return { type: "input_audio", input_audio: { data: part.url.split(",")[1], format: part.format } };
  if (part.type === "video") return { type: "video_url", video_url: { url: part.url } };
  if (part.type === "frames") return { type: "video", video: part.urls };
  return null;
}

export function messages(path) {
  const said = settings.system ? [{ role: "system", content: settings.system }] : [];
  const heard = path.filter((node, at) => !node.failed && !path[at + 1]?.failed);      // what could not be answered is not asked again with every turn
  for (const node of heard) {
    if (node.role === "assistant") said.push({ role: "assistant", content: textOf(node) || "…" });
    else said.push({ role: "user", content: node.parts.map(contentOf).filter(Boolean) });
  }
  return said;
}

export function request(path) {
  const modalities = ["text", ...(settings.speech ? ["audio"] : []), ...(settings.pictures ? ["image"] : [])];
  return {
    model: settings.model, messages: messages(path), temperature: Number(settings.temperature), stream: true, modalities: settings.json ? ["text"] : modalities,
    ...(settings.speech ? { audio: { voice: settings.voice, format: "pcm16" } } : {}), ...(settings.json ? { response_format: { type: "json_object" } } : {}),
  };
}

export function snippet(path) {
  const short = (_, value) => (typeof value === "string" && value.length > 200 ? value.slice(0, 60) + "…" : value);
  const body = JSON.stringify({ ...request(path), stream: undefined, modalities: undefined, audio: undefined }, short, 1);
  const base = `${location.origin}/v1`;
  return `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}", api_key="${settings.key ? "YOUR KEY" : "none"}")\nreply = client.chat.completions.create(**${python(body)})\nprint(reply.choices[0].message.content)\n\n` +
    `curl ${base}/chat/completions -H 'content-type: application/json' ${settings.key ? "-H 'authorization: Bearer YOUR KEY' " : ""}-d '${body.replaceAll("'", "'\\''")}'`;
}

function python(body) { return body.replace(/: true/g, ": True").replace(/: false/g, ": False").replace(/: null/g, ": None"); }

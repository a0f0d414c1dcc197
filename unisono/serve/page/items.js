// The items that a call is told of: parts of a turn -> the content of /v1/realtime.

import { samples } from "./files.js";
import { bytesOf, toBase64 } from "./voice.js";

export async function contentOf(part, role) {   // null: not in a call
  if (part.type === "text") return { type: role === "user" ? "input_text" : "output_text", text: part.text };
  if (part.type === "image" && !part.drawn) return { type: "input_image", image_url: part.url };
  if (part.type === "frames") return { type: "input_video", frames: part.urls };
  if (part.type !== "audio" || role !== "user") return null;
  try { return { type: "input_audio", audio: toBase64(await samples(bytesOf(part.url.split(",")[1]).buffer)) }; } catch { return null; }
}

export function created(role, contents) {
  const content = contents.filter(Boolean);
  return { type: "conversation.item.create", item: { type: "message", role, content: content.length ? content : [{ type: role === "user" ? "input_text" : "output_text", text: "…" }] } };
}

// A written turn over /v1/chat/completions: yields {text}, {sound}, {picture, last}, {call}, {ids}, {finish} as they come.

import { fromBase64 } from "./voice.js";

export async function* complete(body, headers, signal) {
  const answer = await fetch("v1/chat/completions", { method: "POST", signal, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify({ ...body, unisono: { ids: true } }) });
  if (!answer.ok) {
    const told = (await answer.json().catch(() => null))?.error;
    throw Object.assign(new Error(told?.message ?? `The server answered ${answer.status}.`), { status: answer.status, code: told?.code });
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (held + value).split("\n");
    held = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const chunk = JSON.parse(line.slice(6));
      if (chunk.error) throw new Error(chunk.error.message);
      yield* told(chunk);
    }
  }
}

function* told(chunk) {
  const choice = chunk.choices?.[0], delta = choice?.delta ?? {};
  if (choice?.unisono) yield { ids: choice.unisono.ids };
  if (delta.content) yield { text: delta.content };
  if (delta.audio?.transcript) yield { text: delta.audio.transcript };
  if (delta.audio?.data) yield { sound: fromBase64(delta.audio.data) };
  for (const image of delta.images ?? []) yield { picture: image.image_url.url, last: !image.partial };
  for (const call of delta.tool_calls ?? []) yield { call: `${call.function?.name ?? ""}${call.function?.arguments ?? ""}` };
  if (choice?.finish_reason) yield { finish: choice.finish_reason };
}

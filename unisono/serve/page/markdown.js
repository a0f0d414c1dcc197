// Markdown as people and models use it in chats -> DOM nodes. Built by createElement and text nodes alone: nothing that
// was written by anybody is ever parsed as HTML, so there is nothing to sanitize.

const INLINE = /(`+)([\s\S]+?)\1|\*\*([\s\S]+?)\*\*|\*([^*\s][^*]*)\*|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/g;

export function render(text) {
  const out = document.createDocumentFragment();
  const lines = text.split("\n");
  for (let at = 0; at < lines.length;) at = block(lines, at, out);
  return out;
}

function block(lines, at, out) {
  const line = lines[at];
  if (/^```/.test(line)) return code(lines, at, out);
  if (!line.trim()) return at + 1;
  const heading = /^(#{1,6})\s+(.*)/.exec(line);
  if (heading) { out.append(element("h" + Math.min(6, heading[1].length + 2), heading[2])); return at + 1; }
  const item = /^\s*([-*]|\d+[.)])\s+/;
  if (item.test(line)) {
    const list = document.createElement(/\d/.test(item.exec(line)[1]) ? "ol" : "ul");
    for (; at < lines.length && item.test(lines[at]); at++) list.append(element("li", lines[at].replace(item, "")));
    out.append(list);
    return at;
  }
  const kept = [];
  for (; at < lines.length && lines[at].trim() && !/^```|^#{1,6}\s/.test(lines[at]) && !(kept.length && item.test(lines[at])); at++) kept.push(lines[at].replace(/^>\s?/, ""));
  out.append(element(line.startsWith(">") ? "blockquote" : "p", kept.join("\n")));
  return at;
}

function code(lines, at, out) {
  let end = at + 1;
  while (end < lines.length && !/^```/.test(lines[end])) end++;
  const shown = document.createElement("pre");
  const inner = document.createElement("code");
  inner.textContent = lines.slice(at + 1, end).join("\n");
  shown.append(inner);
  shown.tabIndex = 0;
  out.append(shown);
  return end + 1;
}

function element(name, text) {
  const made = document.createElement(name);
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    made.append(text.slice(from, found.index));
    const [whole, , mono, bold, italic, label, address] = found;
    const inner = document.createElement(mono ? "code" : bold ? "strong" : italic ? "em" : "a");
    inner.textContent = mono ?? bold ?? italic ?? label;
    if (address) { inner.href = address; inner.rel = "noopener noreferrer nofollow"; inner.target = "_blank"; }
    made.append(inner);
    from = found.index + whole.length;
  }
  made.append(text.slice(from));
  return made;
}

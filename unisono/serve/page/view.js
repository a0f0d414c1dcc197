// The conversation as elements. Each turn is drawn from its node; a turn that grows is drawn again in place.

import { render } from "./markdown.js";

export function button(name, act, title) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = name;
  if (title) { made.title = title; made.setAttribute("aria-label", title); }
  made.addEventListener("click", act);
  return made;
}

export function isByKeys(focused) { return Boolean(focused?.matches(":focus-visible")); }

function nameOf(element) { return element.getAttribute("aria-label") ?? element.textContent; }

function isSame(one, other) { return one?.length === other.length && other.every((value, at) => value === one[at]); }

export class View {
  constructor(log, acts) { this.log = log; this.acts = acts; this.items = new Map(); }

  clear() { this.log.querySelectorAll("article").forEach((item) => item.remove()); this.items.clear(); }

  show(path, siblings) {
    this.held(() => {
      const wanted = new Set(path.map((node) => node.id));
      for (const [id, item] of this.items) if (!wanted.has(id)) { item.remove(); this.items.delete(id); }
      for (const node of path) this.draw(node, siblings(node));
    });
  }

  turn(node, siblings) { this.held(() => this.draw(node, siblings)); }

  held(draw) {                   // the focus passes on to the same button of the new turn, or else to the box: on nothing, the space bar would call
    const had = document.activeElement, turn = had?.closest(".turn"), place = [...this.log.children].indexOf(turn), byKeys = isByKeys(had);
    draw();
    if (!turn || document.activeElement !== document.body) return;
    const same = [...this.log.children[place]?.querySelectorAll(had.localName) ?? []].find((one) => nameOf(one) === nameOf(had));
    same ? same.focus() : this.acts.write(byKeys);
  }

  draw(node, siblings) {
    const stuck = this.log.scrollTop + this.log.clientHeight > this.log.scrollHeight - 60;
    let item = this.items.get(node.id);
    if (!item) {
      item = document.createElement("article");
      item.className = `turn ${node.role}`;
      item.dataset.id = node.id;
      item.setAttribute("aria-label", node.role === "user" ? "You" : "Unisono");
      this.items.set(node.id, item);
      this.log.append(item);
    }
    const words = [node.waiting, ...node.parts.flatMap((part) => [part.type, part.text, part.url, part.whole])], rest = [node.note, ...siblings.map((one) => one.id)];
    if (isSame(item.words, words) && isSame(item.rest, rest)) return;
    if (isSame(item.words, words)) item.lastChild.replaceWith(this.under(node, siblings));     // what was said, drawn anew, would be read aloud again
    else {
      item.setAttribute("aria-busy", String(Boolean(node.waiting)));
      item.replaceChildren(this.said(node), this.under(node, siblings));
    }
    Object.assign(item, { words, rest });
    if (stuck) this.log.scrollTop = this.log.scrollHeight;
  }

  said(node) {
    const made = document.createElement("div");
    made.className = "said" + (node.waiting ? " waiting" : "");
    made.append(...node.parts.map((part) => this.part(part, node)));
    return made;
  }

  part(part, node) {
    if (part.type === "text") return node.role === "assistant" ? render(part.text) : plain(part.text);
    if (part.type === "image") return picture(part.url, part.drawn ? "drawing" : "", part.drawn ? "A drawing by the network" : part.name);
    if (part.type === "frames") return picture(part.urls.at(-1), "", "from the camera");
    if (part.type === "call") { const made = plain(part.text); made.className = "call"; return made; }
    const made = document.createElement(part.type === "video" ? "video" : "audio");
    made.controls = true;
    made.src = part.url;
    made.setAttribute("aria-label", part.name ?? "sound");
    return made;
  }

  under(node, siblings) {
    const row = document.createElement("div");
    row.className = "acts";
    if (siblings.length > 1) {
      const place = siblings.indexOf(node);
      row.append(button("‹", () => this.acts.choose(siblings[(place + siblings.length - 1) % siblings.length]), "previous version"),
        `${place + 1} / ${siblings.length}`, button("›", () => this.acts.choose(siblings[(place + 1) % siblings.length]), "next version"));
    }
    if (!node.waiting) {
      row.append(button("Copy", () => this.acts.copy(node)), node.role === "user" ? button("Edit", () => this.acts.edit(node)) : button("Retry", () => this.acts.retry(node)));
      for (const part of node.parts) if (part.drawn) row.append(button("Save", () => this.acts.save(part)), button("Use", () => this.acts.use(part), "attach this drawing to your next message"));
    }
    if (node.note) row.append(node.note);
    return row;
  }
}

function plain(text) {
  const made = document.createElement("p");
  made.style.whiteSpace = "pre-wrap";
  made.textContent = text;
  return made;
}

function picture(url, kind, name) {
  const made = new Image();
  made.src = url;
  made.alt = name ?? "a picture";
  made.className = kind;
  return made;
}

// The strip: every id that flows by, coloured by kind; on hover its name, its time and how probable it was.

const KINDS = ["text", "thought", "audio", "image", "mark"];
const WIDTH = 5;

export class Strip {
  constructor(canvas, counts, under) {
    this.canvas = canvas; this.counts = counts; this.under = under;
    this.ids = []; this.number = Object.fromEntries(KINDS.map((kind) => [kind, 0])); this.began = performance.now(); this.due = false; this.at = -1;
    canvas.addEventListener("pointermove", (event) => this.tell(this.first + Math.floor(event.offsetX / WIDTH)));
    canvas.addEventListener("pointerleave", () => { this.under.textContent = ""; });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) { this.at = Math.max(0, Math.min(this.ids.length - 1, (this.at < 0 ? this.ids.length : this.at) + step)); this.tell(this.at); event.preventDefault(); }
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  push(ids) {                    // [[id, kind, probability or null, name], ...]
    for (const [id, kind, probability, name] of ids) {
      const known = KINDS.includes(kind) ? kind : "mark";
      this.number[known]++;
      this.ids.push({ id, kind: known, probability, name, time: performance.now() - this.began });
    }
    if (this.ids.length > 20000) this.ids.splice(0, 10000);
    this.counts.textContent = KINDS.filter((kind) => this.number[kind]).map((kind) => `${this.number[kind]} ${kind}`).join(" · ");
    if (!this.due) { this.due = true; requestAnimationFrame(() => { this.due = false; this.draw(); }); }
  }

  get first() { return Math.max(0, this.ids.length - Math.floor(this.canvas.clientWidth / WIDTH)); }

  draw() {
    const { canvas } = this, scale = devicePixelRatio || 1, pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
    canvas.width = canvas.clientWidth * scale; canvas.height = canvas.clientHeight * scale;
    pen.scale(scale, scale);
    this.ids.slice(this.first).forEach((one, place) => {
      pen.fillStyle = style.getPropertyValue("--" + one.kind);
      const share = one.probability === null ? 1 : 0.25 + 0.75 * one.probability, high = canvas.clientHeight * share;
      pen.fillRect(place * WIDTH, canvas.clientHeight - high, WIDTH - 1, high);
    });
  }

  tell(number) {
    const one = this.ids[number];
    this.under.textContent = one ? `${one.name} · id ${one.id} · ${(one.time / 1000).toFixed(2)} s` + (one.probability === null ? " · given" : ` · p ${one.probability.toFixed(3)}`) : "";
  }
}

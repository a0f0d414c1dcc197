// On the audio thread. `capture`: the microphone in pieces of 20 ms at 24 kHz. `player`: what arrives, played without gaps,
// silent at once when cleared. `meter`: how loud it is, every 10 ms, with the clock that both ends share.

class Capture extends AudioWorkletProcessor {
  constructor() { super(); this.held = new Float32Array(480); this.count = 0; }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.held[this.count++] = sample;
      if (this.count === 480) { this.port.postMessage(this.held.slice()); this.count = 0; }
    }
    return true;
  }
}

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.queue = []; this.at = 0; this.played = 0;
    this.port.onmessage = ({ data }) => {
      if (data === "clear") { this.queue = []; this.at = 0; this.port.postMessage({ cleared: this.played }); this.played = 0; }
      else if (data === "start") this.played = 0;
      else this.queue.push(data);
    };
  }

  process(_, [[out]]) {
    for (let n = 0; n < out.length && this.queue.length; n++) {
      out[n] = this.queue[0][this.at++];
      this.played++;
      if (this.at === this.queue[0].length) { this.queue.shift(); this.at = 0; }
    }
    return true;
  }
}

class Meter extends AudioWorkletProcessor {
  constructor() { super(); this.sum = 0; this.count = 0; }

  process([input]) {
    for (const sample of input[0] ?? []) {
      this.sum += sample * sample;
      if (++this.count >= sampleRate / 100) { this.port.postMessage({ level: Math.sqrt(this.sum / this.count), time: currentTime }); this.sum = this.count = 0; }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
registerProcessor("player", Player);
registerProcessor("meter", Meter);

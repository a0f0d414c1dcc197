// A live conversation over /v1/realtime: WebRTC first, WebSocket where that fails. Emits events: "event" (the server's),
// "level" (0..1), "latency" (ms, from the last loud sample at the microphone to the first loud one of the reply), "state".

import { REFUSED } from "./files.js";

const LOUD = 0.012;
const MOST = 15e6;               // bytes: a larger line closes the socket

export class Voice extends EventTarget {
  constructor(options) { super(); this.options = options; this.isOpen = false; this.tries = 0; }

  emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  async start() {
    this.isOpen = true;
    this.emit("state", "asking for the microphone");
    if (!navigator.mediaDevices) throw new Error(REFUSED);
    this.microphone = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } });
    this.goOn();
    for (const track of this.microphone.getTracks()) track.onended = () => this.emit("unplugged");
    this.audio = new AudioContext({ sampleRate: 24000 });
    await this.audio.audioWorklet.addModule("worklets.js");
    await Promise.race([this.audio.resume(), new Promise((done) => setTimeout(done, 1000))]);    // Firefox waits for ever where no loudspeaker is
    this.spokenAt = 0;
    this.watch(this.source = this.audio.createMediaStreamSource(this.microphone), (level, time) => {
      this.emit("level", Math.min(1, level * 8));
      if (level > LOUD) { this.spokenAt = time; this.waiting = true; }
    });
    await this.connect();
  }

  watch(node, tell) {
    const meter = new AudioWorkletNode(this.audio, "meter");
    meter.port.onmessage = ({ data }) => tell(data.level, data.time);
    node.connect(meter);
    const mute = this.audio.createGain();
    mute.gain.value = 0;
    meter.connect(mute).connect(this.audio.destination);     // a node that leads nowhere is not run
  }

  goOn() {                       // after each wait: it may have been hung up meanwhile
    if (!this.isOpen) { this.stop(); throw new DOMException("hung up", "AbortError"); }
  }

  heard(level, time) {           // only the first sound of a reply tells how long it took
    if (level <= LOUD || !this.replying) return;
    if (this.waiting) this.emit("latency", Math.round(1000 * (time - this.spokenAt)));
    this.replying = this.waiting = false;
  }

  async connect() {
    this.goOn();
    this.emit("state", "connecting");
    const wanted = new URLSearchParams(location.search).get("transport");
    try {
      if (wanted === "websocket" || !window.RTCPeerConnection) throw new Error("no WebRTC");
      await this.callByPeer();
      this.transport = "WebRTC";
    } catch (error) {
      if (!this.isOpen || wanted === "webrtc" || error.status === 401) throw error;
      this.peer?.close();
      this.peer = null;
      await this.callBySocket();
      this.transport = "WebSocket";
    }
    this.goOn();
    this.tries = 0;
    this.send({ type: "session.update", session: this.options.session() });
    await this.options.opened(this);
    this.emit("state", `listening (${this.transport})`);
  }

  async callByPeer() {
    const peer = this.peer = new RTCPeerConnection();
    const channel = this.channel = peer.createDataChannel("oai-events");
    for (const track of this.microphone.getTracks()) peer.addTrack(track, this.microphone);
    peer.ontrack = ({ streams: [stream], track }) => {
      const speaker = this.speaker = new Audio();
      speaker.srcObject = stream ?? new MediaStream([track]);
      speaker.play().catch(() => this.emit("state", "press a key to hear the reply"));
      this.watch(this.audio.createMediaStreamSource(speaker.srcObject), (level, time) => this.heard(level, time));
    };
    const ready = new Promise((done, fail) => {
      channel.onopen = done;
      setTimeout(() => fail(new Error("WebRTC did not connect")), 6000);
      peer.onconnectionstatechange = () => {
        if (["failed", "disconnected", "closed"].includes(peer.connectionState)) { fail(new Error("WebRTC failed")); if (peer === this.peer && this.transport) this.lost(); }
      };
    });
    channel.onmessage = ({ data }) => this.take(JSON.parse(data));
    await peer.setLocalDescription();
    const answer = await fetch("v1/realtime/calls?model=gpt-realtime", { method: "POST", body: peer.localDescription.sdp, headers: { "content-type": "application/sdp", ...this.options.headers() } });
    if (!answer.ok) throw Object.assign(new Error((await answer.json().catch(() => null))?.error?.message ?? `the server answered ${answer.status}`), { status: answer.status });
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await ready;
  }

  async callBySocket() {
    const address = new URL("v1/realtime?model=gpt-realtime", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const key = this.options.key();
    const socket = this.socket = new WebSocket(address, ["realtime", ...(key ? [`openai-insecure-api-key.${key}`] : [])]);
    await new Promise((done, fail) => { socket.onopen = done; socket.onerror = () => fail(new Error("the server cannot be reached")); });
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => { if (this.isOpen && socket === this.socket) this.lost(); };
    this.capture = new AudioWorkletNode(this.audio, "capture");
    this.capture.port.onmessage = ({ data }) => { if (socket.readyState === 1) socket.send(JSON.stringify({ type: "input_audio_buffer.append", audio: toBase64(data) })); };
    this.source.connect(this.capture);
    this.player = new AudioWorkletNode(this.audio, "player");
    this.player.connect(this.audio.destination);
    this.player.port.onmessage = ({ data }) => { if (data.cleared !== undefined) this.truncate(Math.floor(data.cleared / 24)); };
    this.watch(this.player, (level, time) => this.heard(level, time));
  }

  take(event) {
    if (event.type === "response.created") { this.replying = true; this.player?.port.postMessage("start"); }
    if (event.type === "response.output_item.added" && event.item.role === "assistant") this.item = event.item.id;
    if (event.type === "response.output_audio.delta") this.player?.port.postMessage(fromBase64(event.delta));
    if (event.type === "input_audio_buffer.speech_started" && this.player) this.player.port.postMessage("clear");
    this.emit("event", event);
  }

  truncate(played) {             // the context holds what was heard, no more
    if (this.item && played > 0 && this.isOpen) this.send({ type: "conversation.item.truncate", item_id: this.item, content_index: 0, audio_end_ms: played });
    this.item = null;
  }

  fits(event) { return JSON.stringify(event).length <= (this.peer ? this.peer.sctp?.maxMessageSize ?? 65536 : MOST); }

  send(event) {                  // -> whether it was
    const open = this.channel?.readyState === "open" ? this.channel : this.socket?.readyState === 1 ? this.socket : null, fits = this.fits(event);
    if (open && !fits) this.emit("event", { type: "error", error: { message: "This is too large to be sent in a call; hang up first." } });
    else open?.send(JSON.stringify(event));
    return Boolean(open && fits);
  }

  async lost() {                 // what was said is kept by the page; the new session is told of it
    this.hangUp();
    while (this.isOpen) {
      const wait = Math.min(8000, 500 * 2 ** this.tries++);
      this.emit("state", `connection lost; trying again in ${Math.ceil(wait / 1000)} s`);
      await new Promise((done) => setTimeout(done, wait));
      try { if (this.isOpen) await this.connect(); return; } catch { this.hangUp(); }
    }
  }

  hangUp() {
    const { peer, socket } = this;
    this.peer = this.socket = this.channel = this.transport = null;
    peer?.close();
    socket?.close();
    this.capture?.disconnect();
    this.player?.disconnect();
    this.player = this.capture = null;
    this.speaker?.pause();
  }

  stop() {
    this.isOpen = false;
    this.hangUp();
    for (const track of this.microphone?.getTracks() ?? []) track.stop();
    this.audio?.close();
    this.emit("level", 0);
    this.emit("state", "ready");
  }
}

export function toBase64(samples) {
  const bytes = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((sample, at) => bytes.setInt16(2 * at, Math.max(-1, Math.min(1, sample)) * 32767, true));
  let text = "";
  for (let at = 0; at < bytes.byteLength; at += 8192) text += String.fromCharCode(...new Uint8Array(bytes.buffer, at, Math.min(8192, bytes.byteLength - at)));
  return btoa(text);
}

export function bytesOf(text) { return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)); }

export function fromBase64(text) {
  const bytes = bytesOf(text), view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length >> 1 }, (_, at) => view.getInt16(2 * at, true) / 32768);
}

export function wavAddress(pieces, rate) {      // Float32Arrays -> a blob: address of a WAV file
  const total = pieces.reduce((sum, piece) => sum + piece.length, 0), view = new DataView(new ArrayBuffer(44 + 2 * total));
  const word = (at, text) => [...text].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + 2 * total, true); word(8, "WAVEfmt "); view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, rate, true); view.setUint32(28, 2 * rate, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true); word(36, "data"); view.setUint32(40, 2 * total, true);
  let at = 44;
  for (const piece of pieces) for (const sample of piece) { view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true); at += 2; }
  return view.buffer;
}

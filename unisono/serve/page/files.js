// What people drop, paste, pick or film -> parts of a message. Whatever is wrong with a file is said in one sentence.

const MOST_BYTES = 20e6;
const MOST_FILES = 8;
const SIDE = 192;               // pixels: the network looks at less, and a call's channel takes 256 kB at once
const SMALL = 128;              // pixels: sent as they are, to the last one

export const REFUSED = "Browsers give microphone and camera to https pages and to this machine only; start the server with --tls-cert and --tls-key.";

export class Trouble extends Error {}

export async function read(files, held) {
  const parts = [];
  if (held + files.length > MOST_FILES) throw new Trouble(`At most ${MOST_FILES} things at once; you have ${held} and chose ${files.length} more.`);
  for (const file of files) parts.push(await one(file));
  return parts;
}

async function one(file) {
  if (file.size > MOST_BYTES) throw new Trouble(`${file.name} has ${(file.size / 1e6).toFixed(0)} MB; at most ${MOST_BYTES / 1e6} MB can be sent. Cut it, or send a part.`);
  if (!file.size) throw new Trouble(`${file.name} is empty.`);
  const kind = file.type.split("/")[0];
  if (kind === "image") return picture(file);
  if (kind === "audio") return sound(file);
  if (kind === "video") return { type: "video", url: await address(file), name: file.name };
  throw new Trouble(`${file.name} is neither a picture nor sound nor a clip, so the network cannot read it.`);
}

async function picture(file) {
  let bitmap;
  try { bitmap = await createImageBitmap(file); } catch { throw new Trouble(`${file.name} is not a picture that this browser can read.`); }
  return { type: "image", url: drawn(bitmap, bitmap.width, bitmap.height), name: file.name };
}

function drawn(source, width, height) {
  const scale = Math.min(1, SIDE / Math.max(width, height)), canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d"), isSmall = Math.max(width, height) <= SMALL;
  if (!isSmall) { pen.fillStyle = "#fff"; pen.fillRect(0, 0, canvas.width, canvas.height); }      // JPEG knows no transparency
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  return isSmall ? canvas.toDataURL("image/png") : canvas.toDataURL("image/jpeg", 0.9);
}

async function sound(file) {
  const format = { "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3" }[file.type];
  if (format) return { type: "audio", url: await address(file), format, name: file.name };
  try {                          // the API takes WAV and MP3; the browser knows the others
    const { wavAddress } = await import("./voice.js");
    return { type: "audio", url: await address(new Blob([wavAddress([await samples(await file.arrayBuffer())], 24000)], { type: "audio/wav" })), format: "wav", name: file.name };
  } catch { throw new Trouble(`${file.name} is sound that this browser cannot read; WAV and MP3 always work.`); }
}

export async function samples(content) {       // an ArrayBuffer of a file -> Float32Array, one channel at 24 kHz
  const decoded = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(content), sides = Array.from({ length: decoded.numberOfChannels }, (_, n) => decoded.getChannelData(n));
  return sides[0].map((_, at) => sides.reduce((sum, side) => sum + side[at], 0) / sides.length);
}

export function address(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => fail(new Trouble("The file could not be read."));
    reader.readAsDataURL(blob);
  });
}

export class Camera {            // keeps the last four seconds at two pictures a second
  constructor(video) { this.video = video; this.frames = []; }

  get isOn() { return Boolean(this.stream); }

  async start() {
    if (!navigator.mediaDevices) throw new Error(REFUSED);
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
    if (this.stream) { for (const track of stream.getTracks()) track.stop(); return; }      // asked for twice
    this.stream = stream;
    this.video.srcObject = this.stream;
    this.video.hidden = false;
    await this.video.play();
    this.timer = setInterval(() => { this.frames = [...this.frames, this.shot()].slice(-8); }, 500);
  }

  shot() { return drawn(this.video, this.video.videoWidth, this.video.videoHeight); }

  part(asClip) { return asClip && this.frames.length > 1 ? { type: "frames", urls: [...this.frames], name: "camera" } : { type: "image", url: this.shot(), name: "camera" }; }

  stop() {
    clearInterval(this.timer);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null; this.frames = []; this.video.hidden = true; this.video.srcObject = null;
  }
}

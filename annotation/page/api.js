// The server's API. A browser's changes carry the token that `me` told.
let csrf = null;

export class Refused extends Error {
  constructor(status, told) { super(told); this.status = status; }
}

export const ask = (method, path, body) =>
  send(method, path, body === undefined ? undefined : JSON.stringify(body), "application/json");

export const upload = (path, file) => send("POST", path, file, "application/octet-stream");

// A large file, with the bytes that have gone told meanwhile.
export const uploadTelling = (path, file, told) => new Promise((done, failed) => {
  const request = new XMLHttpRequest();
  request.open("POST", `api/${path}`);
  request.responseType = "json";
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("X-CSRF-Token", csrf);
  request.upload.onprogress = (event) => told(event.loaded);
  request.upload.onload = () => told(file.size);
  request.onerror = () => failed(new Refused(0, "no connection"));
  request.onload = () => request.status < 300 ? done(request.response) : failed(new Refused(request.status, words(request.response, request.statusText)));
  request.send(file);
});

function words(content, otherwise) {
  const told = content && content.detail;
  return typeof told === "string" ? told : told ? told.map((one) => one.msg).join("; ") : otherwise;
}

async function send(method, path, body, kind) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = kind;
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  const answer = await fetch(`api/${path}`, { method, headers, body });
  const content = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, words(content, answer.statusText));
  return content;
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);

export async function me() {
  const found = await get("me");
  csrf = found.csrf;
  return found;
}

export async function enter(path, body) {
  const found = await post(path, body);
  csrf = found.csrf;
  return found;
}

// When each frame of a video is shown, Float64Array of seconds.
export async function frameTimes(video) {
  if (video.times) return Float64Array.from({ length: video.frames }, (_, index) => index * video.times.step);
  const answer = await fetch(`api/videos/${video.id}/times`);
  if (!answer.ok) throw new Refused(answer.status, "the times of the frames cannot be read");
  return new Float64Array(await answer.arrayBuffer());
}

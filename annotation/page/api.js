// The server's API. A browser's changes carry the token that `me` told.
let csrf = null;

export class Refused extends Error {
  constructor(status, told) { super(told); this.status = status; }
}

export const ask = (method, path, body) =>
  send(method, path, body === undefined ? undefined : JSON.stringify(body), "application/json");

export const upload = (path, file) => send("POST", path, file, "application/octet-stream");

async function send(method, path, body, kind) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = kind;
  if (csrf && method !== "GET") headers["X-CSRF-Token"] = csrf;
  const answer = await fetch(`api/${path}`, { method, headers, body });
  const content = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    const told = content && content.detail;
    throw new Refused(answer.status, typeof told === "string" ? told : told ? told.map((one) => one.msg).join("; ") : answer.statusText);
  }
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

// What a labelling's server was not told yet: kept in the browser, so that neither a lost connection nor a closed window
// loses it, and sent in order, each change under a name of its own, so that none is done twice.
import { me, post } from "./api.js";
import { MOST_KEYFRAMES } from "./marks.js";

const RETRY = [1000, 2000, 5000, 10000];
const MOST = 2000; // edits in a request

export class Saving {
  // told: called with ("saving", text, whether it is bad, and, where the server refuses, what gives the changes up).
  constructor(track, told, givenUp) {
    Object.assign(this, { track, told, givenUp });
    this.key = `unsaved ${location.pathname} ${track.id}`;
    this.waiting = JSON.parse(localStorage.getItem(this.key) || "[]");
    this.sending = null;
    if (this.waiting.length) this.#send(0);
  }

  add(edits) {
    this.waiting.push(...edits);
    this.#keep();
    this.#send(0);
  }

  #keep() {
    try { localStorage.setItem(this.key, JSON.stringify(this.waiting)); } catch { /* full: still in memory */ }
    if (!this.waiting.length) localStorage.removeItem(this.key);
  }

  async #send(tries) {
    if (this.sending || !this.waiting.length) return;
    this.sending = fitting(this.waiting);
    if (!tries) this.told("saving", "Saving…");
    try {
      const { version } = await post(`tracks/${this.track.id}/edits`, { edits: this.sending });
      this.track.version = version;
      this.waiting.splice(0, this.sending.length);
      this.#keep();
      this.sending = null;
      if (this.waiting.length) this.#send(0);
      else this.told("saving", "All saved");
    } catch (error) {
      await this.#failed(error, tries);
    }
  }

  async #failed(error, tries) {
    const signedOut = [401, 403].includes(error.status) && !(await me().catch(() => null));
    this.sending = null;
    const kept = `${this.waiting.length} changes are kept in this browser`;
    if ([400, 404, 409, 413, 422].includes(error.status)) {
      this.told("saving", `Refused: ${error.message}. ${kept}.`, true, () => this.#giveUp());
      return;
    }
    this.told("saving", signedOut ? `Signed out. ${kept}; sign in again in another window, and they are sent.`
      : `Not saved: ${error.status ? error.message : "no connection"}. ${kept}.`, true);
    setTimeout(() => this.#send(tries + 1), RETRY[Math.min(tries, RETRY.length - 1)]);
  }

  #giveUp() {
    this.waiting.length = 0;
    this.#keep();
    this.told("saving", "");
    this.givenUp();
  }
}

// The first of waiting changes: as many as go into one request.
function fitting(waiting) {
  let size = 0;
  const end = waiting.findIndex((one, at) => at === MOST || (at && (size += one.mark?.keyframes.length ?? 0) > MOST_KEYFRAMES));
  return end < 0 ? waiting.slice() : waiting.slice(0, end);
}

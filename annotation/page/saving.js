// What a labelling's server was not told yet: kept in the browser, so that neither a lost connection nor a closed window
// loses it, and sent in order, each change under a name of its own, so that none is done twice.
import { me, post } from "./api.js";
import { MOST_KEYFRAMES } from "./marks.js";

const RETRY = [1000, 2000, 5000, 10000];
const MOST = 2000; // edits in a request

export class Saving {
  // told: called with ("saving", text, whether it is bad, and, where the server refuses, [title, what it does] of what can
  // be done). reopen: shows the labelling as the server has it.
  constructor(track, told, reopen) {
    Object.assign(this, { track, told, reopen });
    this.key = `unsaved ${location.pathname} ${track.id}`;
    const kept = this.#kept();
    this.waiting = track.mine ? kept.edits : [];
    // track.version: that on which what waits was done. The server refuses it where another window changed something since.
    if (this.waiting.length) track.version = kept.version ?? null;
    this.sending = null;
    if (this.waiting.length) this.#send(0);
  }

  add(edits) {
    this.waiting.push(...edits);
    this.#keep();
    this.#send(0);
  }

  #kept() {
    const found = JSON.parse(localStorage.getItem(this.key) || "{}");
    return Array.isArray(found) ? { edits: found } : { edits: [], ...found };
  }

  // Another window may keep changes of the same labelling, which stay. gone: those that need not be kept any more.
  #keep(gone = []) {
    const ours = new Set([...this.waiting, ...gone].map((one) => one.edit)), kept = this.#kept();
    const others = kept.edits.filter((one) => !ours.has(one.edit)), edits = [...others, ...this.waiting];
    const version = others.length ? Math.min(kept.version ?? this.track.version, this.track.version) : this.track.version;
    if (!edits.length) localStorage.removeItem(this.key);
    else try { localStorage.setItem(this.key, JSON.stringify({ version, edits })); } catch { /* full: still in memory */ }
  }

  async #send(tries) {
    if (this.sending || !this.waiting.length) return;
    this.sending = fitting(this.waiting);
    if (!tries) this.told("saving", "Saving…");
    try {
      const { version } = await post(`tracks/${this.track.id}/edits`, { edits: this.sending, version: this.track.version });
      if (!this.insists) this.track.version = version;
      this.#keep(this.waiting.splice(0, this.sending.length));
      this.sending = null;
      if (this.waiting.length) return this.#send(0);
      this.told("saving", "All saved");
      if (this.insists) this.reopen();
    } catch (error) {
      await this.#failed(error, tries);
    }
  }

  async #failed(error, tries) {
    const signedOut = [401, 403].includes(error.status) && !(await me().catch(() => null));
    this.sending = null;
    const kept = `${this.waiting.length} changes are kept in this browser`;
    if ([400, 404, 409, 413, 422].includes(error.status)) {
      this.told("saving", `Refused: ${error.message}. ${kept}.`, true, [
        ...(error.status === 409 ? [["Send them all the same", () => this.#insist()]] : []), ["Give them up", () => this.#giveUp()]]);
      return;
    }
    this.told("saving", signedOut ? `Signed out. ${kept}; sign in again in another window, and they are sent.`
      : `Not saved: ${error.status ? error.message : "no connection"}. ${kept}.`, true);
    setTimeout(() => this.#send(tries + 1), RETRY[Math.min(tries, RETRY.length - 1)]);
  }

  // Whatever was changed meanwhile.
  #insist() {
    this.insists = true;
    this.track.version = null;
    this.#send(0);
  }

  #giveUp() {
    this.#keep(this.waiting.splice(0));
    this.told("saving", "");
    this.reopen();
  }
}

// The first of waiting changes: as many as go into one request.
function fitting(waiting) {
  let size = 0;
  const end = waiting.findIndex((one, at) => at === MOST || (at && (size += one.mark?.keyframes.length ?? 0) > MOST_KEYFRAMES));
  return end < 0 ? waiting.slice() : waiting.slice(0, end);
}

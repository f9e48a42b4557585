// The video, frame by frame: frames are addressed by their number, and the table of times says when each is shown.
export class Player {
  constructor(video, source, times, told) {
    this.video = video;
    this.times = times;
    this.told = told; // called with the frame that is shown
    this.frame = 0;
    this.until = null; // frame at which playing stops
    this.last = times.length > 1 ? times[times.length - 1] - times[times.length - 2] : 1 / 30;
    video.src = source;
    video.addEventListener("pause", () => this.#settle());
    video.addEventListener("ended", () => this.#settle());
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback((_, data) => this.#presented(data.mediaTime));
    else video.addEventListener("timeupdate", () => this.#presented(video.currentTime));
  }

  get playing() { return !this.video.paused && !this.video.ended; }

  // The frame that is shown at a time: the last one whose time is not later, to half a millisecond.
  at(seconds) {
    let low = 0, high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= seconds + 0.0005) low = middle; else high = middle - 1;
    }
    return low;
  }

  // Show a frame: the middle of its time, where rounding cannot meet a neighbour.
  go(frame) {
    this.frame = Math.max(0, Math.min(Math.round(frame), this.times.length - 1));
    const end = this.frame + 1 < this.times.length ? this.times[this.frame + 1] : this.times[this.frame] + this.last;
    this.video.currentTime = (this.times[this.frame] + end) / 2;
    this.told(this.frame);
  }

  step(by) { this.video.pause(); this.go(this.frame + by); }

  toggle(until = null) {
    if (this.playing) return this.video.pause();
    this.until = until;
    return this.video.play();
  }

  #presented(seconds) {
    if (this.playing) {
      this.frame = this.at(seconds);
      this.told(this.frame);
      if (this.until !== null && this.frame >= this.until - 1) this.video.pause();
    }
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback((_, data) => this.#presented(data.mediaTime));
  }

  // Stopped while playing: the frame that is counted is shown exactly.
  #settle() {
    this.until = null;
    this.go(this.frame);
  }
}

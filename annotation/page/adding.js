// Adding videos to a project: each goes up with its progress, and is checked there before it is one of the project's.
import { node } from "./dom.js";
import { uploadTelling } from "./api.js";
import { section } from "./parts.js";

export function adding(project, again) {
  const list = node("ul", { className: "uploads" });
  const file = node("input", { type: "file", multiple: true, accept: "video/*,.avi,.mkv,.mpg,.mjpg,.ts,.mts,.wmv,.flv,.vob" });
  file.onchange = async () => {
    file.disabled = true;
    let refused = 0;
    for (const one of file.files) refused += await send(project, one, list) ? 0 : 1;
    file.disabled = false;
    file.value = "";
    if (!refused) await again();
    else list.after(node("button", { type: "button", textContent: "Show all videos", onclick: again }));
  };
  return section("Add videos", node("label", {}, "Files from this computer ", file), list,
    node("p", { className: "hint", textContent: "Every frame is decoded before a video is taken, which lasts a while. A video of the same name is never replaced." }));
}

// Whether it was taken.
async function send(project, file, list) {
  const bar = node("progress", { max: file.size || 1, value: 0, ariaLabel: file.name });
  const told = node("span", { textContent: "going up" });
  list.append(node("li", {}, `${file.name} `, bar, " ", told));
  const progress = (bytes) => {
    bar.value = bytes;
    told.textContent = bytes < file.size ? `${Math.floor(100 * bytes / file.size)} %` : "being checked";
  };
  try {
    const made = await uploadTelling(`projects/${project.id}/videos?name=${encodeURIComponent(file.name)}`, file, progress);
    told.textContent = `taken as ${made.name}, ${made.frames} frames${made.notes.length ? `; ${made.notes.join("; ")}` : ""}`;
    return true;
  } catch (error) {
    told.textContent = `not taken: ${error.message}`;
    told.className = "fault";
    return false;
  }
}

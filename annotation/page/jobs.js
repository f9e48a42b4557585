// Models: training on the labels that are there, predicting the videos left, and the video to annotate next.
import { get, post } from "./api.js";
import { node } from "./dom.js";
import { clock } from "./timeline.js";

const EVERY = 2000; // milliseconds between two looks at what runs
const RUNS = ["waiting", "running"];

// The section of a project's page; `project` as the API gives it. Whoever only annotates sees which video is next.
export function models(project) {
  const next = node("p", { className: "next" });
  const section = node("section", { className: "models", ariaLabel: "Models" }, node("h2", { textContent: "Models" }), next);
  const showNext = (found) => next.replaceChildren(...nextOf(found));
  showNext(project);
  if (project.role === "annotator") {
    section.hidden = !project.next.length;
    return section;
  }
  const place = `projects/${project.id}/jobs`;
  const names = Object.fromEntries(project.videos.map((one) => [one.id, one.name]));
  const hint = node("p", { className: "hint" });
  const fault = node("p", { className: "fault", role: "alert" });
  const rows = node("tbody"), table = node("table", { className: "list jobs" }, head(), rows);
  const opened = new Map(); // number of a job whose log is shown, and its text
  let form = null, running = new Set(), timer = 0;

  // Do what a button is for, tell what was wrong with it, and look again.
  async function act(what) {
    try {
      await what();
      fault.textContent = "";
    } catch (error) { fault.textContent = error.message; }
    await look();
  }

  async function look() {
    clearTimeout(timer);
    if (!section.isConnected && timer) return; // another page is shown
    timer = setTimeout(look, EVERY);
    try {
      const found = await get(place);
      const runs = new Set(found.jobs.filter((one) => RUNS.includes(one.state)).map((one) => one.id));
      const ended = [...running].some((one) => !runs.has(one));
      for (const id of opened.keys()) {
        if (runs.has(id) || running.has(id) || opened.get(id) === null) opened.set(id, (await get(`${place}/${id}`)).log);
      }
      running = runs;
      if (ended) showNext(await get(`projects/${project.id}`));
      show(found);
      if (!runs.size) clearTimeout(timer);
    } catch (error) { fault.textContent = `${error.message}: this list may be old`; }
  }

  function show(found) {
    hint.textContent = `${found.labelled.length} of ${project.videos.length} videos have accepted labels. A model learns from them and labels the others; `
      + `where it is least sure, people annotate next.${found.labelled.length ? "" : " Accept a labelling first."}`;
    if (!form && project.role === "manager") {
      form = starting(found.networks, (body) => act(() => post(place, body)));
      hint.after(form.node);
    }
    form?.update(found, names);
    const focused = document.activeElement?.dataset?.does;
    rows.replaceChildren(...found.jobs.flatMap((one) => rowsOf(one, found.left.length)));
    if (focused) rows.querySelector(`[data-does="${focused}"]`)?.focus();
    table.hidden = !found.jobs.length;
  }

  function rowsOf(job, left) {
    const button = (name, textContent, onclick, more = {}) => {
      const made = node("button", { textContent, onclick, ariaLabel: `${textContent} (job ${job.id})`, ...more });
      made.dataset.does = `${name} ${job.id}`;
      return made;
    };
    const does = node("td");
    const shown = opened.has(job.id);
    does.append(button("log", shown ? "Hide the log" : "Log", () => {
      if (shown) opened.delete(job.id); else opened.set(job.id, null);
      look();
    }, { ariaExpanded: String(shown) }));
    if (project.role === "manager" && RUNS.includes(job.state)) does.prepend(button("stop", "Stop", () => act(() => post(`${place}/${job.id}/stop`))), " ");
    if (project.role === "manager" && job.kind === "train" && job.state === "done" && left) {
      does.prepend(button("predict", "Predict the videos left", () => act(() => post(place, { kind: "predict", model: job.id, gpu: job.arguments.gpu }))), " ");
    }
    const out = [node("tr", {}, node("td", { textContent: job.id }), node("td", { textContent: whatOf(job) }), stateOf(job), resultOf(job), does)];
    if (shown) {
      const log = node("pre", { tabIndex: 0, ariaLabel: `Log of ${job.id}`, textContent: opened.get(job.id) || job.commands.map((one) => `$ ${one}`).join("\n") || "nothing yet" });
      out.push(node("tr", {}, node("td", { colSpan: 5 }, log)));
    }
    return out;
  }

  section.append(hint, fault, table);
  table.hidden = true;
  look();
  return section;
}

function head() {
  return node("thead", {}, node("tr", {}, ...["Number", "What", "State", "Result", "Actions"].map((text) => node("th", { textContent: text }))));
}

function nextOf(project) {
  const video = project.videos.find((one) => one.id === project.next[0]);
  if (!video) return [];
  return ["The model is least sure of ", node("a", { href: `#video/${video.id}`, textContent: video.name }), ": annotate it next."];
}

function whatOf(job) {
  if (job.kind === "train") return `train ${job.arguments.network}${job.arguments.iterations ? `, ${job.arguments.iterations} iterations` : ""}`;
  return `predict with the model of ${job.arguments.model}`;
}

function stateOf(job) {
  const cell = node("td", {}, job.state);
  const now = job.progress;
  if (now) {
    cell.append(`: ${now.step}${now.of ? `, ${now.done} of ${now.of} ${now.unit}` : ""}, ${clock(now.seconds)}`);
    if (now.of) cell.append(" ", node("progress", { max: now.of, value: now.done, ariaLabel: "How far" }));
  } else if (job.started && job.ended) cell.append(`, ${clock(job.ended - job.started)}`);
  return cell;
}

function resultOf(job) {
  const cell = node("td", { textContent: scoreOf(job) });
  if (job.error) cell.append(node("p", { className: job.state === "failed" ? "fault" : "hint", textContent: job.error }));
  return cell;
}

// The accuracy never without what it was measured on.
function scoreOf(job) {
  if (job.brought_in) return `predictions of ${listed(job.brought_in)}`;
  const score = job.balanced_accuracy ?? job.progress?.balanced_accuracy;
  if (score == null) return "";
  const on = (job.held_out ?? []).length ? `${listed(job.held_out)}, held out` : "videos it was trained on";
  const all = job.classes_present && job.classes_present < job.classes.length ? `, ${job.classes_present} of ${job.classes.length} behaviours` : "";
  return `balanced accuracy ${(100 * score).toFixed(1)} %, measured on ${on}${all}${job.simulated ? " (simulated)" : ""}`;
}

const listed = (names) => (names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", "));

// What a manager chooses before a training.
function starting(networks, start) {
  const choice = (...options) => node("select", {}, ...options.map(([value, textContent]) => node("option", { value, textContent })));
  const network = choice(...networks.map((one) => [one.name, one.name]));
  const iterations = node("input", { type: "number", min: 1, required: true });
  const measure = choice(["", "a video that is held out"]);
  const computer = choice(["", "the processor"], ["0", "GPU 0"]);
  const says = node("p", { className: "hint" });
  const counted = node("label", {}, "Iterations ", iterations);
  const both = node("button", { type: "submit", textContent: "Train and predict the videos left" });
  const alone = node("button", { type: "button", textContent: "Only train" });
  const made = node("form", { className: "start" }, node("label", {}, "Network ", network), counted, node("label", {}, "Measure on ", measure),
    node("label", {}, "Compute on ", computer), both, alone);
  const chosen = () => networks.find((one) => one.name === network.value);
  const adapt = () => {
    const { says: sentence, iterations: usual, most } = chosen();
    says.textContent = sentence;
    counted.hidden = !usual;
    Object.assign(iterations, { value: usual || 1, max: most || 1 });
  };
  network.onchange = adapt;
  adapt();
  const ask = (thenPredict) => {
    if (!made.reportValidity()) return;
    const holdOut = measure.value === "" ? null : measure.value === "none" ? [] : [Number(measure.value)];
    start({ kind: "train", network: network.value, iterations: chosen().iterations ? Number(iterations.value) : null, hold_out: holdOut,
      then_predict: thenPredict, gpu: computer.value === "" ? null : Number(computer.value) });
  };
  made.onsubmit = (event) => { event.preventDefault(); ask(true); };
  alone.onclick = () => ask(false);
  let known = "";
  return {
    node: node("div", {}, made, says),
    update({ labelled, left }, names) {
      both.disabled = !labelled.length || !left.length;
      alone.disabled = !labelled.length;
      if (known === String(labelled)) return;
      known = String(labelled);
      const kept = measure.value;
      const able = labelled.length > 1 ? [["", "a video that the server chooses"], ...labelled.map((one) => [String(one), names[one]])] : [];
      measure.replaceChildren(...choice(...able, ["none", "the training videos themselves"]).children);
      if ([...measure.options].some((one) => one.value === kept)) measure.value = kept;
    },
  };
}

// View of one job: progress, actions and the mesh. sections.js has the other parts.

import { request } from "./api.js";
import { alertUser, clearAlerts, h, setText } from "./dom.js";
import { apiUrl, duration, fileUrl, finished, state, time } from "./format.js";
import { logSection, reportSection, sections } from "./sections.js";
import { byName, listen, store } from "./store.js";

/** Show the job in `main`. Returns a function that closes the view. */
export function showJob(main, { namespace, name }) {
  const key = { namespace, name };
  const badge = h("span", { class: "badge" });
  const bar = h("progress", { max: 100, "aria-label": "Progress" });
  const step = h("p", { class: "step", role: "status" });
  const actions = h("div", { class: "actions" });
  const message = h("p", { class: "message" });
  const viewer = h("div", { class: "viewer", hidden: true });
  const details = h("div", { class: "details" });
  const log = logSection(key);
  const report = h("div", {});
  main.replaceChildren(
    h("p", {}, h("a", { href: "/", "data-link": true }, "All jobs")),
    h("h1", { tabindex: "-1" }, name, " ", h("small", {}, namespace)),
    h("div", { class: "now" }, badge, bar, step), message, actions, viewer, details, report, log,
  );

  let shown = null; // the row that is shown
  let whole = null; // the response for the job
  let mesh = "";
  let asking = false;
  let again = false;
  let ended = false;

  /** Show the row from the event stream, and load the whole object if the row changed. */
  function update() {
    const job = byName(namespace, name);
    if (!job) {
      if (shown || store.synced) setText(message, shown ? "This job was deleted." : "There is no such job, or you may not see it.");
      if (shown) actions.replaceChildren();
      return;
    }
    if (job === shown) return;
    shown = job;
    setText(badge, job.state);
    badge.dataset.phase = job.phase;
    badge.dataset.verdict = job.verdict;
    bar.hidden = !["Running", "Cancelling"].includes(job.phase);
    bar.value = job.percent;
    setText(step, bar.hidden ? "" : `${job.done} ${state(job)}`); // the message says it otherwise
    load();
  }

  async function load() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      whole = await request("GET", apiUrl(key));
      if (!ended) render();
    } catch (error) {
      if (!ended && error.status !== 404) alertUser(error.message);
    } finally {
      asking = false;
    }
    if (again && !ended) {
      again = false;
      setTimeout(load, 500); // progress reports come at a high rate
    }
  }

  async function act(action, more = {}) {
    clearAlerts();
    try {
      await request("POST", `${apiUrl(key)}/actions`, { action, uid: whole.job.metadata.uid, ...more });
    } catch (error) {
      alertUser(error.message);
    }
  }

  function render() {
    const { job, result } = whole;
    setText(message, whole.unreadable || job.status.message || "");
    renderActions();
    const found = result?.files.find((file) => file.name.endsWith(".glb"));
    if (found && found.sha256 !== mesh) {
      mesh = found.sha256;
      showMesh(viewer, fileUrl(key, found.name), `The mesh of ${name}`);
    }
    details.replaceChildren(...sections(key, whole));
    if (result && !report.firstElementChild) report.replaceChildren(...reportSection(key, result));
  }

  function renderActions() {
    const { job, permissions } = whole;
    const { spec, writers } = job;
    const made = [];
    const button = (label, action, kind = "") => h("button", { type: "button", class: kind, onclick: () => act(action) }, label);
    if (!finished(shown) && !spec.cancelConfirmed) {
      if (permissions.suspend && !spec.suspend) made.push(button("Suspend", "suspend"));
      if (permissions.suspend && spec.suspend) made.push(button("Resume", "resume"));
      if (permissions.cancel && !spec.cancelRequested) made.push(h("button", { type: "button", onclick: requestCancel }, "Request cancel…"));
      if (spec.cancelRequested) {
        made.push(h("p", { class: "notice" },
          `A cancel is requested${by(writers.cancelRequested)}${spec.cancelReason ? `: ${spec.cancelReason}` : ""}. `
          + "The job continues until it is confirmed; confirming is final and deletes its files."));
        if (permissions.cancel) {
          made.push(button("Withdraw", "withdraw-cancel"));
          made.push(h("button", { type: "button", class: "danger", onclick: confirmCancel }, "Confirm cancel…"));
        }
      }
      if (spec.suspend) made.push(h("p", { class: "notice" }, `The job is suspended${by(writers.suspend)}.`));
    }
    if (spec.cancelConfirmed) {
      made.push(h("p", { class: "notice" },
        `The cancel was confirmed${by(writers.cancelConfirmed)}${spec.cancelReason ? `: ${spec.cancelReason}` : ""}.`));
    }
    const focused = actions.contains(document.activeElement) ? document.activeElement.textContent : null;
    actions.replaceChildren(...made);
    if (focused !== null) {
      const same = [...actions.querySelectorAll("button")].find((one) => one.textContent === focused);
      (same ?? actions.querySelector("button") ?? main.querySelector("h1")).focus();
    }
  }

  function requestCancel() {
    const reason = h("input", { id: "reason", maxlength: 256, autocomplete: "off" });
    ask(`Request the cancel of ${name}?`, [
      h("p", {}, "The job continues until the cancel is confirmed, which is a second step. Until then it can be withdrawn."),
      h("p", { class: "field" }, h("label", { for: "reason" }, "Reason, which others see (optional)"), reason),
    ], h("button", { class: "primary", onclick: () => act("request-cancel", reason.value ? { reason: reason.value } : {}) }, "Request cancel"));
  }

  function confirmCancel() {
    const started = whole.job.status.startTime;
    ask(`Cancel ${name} for good?`, [h("p", {}, started
      ? `${shown.percent}% is done, after ${duration(started)}. All of it will be lost.`
      : "The job has not started.")],
    h("button", { class: "danger", onclick: () => act("confirm-cancel") }, "Confirm cancel"));
  }

  const stop = listen(update);
  update();
  return () => {
    ended = true;
    stop();
  };
}

/** Ask for confirmation. The button that changes nothing has the focus. */
function ask(title, content, yes) {
  const dialog = h("dialog", { "aria-labelledby": "question", onclose: () => dialog.remove() },
    h("h2", { id: "question" }, title),
    h("form", { method: "dialog" }, content,
      h("p", { class: "actions" }, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Keep the job"), yes)));
  document.body.append(dialog);
  dialog.showModal();
}

function by(writer) {
  return writer ? ` by ${writer.client} at ${time(writer.time)}` : "";
}

async function showMesh(place, address, label) {
  try {
    await import("./vendor/model-viewer.min.js");
  } catch {
    return; // the previews do not need it
  }
  const element = h("model-viewer", {
    src: address, alt: label, "camera-controls": true, "touch-action": "pan-y", "interaction-prompt": "none", "shadow-intensity": 0.6,
  });
  const full = h("button", { type: "button", onclick: () => element.requestFullscreen() }, "Full screen");
  place.replaceChildren(element, h("div", { class: "viewer-bar" },
    h("span", {}, "Drag to turn, scroll to zoom, or use the arrow keys."), full));
  place.hidden = false;
}

// View of one job: progress, actions and the mesh. sections.js has the other parts.

import { namesPhotos, restore, runAgain } from "./again.js";
import { request } from "./api.js";
import { alertUser, ask, clearAlerts, h, setText } from "./dom.js";
import { downloadMenu } from "./downloads.js";
import { canFollow, follow, showInTitle } from "./ended.js";
import { apiUrl, duration, fileUrl, finished, seconds, state, time } from "./format.js";
import { showMesh } from "./mesh.js";
import { hasReport, logPanel, photosSection, reportPanel, sections } from "./sections.js";
import { advised } from "./standpoints.js";
import { byName, deleted, LIST, listen, rememberDeleted, store, trashed } from "./store.js";
import { tabs } from "./tabs.js";
import { showWhy } from "./why.js";

const QUALITIES = ["preview", "fast", "standard", "high"];
const OTHER_PHOTOS = [
  "TOO_FEW_IMAGES", "TOO_MANY_IMAGES", "CORRUPT_IMAGE", "UNSUPPORTED_FORMAT", "IMAGE_TOO_LARGE", "IMAGE_TOO_SMALL",
  "NOT_ENOUGH_OVERLAP", "NO_PARALLAX", "NO_DENSE_SURFACE", "LOW_TEXTURE", "INPUT_NOT_FOUND", "INPUT_REFUSED",
]; // reasons of failures that the same photos would have again
const LESS_WORK = ["OUT_OF_MEMORY", "DISK_FULL", "WORKER_LOST", "BACKEND_CRASHED", "WORKER_ERROR"];
const DEADLINES = { TIMEOUT: "activeDeadlineSeconds", QUEUE_TIMEOUT: "queueDeadlineSeconds" }; // that the same job would exceed again

/** Show the job in `main`; `go` opens another view. Returns a function that closes the view. */
export function showJob(main, { namespace, name }, go) {
  const key = { namespace, name };
  const badge = h("span", { class: "badge" });
  const bar = h("progress", { max: 100, "aria-label": "Progress" });
  const step = h("p", { class: "step", role: "status" });
  const actions = h("div", { class: "actions" });
  const message = h("p", { class: "message" });
  const viewer = h("div", { class: "viewer", hidden: true });
  const note = h("p", { class: "meta", role: "status" });
  const details = h("div", { class: "details" });
  const photos = h("div", { class: "details" });
  const parts = tabs("Parts of the job", [
    ["overview", "Overview", h("div", {}, photos, details)],
    ["report", "Report", reportPanel(key), false],
    ["log", "Log", logPanel(key)],
  ]);
  const list = new URL(sessionStorage.getItem(LIST) ?? "/", location.href);
  main.replaceChildren(
    h("div", { class: "heading" }, h("a", { class: "back", href: list.pathname + list.search, "data-link": true }, "All jobs"),
      h("h1", { tabindex: "-1" }, name, " ", h("small", {}, namespace)), h("div", { class: "now" }, badge, bar, step)),
    viewer, note, message, actions, parts.element,
  );

  let shown = null; // the row that is shown
  let whole = null; // the response for the job
  let mesh = "";
  let pictured = ""; // where a picture of the photos was last looked for
  let offered = ""; // what the actions were made from
  let asking = false;
  let again = false;
  let ended = false;
  let inTrash = null; // deleted jobs, once they were requested

  /** Show the row from the event stream, and load the whole object if the row changed. */
  function update() {
    const job = byName(namespace, name);
    if (!job) {
      if (shown || store.synced) renderMissing();
      return;
    }
    if (job === shown) return;
    shown = job;
    showInTitle(job);
    setText(badge, job.state);
    badge.hidden = parts.element.hidden = false;
    const from = `${job.uploaded} ${job.photos}`;
    if (from !== pictured && !photos.firstElementChild) {
      pictured = from;
      if (job.photos) photos.replaceChildren(photosSection(job));
    }
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
      return true;
    } catch (error) {
      alertUser(error.message);
      return false;
    }
  }

  function renderMissing() {
    const isThis = (job) => job.namespace === namespace && job.name === name;
    const earlier = deleted().find(isThis) ?? inTrash?.find(isThis);
    inTrash ??= (trashed().then((found) => {
      inTrash = found; // deleted elsewhere
      if (!ended) update();
    }, () => {}), []);
    const was = shown || earlier;
    offered = "";
    setText(message, was ? "This job was deleted." : "There is no such job, or you may not see it.");
    badge.hidden = bar.hidden = true;
    setText(step, "");
    parts.element.hidden = !shown;
    const back = async () => {
      try {
        await restore(earlier);
      } catch (error) {
        alertUser(error.message);
      }
    };
    actions.replaceChildren(...(earlier ? [
      h("button", { type: "button", class: "primary", onclick: back }, "Restore"),
      h("p", { class: "notice" }, `Its result is in the trash until ${time(earlier.until)}, unless the disk is full.`)] : []));
  }

  async function remove() {
    const kept = whole.result?.retainSeconds ?? 0;
    const { spec } = whole.job;
    const yes = async () => {
      if (await act("delete") && kept) rememberDeleted({ ...key, spec }, kept);
      update();
    };
    ask(`Delete ${name}?`, [h("p", {}, kept
      ? `Its result stays in the trash for ${seconds(kept)}, and can be restored from this page.`
      : "Its files are deleted as well.")], h("button", { class: "danger", onclick: yes }, "Delete the job"));
  }

  function render() {
    const { job, result } = whole;
    setText(message, whole.unreadable || sentence(job.status.message ?? ""));
    renderActions();
    const found = result?.files.find((file) => file.name.endsWith(".glb"));
    if (found && found.sha256 !== mesh) {
      mesh = found.sha256;
      showMesh(viewer, fileUrl(key, found.name), `The mesh of ${name}`, Boolean(job.status.size), advised(key, result));
    }
    const { registered, images, leftOutPhotos } = job.status.quality ?? {};
    if (!found && registered && shown.phase === "Running") showEarly(`early ${job.status.attempt}`);
    setText(note, mesh.startsWith("early") && !finished(shown)
      ? `${[`${registered} of ${images} photos are aligned`, leftOutPhotos].filter(Boolean).join("; ")}. `
        + "These are their cameras and points; the mesh follows." : "");
    details.replaceChildren(...sections(key, whole));
    parts.offer("report", hasReport(result));
  }

  /** Show the cameras and points of an attempt once its run has written them. */
  async function showEarly(tag) {
    const address = `${fileUrl(key, "early.glb")}?${encodeURIComponent(tag)}`;
    if (mesh === tag) return;
    const answer = await fetch(address, { method: "HEAD" }).catch(() => null); // the next report tries again
    if (answer?.status !== 200 || ended || whole.result || mesh === tag) return;
    mesh = tag;
    showMesh(viewer, address, `The cameras and points of ${name}`);
    render();
  }

  /** Return what a user can do with a finished job, the most useful button first. */
  function finishedActions({ spec, status }, permissions) {
    const reason = status.failure?.reason;
    const failed = shown.phase === "Failed";
    const usual = spec.modelType === "photogrammetry" ? "standard" : ""; // other models may have no such parameter
    const quality = QUALITIES.indexOf(spec.parameters?.quality ?? usual);
    const again = (label, kind = "", changes = {}, without = []) =>
      h("button", { type: "button", class: kind, onclick: () => runAgain(whole.job, changes, without, go) }, label);
    const query = new URLSearchParams({ namespace, name });
    const upload = (kind) => h("a", { class: `button ${kind}`, href: `/new?${query}`, "data-link": true }, "Upload other photos");
    const made = [];
    const remake = permissions.upload && namesPhotos(spec) && spec.modelType === "photogrammetry";
    const makeObj = remake ? () => runAgain(whole.job, { obj: true }, [], go) : null;
    if (whole.result?.files.length) made.push(downloadMenu(key, whole.result, () => viewer.querySelector("model-viewer"), makeObj));
    const uploads = permissions.upload && !document.getElementById("new-link").hidden;
    if (uploads && failed && OTHER_PHOTOS.includes(reason)) made.push(upload("primary"));
    if (permissions.upload && namesPhotos(spec)) {
      if (failed && LESS_WORK.includes(reason) && quality > 1) made.push(again("Run again with quality fast…", "primary", { quality: "fast" }));
      if (failed && DEADLINES[reason]) made.push(again("Run again without the deadline…", "primary", {}, [DEADLINES[reason]]));
      made.push(again("Run again…", failed && !made.length ? "primary" : ""));
    }
    if (permissions.share && whole.result && !failed) made.push(h("button", { type: "button", onclick: share }, "Share…"));
    made.push(why());
    if (failed) made.push(h("button", { type: "button", onclick: () => parts.show("log") }, "Read the log"));
    if (permissions.delete) made.push(h("button", { type: "button", class: "danger", onclick: remove }, "Delete…"));
    return made;
  }

  function renderActions() {
    const { job, permissions } = whole;
    const { spec, writers } = job;
    const from = JSON.stringify([shown.phase, spec, writers, permissions, job.status.failure?.reason, canFollow(shown), whole.result?.files]);
    if (from === offered) return; // a button that is replaced under the pointer loses the click
    offered = from;
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
    if (!finished(shown)) made.push(why());
    if (canFollow(shown)) made.push(h("button", { type: "button", onclick: tell }, "Tell me when it ends"));
    if (finished(shown)) made.push(...finishedActions(job, permissions));
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

  function why() {
    return h("button", { type: "button", onclick: () => showWhy(key) }, "Why?");
  }

  async function tell() {
    if (!await follow(shown)) alertUser("The browser does not allow notifications of this page.");
    renderActions();
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

  function share() {
    const address = h("input", { id: "link", readonly: true, hidden: true, "aria-label": "Link" });
    const note = h("p", { role: "status" }, "Everyone with the link sees the mesh, the pictures and all files of this result, without signing in. "
      + "A link cannot be withdrawn: it ends at its time, or when the job is deleted.");
    const make = async (event) => {
      event.preventDefault(); // the dialog stays
      try {
        const { path, until } = await request("POST", `${apiUrl(key)}/share`);
        address.value = location.origin + path;
        address.hidden = false;
        yes.hidden = true;
        address.select();
        setText(note, `The link works until ${time(1000 * until)}. Copy it:`);
      } catch (error) {
        setText(note, error.message);
      }
    };
    const yes = h("button", { class: "primary", onclick: make }, "Make a link");
    ask(`Share the result of ${name}?`, [note, h("p", { class: "field" }, address)], yes, "Close");
  }

  const stop = listen(update);
  update();
  return () => {
    ended = true;
    stop();
  };
}

/** Return the message of a status; that of a success without the phase, which the badge shows. */
function sentence(message) {
  const text = message.replace(/^Succeeded: /, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function by(writer) {
  return writer ? ` by ${writer.client} at ${time(writer.time)}` : "";
}

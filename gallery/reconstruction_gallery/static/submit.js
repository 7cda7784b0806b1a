// View for a new job: collects photos, uploads them, and creates the job as the user. An upload continues after a reload.

import { request, send } from "./api.js";
import { alertUser, clearAlerts, field, h, setText } from "./dom.js";
import { jobFields } from "./fields.js";
import { bytes, freeName, pageUrl } from "./format.js";
import { isPhoto, isVideo, plain, safe, sheet } from "./photos.js";
import { byName, jobs, listen } from "./store.js";

const AT_ONCE = 3; // simultaneous uploads
const LEAST = 3; // photos
const LAST_NAMESPACE = "gallery.namespace";
const UPLOAD = "gallery.upload"; // the upload that is not complete: base, id, number of photos, and the form
const DISCARD_TRIES = 10;
const CHECK_TRIES = 30;
const NONE = "No photos yet: 20 or more from all sides are best.";
const LEVELS = { error: "It would fail:", warning: "Warning:", note: "Note:" };
const SHEET = ".sheet.jpg";

let take = null; // adds photos to the form, while it is shown

/** The namespace of the signed-in account, or of a visible job. */
function ownNamespace() {
  const account = /^system:serviceaccount:([^:]+):/.exec(document.getElementById("user").textContent);
  return account?.[1] ?? jobs.values().next().value?.namespace ?? "default";
}

/** Show the form in `main`; `go` opens another view. Returns a function that closes the view; its `busy()` is why that loses something. */
export function showSubmit(main, _params, go) {
  const earlier = saved();
  const given = new URLSearchParams(location.search); // from the page of a failed job
  const photos = new Map(); // name -> file
  let stem = earlier?.name ?? given.get("name") ?? "scan";
  let named = Boolean(earlier); // the user has edited the name
  let sending = null; // AbortController
  const known = h("datalist", { id: "namespaces" });
  const namespace = h("input", {
    id: "namespace", list: "namespaces", required: true, autocomplete: "off", oninput: suggest,
    value: earlier?.namespace ?? given.get("namespace") ?? localStorage.getItem(LAST_NAMESPACE) ?? ownNamespace(),
  });
  const name = h("input", {
    id: "name", required: true, autocomplete: "off", pattern: "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?", "aria-describedby": "name-note",
    value: stem, oninput: () => {
      named = true;
      suggest();
    },
  });
  const nameNote = h("span", { id: "name-note", class: "wrong", role: "status" });
  const fields = jobFields(earlier?.spec);
  const picked = () => add([...picker.files].map((file) => [file.name, file]));
  const picker = h("input", { id: "photos", type: "file", multiple: true, accept: "image/*,.heic,.heif,.mp4,.mov", onchange: picked });
  const chosen = h("p", { role: "status" }, NONE);
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const submit = h("button", { class: "primary" }, "Upload and start");
  const cancel = h("button", { type: "button", hidden: true, onclick: () => sending?.abort() }, "Cancel the upload");
  const zone = h("div", { class: "zone" }, h("label", { for: "photos" }, "Photos or videos: choose, or drop them here"), picker, chosen);
  const rest = h("div", { class: "notice", role: "status", hidden: true });
  const form = h("form", { class: "submit", onsubmit: start }, rest, zone, field("Namespace", namespace), known,
    field("Name", name, nameNote), fields.element, bar, h("p", { class: "actions" }, submit, cancel));
  main.replaceChildren(h("h1", { tabindex: "-1" }, "New job"), form);

  let begun = null; // the upload; used again if its job was rejected
  if (earlier) resume();

  async function resume() {
    let received;
    try {
      received = (await request("GET", `${earlier.base}/${earlier.id}`)).photos;
    } catch (error) {
      if ([403, 404, 409].includes(error.status)) localStorage.removeItem(UPLOAD);
      return;
    }
    begun = { base: earlier.base, id: earlier.id, sent: new Map(Object.entries(received)), total: earlier.total };
    begun.sent.delete(SHEET);
    rest.replaceChildren(
      `${begun.sent.size} of ${begun.total} photos of ${earlier.name} are uploaded. `,
      begun.sent.size >= begun.total ? "Start the job, or: " : "To continue, choose the same photos again. Or: ",
      h("button", { type: "button", onclick: forget }, "Discard them"));
    rest.hidden = false;
  }

  async function forget() {
    try {
      await discard(begun);
      begun = null;
      rest.hidden = true;
    } catch (error) {
      alertUser(error.message);
    }
  }

  function add(files, folder = "") {
    stem = plain(folder) || stem;
    suggest();
    const usable = files.filter(([path]) => isPhoto(path));
    for (const [path, file] of usable) photos.set(safe(path, photos, file), file);
    const size = [...photos.values()].reduce((sum, file) => sum + file.size, 0);
    const others = files.length - usable.length;
    setText(chosen, `${photos.size} photos, ${bytes(size)}${others ? `; ${others} other files are left out` : ""}.`);
    picker.value = "";
  }

  async function start(event) {
    event.preventDefault();
    if (sending) return;
    clearAlerts();
    const complete = !photos.size && begun && begun.sent.size >= begun.total;
    if (photos.size < LEAST && !complete && ![...photos.keys()].some(isVideo)) {
      alertUser(`A reconstruction needs at least ${LEAST} photos.`);
      return;
    }
    sending = new AbortController();
    submit.disabled = true;
    cancel.hidden = false;
    addEventListener("beforeunload", stay);
    let made = null;
    try {
      made = await upload(sending.signal);
    } catch (error) {
      if (sending.signal.aborted) await forget();
      setText(chosen, sending.signal.aborted ? `The upload was cancelled; ${photos.size} photos are chosen.` : chosen.textContent);
      if (!sending.signal.aborted) alertUser(error.message);
      setText(submit, begun ? "Continue" : "Upload and start");
    } finally {
      sending = null;
      removeEventListener("beforeunload", stay);
      submit.disabled = false;
      cancel.hidden = bar.hidden = true;
    }
    if (made) go(pageUrl(made));
  }

  async function upload(signal) {
    const base = `/api/namespaces/${encodeURIComponent(namespace.value)}/uploads`;
    await fields.ready;
    const spec = fields.spec();
    await request("POST", base.replace(/uploads$/, "jobs"), // the API server checks name and spec before a photo is sent
      { name: name.value, spec: { ...spec, input: { uri: "file:///photos/upload" } }, dryRun: true });
    if (begun && begun.base !== base) await discard(begun);
    if (begun?.base !== base) begun = { base, id: (await request("POST", base, {})).id, sent: new Map() };
    rest.hidden = true;
    begun.total = photos.size || begun.total;
    const { id, sent, total } = begun;
    localStorage.setItem(UPLOAD, JSON.stringify({ base, id, total, namespace: namespace.value, name: name.value, spec }));
    const left = [...photos].filter(([photo, file]) => sent.get(photo) !== file.size);
    const size = left.reduce((sum, [, file]) => sum + file.size, 0);
    const progress = new Map();
    const show = () => {
      const count = [...progress.values()].reduce((sum, part) => sum + part, 0);
      bar.value = size ? count / size : 1;
      setText(chosen, `${sent.size} of ${total} photos are uploaded, ${bytes(count)} of ${bytes(size)}.`);
    };
    bar.hidden = false;
    show();
    const next = async () => {
      for (let one = left.shift(); one && !signal.aborted; one = left.shift()) {
        const [photo, file] = one;
        await send(`${base}/${id}/photos/${encodeURIComponent(photo)}`, file, (count) => {
          progress.set(photo, count);
          show();
        }, signal);
        sent.set(photo, file.size);
        progress.set(photo, file.size);
        show();
      }
    };
    const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, next));
    const failed = results.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    signal.throwIfAborted();
    const pictures = size ? await sheet([...photos.values()]) : null;
    if (pictures) await send(`${base}/${id}/photos/${SHEET}`, pictures, () => {}, signal).catch(() => {}); // the job does not need it
    signal.throwIfAborted();
    if (!await accepted(`${base}/${id}/check`, signal)) return null;
    const made = await request("POST", `${base}/${id}/job`, { name: name.value, spec });
    begun = null;
    localStorage.removeItem(UPLOAD);
    localStorage.setItem(LAST_NAMESPACE, made.namespace);
    return made;
  }

  /** Show what the gallery finds in the photos; return whether the job may start: nothing is wrong, or the user has seen it before. */
  async function accepted(address, signal) {
    setText(chosen, "Checking the photos…");
    const { findings } = await checked(address, signal);
    const text = JSON.stringify(findings);
    if (begun.seen === text || findings.every(({ level }) => level === "note")) return true;
    begun.seen = text;
    const others = async () => {
      await forget();
      if (begun) return;
      photos.clear();
      setText(chosen, NONE);
    };
    rest.replaceChildren(h("ul", {}, findings.map((finding) => h("li", {}, h("strong", {}, LEVELS[finding.level]), ` ${finding.text}`))),
      h("p", { class: "actions" }, h("button", { class: "primary" }, "Start anyway"),
        h("button", { type: "button", onclick: others }, "Choose other photos")));
    rest.hidden = false;
    setText(chosen, `${begun.sent.size} photos are uploaded.`);
    rest.scrollIntoView({ block: "nearest" });
    return false;
  }

  function suggest() {
    const names = [...new Set([...jobs.values()].map((job) => job.namespace))].sort();
    if (!named) name.value = freeName(stem, (wanted) => byName(namespace.value, wanted));
    const taken = byName(namespace.value, name.value) ? `There is a job ${name.value} in ${namespace.value} already.` : "";
    setText(nameNote, taken);
    name.setCustomValidity(taken);
    if (names.length !== known.children.length) known.replaceChildren(...names.map((one) => h("option", { value: one })));
  }
  suggest();
  take = add;
  const stop = listen(suggest);
  const leave = () => {
    sending?.abort();
    take = null;
    stop();
  };
  leave.busy = () => (sending ? "Photos are being uploaded. If you leave this page, the upload is cancelled." : "");
  return leave;
}

/** Add photos to the form, if it is shown: pairs of path and file, and the name of their folder. */
export function addPhotos(files, folder) {
  take?.(files, folder);
}

/** Return the gallery's findings about an upload. Checks take turns: wait for others, and report a failure as a finding. */
async function checked(address, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await request("GET", address);
    } catch (error) {
      signal.throwIfAborted();
      if (error.status !== 429 || tries >= CHECK_TRIES) {
        return { findings: [{ level: "warning", text: `The photos were not checked: ${error.message}` }] };
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

function saved() {
  try {
    return JSON.parse(localStorage.getItem(UPLOAD));
  } catch {
    return null;
  }
}

/** Delete an upload; the gallery refuses while it still receives a photo. Throws ApiError. */
async function discard(upload) {
  for (let tries = 1; upload; tries += 1) {
    try {
      await request("DELETE", `${upload.base}/${upload.id}`);
      break;
    } catch (error) {
      if (error.status === 404) break;
      if (error.status !== 409 || tries >= DISCARD_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  localStorage.removeItem(UPLOAD);
}

function stay(event) {
  event.preventDefault();
}

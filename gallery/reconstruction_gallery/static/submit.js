// View for a new job: collects photos, uploads them, and creates the job as the user. An upload continues after a reload.

import { request, send } from "./api.js";
import { alertUser, clearAlerts, field, h, setText } from "./dom.js";
import { jobFields } from "./fields.js";
import { bytes, freeName, pageUrl } from "./format.js";
import { isPhoto, isVideo, plain, safe, sheet } from "./photos.js";
import { byName, jobs, listen } from "./store.js";
import { checked, discard, saved, UPLOAD } from "./unfinished.js";

const AT_ONCE = 3; // simultaneous uploads
const LEAST = 3; // photos
const LAST_NAMESPACE = "gallery.namespace";
const NONE = "No photos yet: 20 or more from all sides are best.";
const LEVELS = { error: "It would fail:", warning: "Warning:", note: "Note:" };
const SHEET = ".sheet.jpg";

let take = null; // adds photos to the form, while it is shown

/** The namespace of the signed-in account, or of a visible job. */
function ownNamespace() {
  const account = /^system:serviceaccount:([^:]+):/.exec(document.getElementById("user").dataset.name);
  return account?.[1] ?? jobs.values().next().value?.namespace ?? "default";
}

/** Show the form in `main`; `go` opens another view. Returns a function that closes the view; its `busy()` is why that loses something. */
export function showSubmit(main, _params, go) {
  if (document.getElementById("new-link").hidden) {
    main.replaceChildren(h("h1", { tabindex: "-1" }, "New job"),
      h("p", {}, "You may not create jobs here, or uploads are off: ask an administrator for the role reconstruction-editor."));
    return () => {};
  }
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
  const small = h("div", {});
  let pictures = Promise.resolve(null); // a JPEG of some photos
  const zone = h("div", { class: "zone" }, h("label", { for: "photos" }, "Photos or videos: choose, or drop them here"), picker, chosen, small);
  const rest = h("div", { class: "notice", role: "status", hidden: true }); // an upload that is not complete
  const check = h("div", { class: "notice", role: "status", hidden: true }); // findings; its buttons replace `submit`
  const form = h("form", { class: "submit new", onsubmit: start, oninput: unasked }, rest, zone, field("Name", name, nameNote),
    field("Namespace", namespace), known, fields.element, bar, check, h("p", { class: "actions" }, submit, cancel));
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

  /** Ask nothing more about the photos: they or the form have changed. */
  function unasked() {
    check.hidden = true;
    submit.hidden = false;
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
    unasked();
    const usable = files.filter(([path]) => isPhoto(path));
    for (const [path, file] of usable) photos.set(safe(path, photos, file), file);
    const size = [...photos.values()].reduce((sum, file) => sum + file.size, 0);
    const others = files.length - usable.length;
    const names = [...photos.keys()];
    const videos = names.filter(isVideo).length;
    const counted = [[names.length - videos, "photo"], [videos, "video"]].filter(([count]) => count)
      .map(([count, what]) => `${count} ${what}${count === 1 ? "" : "s"}`).join(" and ");
    setText(chosen, `${counted || "No photos"}, ${bytes(size)}${others ? `; ${others} other files are left out` : ""}.`);
    draw();
    fields.expect(videos ? 0 : names.filter((one) => !/\.mask\.png$/.test(one)).length);
    picker.value = "";
  }

  /** Show small pictures of the chosen photos, which are uploaded with them. */
  function draw() {
    const made = sheet([...photos.values()]).catch(() => null);
    pictures = made;
    made.then((picture) => {
      if (made !== pictures) return; // others were chosen meanwhile
      const image = picture && h("img", { src: URL.createObjectURL(picture), alt: "Some of the chosen photos", class: "sheet" });
      image?.addEventListener("load", () => URL.revokeObjectURL(image.src));
      small.replaceChildren(image ?? "");
    });
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
    check.hidden = true;
    submit.hidden = cancel.hidden = false;
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
    const picture = size ? await pictures : null;
    if (picture) await send(`${base}/${id}/photos/${SHEET}`, picture, () => {}, signal).catch(() => {}); // the job does not need it
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
      draw();
      unasked();
      setText(chosen, NONE);
    };
    const listed = (some) => h("ul", {}, some.map((finding) => h("li", {}, h("strong", {}, LEVELS[finding.level]), ` ${finding.text}`)));
    const [notes, severe] = [findings.filter(({ level }) => level === "note"), findings.filter(({ level }) => level !== "note")];
    const wouldFail = severe.some(({ level }) => level === "error");
    check.replaceChildren(listed(severe), notes.length ? h("details", {}, h("summary", {}, "More about the photos"), listed(notes)) : "",
      h("p", { class: "actions" }, h("button", { class: wouldFail ? "" : "primary" }, "Start anyway"),
        h("button", { type: "button", class: wouldFail ? "primary" : "", onclick: others }, "Choose other photos")));
    check.hidden = false;
    submit.hidden = true;
    setText(chosen, `${begun.sent.size} photos are uploaded.`);
    check.scrollIntoView({ block: "nearest" });
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

function stay(event) {
  event.preventDefault();
}

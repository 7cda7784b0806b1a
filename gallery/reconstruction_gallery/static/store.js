// Store of the jobs that the user may see, kept up to date by server-sent events.

import { request } from "./api.js";
import { h, setText } from "./dom.js";

export const jobs = new Map(); // uid -> row
export const store = { synced: false };

export const LIST = "gallery.list"; // the address of the list that was shown last, with its filters

const DELETED = "gallery.deleted";
const MOST_DELETED = 20;
const listeners = new Set();
let source = null;
let signedOut = () => {};
let problems = []; // of the installation
let fresh = null; // uids that the stream sent since it was opened; null once it is synced

/** Call `listener(changed, removed)` with uids at each change. Returns a function that removes the listener. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function open(onSignedOut) {
  signedOut = onSignedOut;
  connect();
}

export function close() {
  source?.close();
  source = null;
  jobs.clear();
  store.synced = false;
  setText(live(), "");
  showProblems([]);
}

export function byName(namespace, name) {
  for (const job of jobs.values()) if (job.name === name && job.namespace === namespace) return job;
  return null;
}

/** Return the jobs that were deleted in this browser and whose results may still be kept: namespace, name, spec, until. */
export function deleted() {
  try {
    return JSON.parse(localStorage.getItem(DELETED) ?? "[]").filter((job) => job.until > Date.now() && !byName(job.namespace, job.name));
  } catch {
    return [];
  }
}

/** Return the deleted jobs whose results can be restored, the last ones first: those of the trash, and those of `deleted`. Throws ApiError. */
export async function trashed() {
  const { jobs: kept } = await request("GET", "/api/trash");
  const found = new Map([...kept.map((job) => ({ ...job.metadata, spec: job.spec, until: 1000 * job.until })), ...deleted()]
    .map((job) => [`${job.namespace}/${job.name}`, job]));
  return [...found.values()].filter((job) => !byName(job.namespace, job.name)).sort((one, other) => other.until - one.until);
}

/** Remember a job that was deleted; its result will be in the trash for some seconds. */
export function rememberDeleted(job, seconds) {
  const others = deleted().filter((one) => one.name !== job.name || one.namespace !== job.namespace);
  localStorage.setItem(DELETED, JSON.stringify([{ ...job, until: Date.now() + 1000 * seconds }, ...others].slice(0, MOST_DELETED)));
}

function connect() {
  fresh = new Set();
  source = new EventSource("/api/events");
  source.addEventListener("jobs", (event) => {
    const rows = JSON.parse(event.data);
    for (const row of rows) {
      jobs.set(row.uid, row);
      fresh?.add(row.uid);
    }
    announce(rows.map((row) => row.uid), []);
  });
  source.addEventListener("problems", (event) => showProblems(JSON.parse(event.data)));
  source.addEventListener("removed", (event) => remove(JSON.parse(event.data)));
  source.addEventListener("synced", () => {
    if (fresh === null) return;
    remove([...jobs.keys()].filter((uid) => !fresh.has(uid))); // deleted while the stream was disconnected
    fresh = null;
    store.synced = true;
    setText(live(), state());
    announce([], []);
  });
  source.addEventListener("end", () => {
    source.close();
    setText(live(), "Connecting…");
    setTimeout(signedOut, 1000);
  });
  source.onopen = () => {
    fresh ??= new Set();
  };
  source.onerror = () => {
    setText(live(), "Connecting…");
    fresh = null; // the browser reconnects on its own, and `onopen` starts a new list
    if (source.readyState === EventSource.CLOSED) setTimeout(signedOut, 2000);
  };
}

function remove(uids) {
  for (const uid of uids) jobs.delete(uid);
  if (uids.length) announce([], uids);
}

function announce(changed, removed) {
  for (const listener of listeners) listener(changed, removed);
}

/** Show what is wrong with the installation above every page, and what to do. Screen readers announce `state`: a text may change each second. */
function showProblems(found) {
  problems = found;
  if (store.synced) setText(live(), state());
  const bar = document.getElementById("problems");
  bar.hidden = !found.length;
  bar.replaceChildren(...found.map(({ sentence, cure }) =>
    h("p", {}, h("strong", {}, sentence), ` What to do: ${cure}.`)));
}

function state() {
  return problems.length ? "Problem" : "Live";
}

function live() {
  return document.getElementById("live");
}

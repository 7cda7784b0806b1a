// Entry point of the page: signs the user in, keeps the event stream open, and shows the view for the address.

import { request, session } from "./api.js";
import { alertUser, ask, clearAlerts, h, setText } from "./dom.js";
import "./ended.js";
import { shortUser } from "./format.js";
import * as store from "./store.js";

const main = document.getElementById("main");
const signOut = document.getElementById("sign-out");
const pages = [ // a page's script is loaded when the page is shown
  [/^\/$/, async () => (await import("./list.js")).showList, "Jobs"],
  [/^\/history$/, async () => (await import("./history.js")).showHistory, "History"],
  [/^\/new$/, async () => (await import("./submit.js")).showSubmit, "New job"],
  [/^\/shared\/(?<token>[^/]+)$/, async () => (await import("./shared.js")).showShared, "Shared result"],
  [/^\/jobs\/(?<namespace>[^/]+)\/(?<name>[^/]+)$/, async () => (await import("./job.js")).showJob, null],
];
const USER = "gallery.user";
let leave = () => {};
let shown = ""; // the address of the page that is shown
let uploads = false;

async function show(focus) {
  leave();
  leave = () => {};
  clearAlerts();
  const address = shown = location.pathname + location.search;
  const [found, load, title] = pages.map(([pattern, ...page]) => [pattern.exec(location.pathname), ...page]).find(([match]) => match)
    ?? [{}, async () => showMissing, "Page not found"];
  document.title = `${title ?? found.groups.name} – Reconstructions`;
  const page = await load();
  if (shown !== address || main.dataset.page === "sign-in") return; // the user was faster
  leave();
  leave = page(main, found.groups ?? {}, go);
  if (focus) main.querySelector("h1").focus({ preventScroll: true });
}

function showMissing() {
  main.replaceChildren(h("h1", { tabindex: "-1" }, "Page not found"),
    h("p", {}, `There is no page ${location.pathname}. `, h("a", { href: "/", "data-link": true }, "All jobs")));
  return () => {};
}

/** Open a page of this gallery, but ask first if leaving the shown one loses something. */
async function go(address) {
  const next = async () => {
    history.pushState(null, "", address);
    await show(true);
    scrollTo(0, 0);
  };
  const why = leave.busy?.();
  if (!why) await next();
  else ask("Leave this page?", [h("p", {}, why)], h("button", { class: "danger", onclick: next }, "Leave the page"), "Stay here");
}

async function addDropped(entries, files) {
  if (location.pathname !== "/new") await go("/new");
  const [{ addPhotos }, { inFolders }] = await Promise.all([import("./submit.js"), import("./photos.js")]);
  addPhotos(...await inFolders(entries, files));
}

async function start() {
  if (location.pathname.startsWith("/shared/")) { // for people without an account
    document.querySelector(".brand").removeAttribute("data-link"); // it starts this page anew, and signs in
    show(false);
    return;
  }
  let user;
  try {
    user = await session();
  } catch (error) {
    alertUser(error.message);
    setTimeout(start, 5000);
    return;
  }
  signOut.hidden = !user;
  uploads = Boolean(user?.uploads);
  document.getElementById("new-link").hidden = !uploads;
  document.getElementById("history-link").hidden = !user?.history;
  const shownUser = document.getElementById("user");
  setText(shownUser, shortUser(user?.user ?? ""));
  shownUser.title = shownUser.dataset.name = user?.user ?? "";
  if (!user) {
    store.close();
    showSignIn();
    return;
  }
  forgetOthers(user.user);
  store.close();
  store.open(start);
  if (!main.firstElementChild || main.dataset.page === "sign-in") {
    delete main.dataset.page;
    show(false);
  }
}

/** Drop what this browser keeps of another user: the last namespace, an unfinished upload, deleted jobs, filters. */
function forgetOthers(user) {
  if (localStorage.getItem(USER) === user) return;
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage).filter((one) => one.startsWith("gallery."))) storage.removeItem(key);
  }
  localStorage.setItem(USER, user);
}

function showSignIn() {
  leave();
  leave = () => {};
  main.dataset.page = "sign-in";
  document.title = "Sign in – Reconstructions";
  const token = h("input", { id: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false" });
  const form = h("form", { class: "sign-in" }, h("h1", { tabindex: "-1" }, "Sign in"),
    h("label", { for: "token" }, "Kubernetes token"), token,
    h("p", { class: "meta" }, "For example of: ", h("code", {}, "kubectl create token NAME --namespace=NAMESPACE --duration=8h")),
    h("button", { class: "primary" }, "Sign in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearAlerts();
    try {
      await request("POST", "/api/session", { token: token.value });
      await start();
    } catch (error) {
      alertUser(error.message);
    }
  });
  main.replaceChildren(form);
  token.focus();
}

signOut.addEventListener("click", async () => {
  try {
    await request("DELETE", "/api/session");
  } finally {
    await start();
  }
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-link]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  if (main.dataset.page !== "sign-in") go(link.getAttribute("href"));
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // or the browser would open the photo instead of the page
    document.documentElement.classList.toggle("dropping", uploads && kind === "dragover");
    if (kind === "drop" && uploads) {
      const { items, files } = event.dataTransfer; // empty after this event
      addDropped([...items].map((item) => item.webkitGetAsEntry()).filter(Boolean), [...files])
        .catch((error) => alertUser(`The photos cannot be read: ${error.message}`));
    }
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.documentElement.classList.remove("dropping");
});
addEventListener("popstate", () => {
  if (main.dataset.page === "sign-in") return;
  const wanted = location.pathname + location.search + location.hash;
  if (!leave.busy?.()) {
    show(true);
    return;
  }
  history.pushState(null, "", shown);
  go(wanted);
});
start();

// Entry point of the page: signs the user in, keeps the event stream open, and shows the view for the address.

import { request, session } from "./api.js";
import { alertUser, clearAlerts, h, setText } from "./dom.js";
import { showJob } from "./job.js";
import { showList } from "./list.js";
import * as store from "./store.js";
import { addDropped, showSubmit } from "./submit.js";

const main = document.getElementById("main");
const signOut = document.getElementById("sign-out");
const pages = [
  [/^\/$/, showList, "Jobs"],
  [/^\/new$/, showSubmit, "New job"],
  [/^\/jobs\/(?<namespace>[^/]+)\/(?<name>[^/]+)$/, showJob, null],
];
let leave = () => {};
let uploads = false;

function show(focus) {
  leave();
  clearAlerts();
  for (const [pattern, page, title] of pages) {
    const found = pattern.exec(location.pathname);
    if (!found) continue;
    document.title = `${title ?? found.groups.name} – Reconstructions`;
    leave = page(main, found.groups ?? {}, go);
    if (focus) main.querySelector("h1").focus({ preventScroll: true });
    return;
  }
  leave = () => {};
  main.replaceChildren(h("h1", { tabindex: "-1" }, "Page not found"));
}

function go(address) {
  history.pushState(null, "", address);
  show(true);
  scrollTo(0, 0);
}

async function start() {
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
  setText(document.getElementById("user"), user?.user ?? "");
  if (!user) {
    store.close();
    showSignIn();
    return;
  }
  store.close();
  store.open(start);
  if (!main.firstElementChild || main.dataset.page === "sign-in") {
    delete main.dataset.page;
    show(false);
  }
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
      if (location.pathname !== "/new") go("/new");
      addDropped(event.dataTransfer).catch((error) => alertUser(`The photos cannot be read: ${error.message}`));
    }
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.documentElement.classList.remove("dropping");
});
addEventListener("popstate", () => main.dataset.page !== "sign-in" && show(true));
start();

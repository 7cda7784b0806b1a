// Why a job is as it is, and what to do: the answer of `kubectl recon why`.

import { request } from "./api.js";
import { alertUser, ask, h } from "./dom.js";
import { apiUrl } from "./format.js";

const TITLES = {
  Succeeded: (name) => `How did ${name} end?`,
  Failed: (name) => `Why did ${name} fail?`,
  Cancelled: (name) => `Why was ${name} cancelled?`,
};

/** Ask the gallery, and show its answer. */
export async function showWhy(key) {
  let found;
  try {
    found = await request("GET", `${apiUrl(key)}/why`);
  } catch (error) {
    alertUser(error.message);
    return;
  }
  const what = found.mayChange ? "What to do" : `What an editor of ${found.namespace} can do`;
  ask(TITLES[found.phase]?.(key.name) ?? `Why is ${key.name} ${found.phase ? found.phase.toLowerCase() : "new"}?`, [
    h("p", {}, found.answer),
    found.details.length ? h("ul", {}, found.details.map((one) => h("li", {}, one))) : null,
    found.actions.length ? [h("h3", {}, what), h("ul", { class: "cures" }, found.actions.map(action))] : null,
    ...found.unknown.map((one) => h("p", { class: "meta" }, `Not known: ${one}`)),
  ].flat(), null, "Close");
}

/** A command has its own line, so that it can be copied. */
function action(text) {
  const [, what, command] = /^(.*?): (kubectl .*)$/s.exec(text) ?? [null, text, ""];
  return h("li", {}, what, command ? h("code", {}, command) : null);
}

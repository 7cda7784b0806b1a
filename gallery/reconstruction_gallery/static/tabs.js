// Tabs, as the ARIA practices describe them; the chosen one is the fragment of the address.

import { h } from "./dom.js";

/**
 * Return `element` with tabs for `[id, title, panel, offered]`, `show(id)`, and `offer(id, is)`. A panel's `show()` is called when it is
 * shown.
 */
export function tabs(title, panels) {
  const buttons = new Map(panels.map(([id, text, , offered]) => [id, h("button", {
    type: "button", hidden: offered === false, role: "tab", id: `tab-${id}`, "aria-controls": id, onclick: () => show(id), onkeydown: onKey,
  }, text)]));
  for (const [id, , panel] of panels) {
    panel.id = id;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `tab-${id}`);
  }
  let chosen = "";

  function show(id) {
    if (chosen && chosen !== id) history.replaceState(null, "", id === panels[0][0] ? location.pathname : `#${id}`);
    chosen = id;
    for (const [one, , panel] of panels) {
      const button = buttons.get(one);
      panel.hidden = one !== id;
      button.setAttribute("aria-selected", String(one === id));
      button.tabIndex = one === id ? 0 : -1;
    }
    panels.find(([one]) => one === id)[2].show?.();
  }

  /** Show or hide a tab. The tab in the address is chosen once it is there. */
  function offer(id, is) {
    buttons.get(id).hidden = !is;
    if (is && chosen !== id && location.hash === `#${id}`) show(id);
    else if (!is && chosen === id) show(panels[0][0]);
  }

  function onKey(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const offered = panels.map(([id]) => id).filter((id) => !buttons.get(id).hidden);
    const next = offered.at((offered.indexOf(chosen) + by) % offered.length);
    show(next);
    buttons.get(next).focus();
  }

  const element = h("div", {}, h("div", { role: "tablist", class: "tabs", "aria-label": title }, [...buttons.values()]),
    panels.map(([, , panel]) => panel));
  const [wanted] = panels.find(([id]) => `#${id}` === location.hash && !buttons.get(id).hidden) ?? panels[0];
  show(wanted);
  return { element, show, offer };
}

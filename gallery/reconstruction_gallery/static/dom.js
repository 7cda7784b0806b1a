// Elements without a framework: h("a", {href: "/", onclick: f}, "text", child).

/** Make an element. Attributes that are false, null or undefined are left out; on… are listeners; texts are never HTML. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Change a text only where it differs: screen readers announce each change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show a message that the user should not miss; it replaces the last one. */
export function alertUser(message) {
  const close = h("button", { type: "button", "aria-label": "Close the message", onclick: () => box.remove() }, "×");
  const box = h("div", { class: "alert" }, h("span", {}, message), close);
  document.getElementById("alerts").replaceChildren(box);
}

export function clearAlerts() {
  document.getElementById("alerts").replaceChildren();
}

// DOM helpers without a framework: h("a", {href: "/", onclick: f}, "text", child).

/** Create an element. Attributes that are false, null or undefined are skipped; on… are listeners; text is never HTML. */
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

/** Create a drawing of lines that lies over another element, and that screen readers skip. */
export function drawing(kind, count) {
  const name = "http://www.w3.org/2000/svg";
  const lines = document.createElementNS(name, "svg");
  lines.setAttribute("class", `lines ${kind}`);
  lines.setAttribute("aria-hidden", "true");
  for (let at = 0; at < count; at += 1) lines.append(document.createElementNS(name, "line"));
  return lines;
}

/** Set a text only if it differs: screen readers announce each change. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Show a message to the user; it replaces the previous one. */
export function alertUser(message) {
  const close = h("button", { type: "button", "aria-label": "Close the message", onclick: () => box.remove() }, "×");
  const box = h("div", { class: "alert" }, h("span", {}, message), close);
  document.getElementById("alerts").replaceChildren(box);
}

export function clearAlerts() {
  document.getElementById("alerts").replaceChildren();
}

/** Ask for confirmation, or without `yes` tell something. The button that changes nothing, `no`, has the focus. Returns the dialog. */
export function ask(title, content, yes, no = "Keep the job") {
  const dialog = h("dialog", { "aria-labelledby": "question", onclose: () => dialog.remove() },
    h("h2", { id: "question" }, title),
    h("form", { method: "dialog" }, ...content.filter(Boolean),
      h("p", { class: "actions" }, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, no), ...(yes ? [yes] : []))));
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Return a labelled input. */
export function field(label, input, ...more) {
  return h("p", { class: "field" }, h("label", { for: input.id }, label), input, ...more);
}

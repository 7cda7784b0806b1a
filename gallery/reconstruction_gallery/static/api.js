// Requests to the gallery: JSON in, JSON out, with the session's CSRF token.

let proof = null;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Request JSON. Throws ApiError. */
export async function request(method, path, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (proof && method !== "GET") headers["X-CSRF-Token"] = proof;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "The gallery cannot be reached.");
  }
  return parsed(answer.status, await answer.text());
}

/** Send a file as it is. `progress` gets the bytes sent so far. */
export function send(path, file, progress) {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    sender.open("PUT", path);
    if (proof) sender.setRequestHeader("X-CSRF-Token", proof);
    sender.upload.onprogress = (event) => progress(event.loaded);
    sender.onerror = () => reject(new ApiError(0, "The connection broke."));
    sender.onload = () => {
      try {
        resolve(parsed(sender.status, sender.responseText));
      } catch (error) {
        reject(error);
      }
    };
    sender.send(file);
  });
}

/** The signed-in user; null for none. */
export async function session() {
  const found = await request("GET", "/api/session");
  proof = found.proof;
  return found.user ? found : null;
}

function parsed(status, text) {
  let content = {};
  try {
    content = JSON.parse(text || "{}");
  } catch {
    // an error of a proxy in between: its text is of no use here
  }
  if (status >= 400) throw new ApiError(status, content.error || `The gallery answered with ${status}.`);
  return content;
}

// Talking to the server. Every failure is an Error; `status` is 0 when no answer came.

const PATIENCE_MS = 10_000;
const token = new URLSearchParams(location.search).get("token") || "";

export class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export const givenToken = token;

export function getJson(path) {
  return ask(path, { headers: token ? { "X-CAI-Token": token } : {} });
}

export function postJson(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CAI-Review": "1" },
    body: JSON.stringify(body),
  });
}

async function ask(path, options) {
  let response;
  let data;
  try {
    response = await fetch(path, {
      ...options,
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    data = await response.json();
  } catch (error) {
    throw new Failure(error.message, 0);
  }
  if (!response.ok) {
    throw new Failure(data.error || `The server answered ${response.status}.`, response.status);
  }
  return data;
}

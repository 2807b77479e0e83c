// Signing in by name. The token stays out of the address bar, the history and screenshots.

import { Failure, givenToken, postJson } from "/static/net.js";

if (givenToken) {
  history.replaceState(null, "", "/");
}
document.getElementById("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const problem = document.getElementById("problem");
  problem.textContent = "";
  try {
    const name = document.getElementById("name").value;
    const { go } = await postJson("/api/sign-in", { name, token: givenToken });
    location.assign(go);
  } catch (error) {
    if (!(error instanceof Failure)) {
      throw error;
    }
    problem.textContent = error.status ? error.message : "The server cannot be reached.";
  }
});

// Buttons do what keys do.

import { setSingleKeys, singleKeys } from "/static/keys.js";
import { postJson } from "/static/net.js";

export function bindButtons(actions) {
  on("[data-choice]", (button, event) => actions.choose(button.dataset.choice, event));
  on("[data-confidence]", (button) => actions.confidence(Number(button.dataset.confidence)));
  on("[data-refuses]", (button) => actions.refuses(button.dataset.refuses));
  on("#flag", () => actions.flag());
  on("#submit, #go-on", (_, event) => actions.submit(undefined, event));
  on("[data-undo]", () => actions.undo());
  on("[data-dialog]", (button) => actions.dialog(button.dataset.dialog));
  on("[data-close]", (button) => button.closest("dialog").close());
  on("#more", () => actions.more());
  on("#sign-out", async () => location.assign((await postJson("/api/sign-out", {})).go));
  const single = document.getElementById("single-keys");
  single.checked = singleKeys();
  single.addEventListener("change", () => setSingleKeys(single.checked));
}

function on(selector, act) {
  for (const button of document.querySelectorAll(selector)) {
    button.addEventListener("click", (event) => {
      act(button, event);
      // After a click by mouse, Enter is to submit and not to press the same button again.
      if (event.detail > 0 && document.activeElement === button) {
        button.blur();
      }
    });
  }
}

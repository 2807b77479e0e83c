// From keys to what they mean. One table, so that the help and the tests can be held against it.

const COMMANDS = {
  a: ["choose", "a"],
  b: ["choose", "b"],
  t: ["choose", "tie"],
  n: ["choose", "both_bad"],
  s: ["choose", "skip"],
  1: ["confidence", 1],
  2: ["confidence", 2],
  3: ["confidence", 3],
  enter: ["submit"],
  u: ["undo"],
  f: ["flag"],
  p: ["principle"],
  m: ["note"],
  g: ["dialog", "guideline"],
  "?": ["dialog", "help"],
  j: ["scroll", 1],
  k: ["scroll", -1],
};
const SETTING = "cai-single-keys";

export function singleKeys() {
  try {
    return localStorage.getItem(SETTING) !== "off";
  } catch {
    return true;
  }
}

export function setSingleKeys(on) {
  try {
    localStorage.setItem(SETTING, on ? "on" : "off");
  } catch {
    // It then lasts as long as the page.
  }
}

// Call `act(command, argument, event)` for every key that means something.
export function listen(act) {
  addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) {
      return;
    }
    const field = event.target.closest("input, textarea, select");
    if (field) {
      inField(event, field, act);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !singleKeys()) {
      return;
    }
    const key = event.key.toLowerCase();
    if (event.repeat && key !== "j" && key !== "k") {
      return; // a key that is held down must not answer twice
    }
    if (key === "enter" && event.target.closest("button, a, summary")) {
      return; // the button acts itself
    }
    // Shift, not the case of the letter: that is turned round by a caps lock.
    const refuses = event.shiftKey && (key === "a" || key === "b");
    const found = refuses ? ["refuses", key] : COMMANDS[key];
    if (found) {
      event.preventDefault();
      act(found[0], found[1], event);
    }
  });
}

function inField(event, field, act) {
  const leaves = event.key === "Escape" || (event.key === "Enter" && field.tagName === "SELECT");
  if (leaves) {
    event.preventDefault();
    field.blur();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    field.blur();
    act("submit", undefined, event);
  }
}

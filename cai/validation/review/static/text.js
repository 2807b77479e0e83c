// Showing text that models wrote: as plain text, with nothing in it that acts.

// Controls but newline and tab, marks that change the direction of what follows, invisible and
// tag characters, lone surrogates. Joiners (U+200C, U+200D) stay: Persian and emoji need them.
const ACTING = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}\\u{d800}-\\u{dfff}]",
  "gu",
);
const CHUNK = 20_000;
const shownIn = new WeakMap(); // what an element shows, so that an old text is poured no further

function symbol(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) {
    return String.fromCodePoint(0x2400 + code); // ␀ … ␛ …
  }
  if (code === 0x7f) {
    return "\u2421"; // ␡
  }
  return `\u27e6U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e7`; // ⟦U+202E⟧
}

export function visible(text) {
  return text.replaceAll("\r\n", "\n").replace(ACTING, symbol);
}

// Fill `element` with the beginning of a text, and offer the rest of it.
// `preview` is {text, length}; `load` fetches the whole when it is asked for.
export function showText(element, preview, load) {
  shownIn.set(element, preview);
  element.replaceChildren(block(preview.text));
  const shown = [...preview.text].length;
  if (shown >= preview.length) {
    return;
  }
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show-all";
  button.textContent = `Show all ${preview.length.toLocaleString("en")} characters`;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const whole = await load();
      if (shownIn.get(element) === preview) {
        element.replaceChildren();
        pour(element, preview, whole, 0);
      }
    } catch (error) {
      button.disabled = false;
      button.textContent = `Not loaded: ${error.message} Try again`;
    }
  });
  element.append(button);
}

function block(text, className = "model-text") {
  const part = document.createElement("div");
  part.className = className;
  part.dir = "auto";
  part.textContent = visible(text);
  return part;
}

// A long text is drawn piece by piece, so that the page answers to keys meanwhile.
function pour(element, preview, text, from) {
  if (from >= text.length || shownIn.get(element) !== preview) {
    return;
  }
  let end = from + CHUNK;
  const newline = text.lastIndexOf("\n", end);
  if (end < text.length) {
    if (newline > from) {
      end = newline + 1;
    } else if (/[\ud800-\udbff]/.test(text[end - 1])) {
      end += 1; // not between the halves of a character
    }
  }
  const piece = text.slice(from, end);
  element.append(block(end < text.length ? piece.replace(/\n$/, "") : piece, "model-text piece"));
  requestAnimationFrame(() => setTimeout(pour, 0, element, preview, text, end));
}

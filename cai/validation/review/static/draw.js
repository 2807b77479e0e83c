// Drawing an item and the progress.

import { getJson } from "/static/net.js";
import { showText, visible } from "/static/text.js";

const byId = (id) => document.getElementById(id);
const SPEAKERS = { user: "User", assistant: "Assistant", system: "System" };
const SURE = { 1: "guess", 2: "fairly sure", 3: "certain" };
const SINGLE = { a: "Good ", both_bad: "Not good " };
const SAYS = { a: "A", b: "B", tie: "Tie", both_bad: "Both bad", skip: "Skip" };

export function drawItem(view, title) {
  const where = `/api/items/${view.role}/${encodeURIComponent(view.item_id)}/text`;
  const load = (part) => async () => (await getJson(`${where}/${part}`)).text;
  byId("practice-mark").hidden = view.role !== "practice";
  byId("conversation").replaceChildren(
    ...view.messages.map((message, place) => {
      const turn = element("div", `turn turn-${message.role}`);
      turn.append(element("p", "speaker", SPEAKERS[message.role] ?? message.role));
      const text = element("div", "text");
      showText(text, message, load(place));
      turn.append(text);
      return turn;
    }),
  );
  for (const side of ["a", "b"]) {
    byId(`answer-${side}`).hidden = view[side] === null;
    if (view[side] !== null) {
      showText(document.querySelector(`#answer-${side} .text`), view[side], load(side));
    }
  }
  drawChoices(view.b === null);
  const about = byId("about");
  about.hidden = !view.about;
  about.textContent = visible(view.about ?? "");
  drawOpinions(view.labels);
  const heading = byId("heading");
  heading.textContent = title;
  scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

// A single answer is good or not; it cannot be better than another.
function drawChoices(single) {
  for (const button of document.querySelectorAll("[data-choice]")) {
    const { choice, pair } = button.dataset;
    button.dataset.pair = pair ?? button.firstChild.textContent;
    button.firstChild.textContent = single && SINGLE[choice] ? SINGLE[choice] : button.dataset.pair;
    button.hidden = single && (choice === "b" || choice === "tie");
  }
}

function drawOpinions(labels) {
  const place = byId("opinions");
  place.hidden = !labels;
  place.replaceChildren(
    ...(labels ?? []).map((said, index) => {
      const card = element("div", "opinion");
      const line = element("p", "");
      line.append(element("strong", "", `Annotator ${index + 1}: ${SAYS[said.choice]}`));
      const more = [SURE[said.confidence], said.principle_id, said.flagged ? "flagged" : ""];
      const rest = more.filter(Boolean).join(", ");
      line.append(rest ? `, ${rest}` : "");
      card.append(line);
      if (said.note) {
        const note = element("p", "model-text note-text", visible(said.note));
        note.dir = "auto";
        card.append(note);
      }
      return card;
    }),
  );
}

export function drawProgress(progress) {
  const { done, total, median_seconds: median } = progress;
  const bar = byId("bar");
  bar.max = Math.max(total, 1);
  bar.value = Math.min(done, total);
  byId("count").textContent = `${done} of ${total}`;
  byId("pace").textContent = median === null ? "" : pace(median, total - done);
}

function pace(median, left) {
  const minutes = Math.ceil((median * left) / 60);
  return `${median.toLocaleString("en")} s each` + (left > 0 ? `, about ${minutes} min left` : "");
}

export function drawSaved({ pending, problem, refused }) {
  const saved = byId("saved");
  let text = "saved";
  if (pending) {
    text = problem ? `${pending} not saved yet – ${problem}` : `saving ${pending} …`;
  } else if (refused) {
    text = `${refused} refused by the server`;
  }
  saved.dataset.state = pending && problem ? "waiting" : refused ? "refused" : "fine";
  // Reading "saving 1 …" aloud for every label would be noise.
  if (!pending || problem) {
    saved.textContent = text;
  }
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

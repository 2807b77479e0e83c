// The labelling page: shows items, takes answers, and never waits for the server between two.

import { bindButtons } from "/static/buttons.js";
import { drawItem, drawProgress, drawSaved } from "/static/draw.js";
import { Feed, nameOf } from "/static/feed.js";
import { Form } from "/static/form.js";
import { listen } from "/static/keys.js";
import { getJson } from "/static/net.js";
import { newId, Outbox } from "/static/outbox.js";

const byId = (id) => document.getElementById(id);
const { run, annotator, role } = document.body.dataset;

// From the key that submits to the next item on the screen, in milliseconds.
window.caiTimings = [];

const form = new Form();
const feed = new Feed(role);
const outbox = new Outbox(`cai:${run}:${annotator}`, { changed, stored });
let current = null;
let shownAt = 0;
let waitsForFeedback = false;
let readsFeedback = false;
let busy = false;

function changed(state) {
  drawSaved(state);
  // Another tab has sent the answer, and was told what there is to say of it.
  if (state.pending === 0 && waitsForFeedback) {
    next();
  }
}

function stored(reply) {
  if (current && waitsForFeedback && reply.feedback[current.item_id]) {
    showFeedback(reply.feedback[current.item_id]);
  }
  // Further answers may be on their way; the page counts them itself meanwhile.
  if (outbox.pending === 0 && !feed.more) {
    feed.progress = reply.progress;
    drawProgress(feed.progress);
  }
}

function titleOf(view) {
  const { done, total, practice_done: practised, practice_total: practice } = feed.progress;
  if (view.role === "practice") {
    return `Practice ${practised + 1} of ${practice}`;
  }
  return `${view.role === "adjudicate" ? "Dispute" : "Pair"} ${done + 1} of ${total}`;
}

function show(view, said = null) {
  current = view;
  waitsForFeedback = readsFeedback = false;
  byId("work").hidden = byId("dock").hidden = byId("form").hidden = false;
  byId("finished").hidden = byId("feedback").hidden = true;
  form.clear();
  if (said) {
    form.fill(said);
  }
  drawItem(view, titleOf(view));
  drawProgress(feed.progress);
  shownAt = performance.now();
}

async function next(startedAt = null) {
  const view = feed.take();
  if (view) {
    show(view);
    if (startedAt !== null) {
      measure(startedAt);
    }
    return;
  }
  current = null;
  form.clear();
  byId("heading").textContent = "Fetching the next pair …";
  await fetchOrFinish();
}

async function fetchOrFinish() {
  for (;;) {
    try {
      if (await feed.refill()) {
        return next();
      }
      if (outbox.pending === 0) {
        if (await feed.refill()) {
          return next();
        }
        return finish();
      }
      await outbox.settled();
    } catch (error) {
      byId("heading").textContent = `Waiting for the server. ${error.status ? error.message : ""}`;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

// After the frame with the new item was painted.
function measure(startedAt) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.caiTimings.push(performance.now() - startedAt);
    channel.port2.postMessage(null);
  });
}

function finish() {
  byId("work").hidden = byId("dock").hidden = true;
  byId("finished").hidden = false;
  const { done, others } = feed.progress;
  const what = role === "adjudicate" ? "disputes are settled" : "pairs are labelled";
  byId("finished-text").textContent = `${done} ${what}, and all of it is saved.`;
  const more = byId("more");
  more.hidden = others === 0 || feed.more;
  more.textContent = `Label ${others} more that nobody has labelled yet`;
  byId("finished-heading").focus();
}

function submit(startedAt) {
  if (readsFeedback) {
    next(startedAt);
    return;
  }
  if (!current || form.choice === null || waitsForFeedback || busy) {
    return;
  }
  const said = form.read();
  const seconds = Math.min((performance.now() - shownAt) / 1000, 86_400);
  waitsForFeedback = current.role === "practice";
  send(current, { ...said, seconds });
  feed.history.push({ role: current.role, item_id: current.item_id, view: current, said });
  count(current, 1);
  if (waitsForFeedback) {
    byId("heading").textContent = "Checking …";
    return;
  }
  next(startedAt);
}

function send(view, said) {
  const { item_id, role: shownFor, ticket } = view;
  outbox.add({ action_id: newId(), item_id, role: shownFor, ticket, ...said });
}

function count(view, by) {
  feed.progress[view.role === "practice" ? "practice_done" : "done"] += by;
}

function showFeedback({ right, answer, why }) {
  const names = { a: "A", b: "B", tie: "Tie", both_bad: "Both bad" };
  const text = byId("feedback-text");
  text.textContent = `${right ? "Yes" : `Most would say: ${names[answer]}`}. ${why}`;
  byId("feedback").hidden = false;
  byId("form").hidden = true;
  byId("feedback").dataset.right = String(right);
  byId("heading").textContent = right ? "Practice: well seen" : "Practice: look again";
  text.focus();
  readsFeedback = true;
  waitsForFeedback = false;
}

async function undo() {
  const last = feed.history.at(-1);
  if (!last || busy || waitsForFeedback) {
    return;
  }
  busy = true;
  try {
    if (!last.view) {
      const path = `/api/items/${last.role}/${encodeURIComponent(last.item_id)}`;
      const found = await getJson(path);
      last.view = found.item;
      last.said = found.annotation;
    }
    feed.history.pop();
    feed.known.add(nameOf(last.view));
    if (current && nameOf(current) !== nameOf(last.view)) {
      feed.putBack(current);
    }
    send(last.view, { choice: null });
    count(last.view, -1);
    show(last.view, last.said);
  } catch (error) {
    byId("saved").textContent = `Cannot undo now: ${error.message}`;
  } finally {
    busy = false;
  }
}

const ACTIONS = {
  choose(choice, event) {
    if (!current || waitsForFeedback || readsFeedback) {
      return;
    }
    if (current.b === null && (choice === "b" || choice === "tie")) {
      return;
    }
    if (form.choice === choice) {
      submit(event.timeStamp);
    } else {
      form.choose(choice);
    }
  },
  confidence: (value) => form.setConfidence(value),
  refuses: (side) => form.toggleRefuses(side),
  submit: (_, event) => submit(event.timeStamp),
  undo,
  more() {
    feed.more = true;
    fetchOrFinish();
  },
  flag: () => form.toggleFlag(),
  principle: () => byId("principle").focus(),
  note: () => byId("note").focus(),
  dialog: (name) => byId(name).showModal(),
  scroll: (way) => scrollBy({ top: way * innerHeight * 0.6, behavior: "auto" }),
};

async function start() {
  bindButtons(ACTIONS);
  listen((command, argument, event) => ACTIONS[command](argument, event));
  // The queue of a server that lacks some answers would ask for them again.
  outbox.reconsider();
  await outbox.send();
  await outbox.settled();
  for (;;) {
    try {
      await feed.open();
      break;
    } catch (error) {
      byId("heading").textContent = `Waiting for the server. ${error.message}`;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  next();
}

start();

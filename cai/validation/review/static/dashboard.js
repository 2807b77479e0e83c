// The dashboard: asks for the figures every few seconds and draws them.

import { getJson } from "/static/net.js";

const EVERY_MS = 3_000;
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const MEASURES = [
  ["percent", "Agreement", "share of pairs of labels that agree"],
  ["alpha", "Krippendorff's α", "0 is chance, 1 is perfect"],
  ["cohen", "Cohen's κ", "mean over pairs of annotators"],
];
const CHOICES = { a: "A", b: "B", tie: "Tie", both_bad: "Both bad", skip: "Skip" };

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

const decimal = (value) => (value === null ? "–" : value.toFixed(2));
const percent = (value) => (value === null ? "–" : `${Math.round(value * 100)} %`);

function figures(data) {
  byId("items").textContent = `${data.items.labelled} of ${data.items.total}`;
  byId("disputes").textContent = `${data.disputes.open} open, ${data.disputes.settled} settled`;
  byId("flags").textContent = String(data.choices.flagged);
  const who = data.kind === "human" ? "people" : `${data.kind} annotators, not people`;
  const pairs = data.agreement.pairable;
  byId("between").textContent = `between ${who}, on ${pairs} pairs with two labels or more`;
}

function measures(agreement) {
  byId("agreement").replaceChildren(
    ...MEASURES.map(([name, title, meaning]) => {
      const [estimate, low, high] = agreement[name] ?? [null, null, null];
      const show = name === "percent" ? percent : decimal;
      const card = element("div", "", "measure");
      card.append(element("p", title, "muted"), element("p", show(estimate), "figure"));
      const known = estimate !== null;
      card.append(element("p", known ? `${show(low)} to ${show(high)}` : "not enough labels yet", "range"));
      if (known) {
        card.append(interval(estimate, low, high));
      }
      card.append(element("p", meaning, "muted small"));
      return card;
    }),
  );
}

// A line from 0 to 1 with the interval and the estimate on it.
function interval(estimate, low, high) {
  const within = (value) => String(Math.max(0, Math.min(1, value)) * 100);
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", "0 0 100 8");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("class", "interval");
  drawing.setAttribute("aria-hidden", "true");
  const line = (from, to, className) => {
    const made = document.createElementNS(SVG, "line");
    made.setAttribute("x1", within(from));
    made.setAttribute("x2", within(to));
    made.setAttribute("y1", "4");
    made.setAttribute("y2", "4");
    made.setAttribute("class", className);
    return made;
  };
  drawing.append(line(0, 1, "axis"), line(low, high, "range-line"));
  drawing.append(line(estimate - 0.006, estimate + 0.006, "point"));
  return drawing;
}

function annotators(people) {
  byId("annotators").replaceChildren(
    ...people.map((person) => {
      const row = element("tr");
      const name = element("th", person.name);
      name.scope = "row";
      name.dir = "auto";
      const bar = element("progress");
      bar.max = Math.max(person.total, 1);
      bar.value = person.done;
      bar.setAttribute("aria-label", `Progress of ${person.name}`);
      const progress = element("td");
      progress.append(bar);
      const pace = person.median_seconds;
      const left = pace === null ? "–" : Math.ceil((pace * (person.total - person.done)) / 60);
      const kind = person.adjudicator ? `${person.kind}, adjudicator` : person.kind;
      row.append(name, element("td", kind), progress);
      for (const text of [`${person.done} of ${person.total}`, pace ?? "–", left]) {
        row.append(element("td", String(text), "number"));
      }
      return row;
    }),
  );
}

function choices(counts) {
  const total = Object.keys(CHOICES).reduce((sum, name) => sum + counts[name], 0);
  byId("choices").replaceChildren(
    ...Object.entries(CHOICES).map(([name, title]) => {
      const line = element("div", "", "bar-line");
      const meter = element("progress");
      meter.max = Math.max(total, 1);
      meter.value = counts[name];
      meter.setAttribute("aria-label", title);
      line.append(element("span", title), meter, element("span", String(counts[name]), "number"));
      return line;
    }),
  );
}

function principles(found) {
  byId("principles-card").hidden = found.length === 0;
  byId("principles").replaceChildren(
    ...found.map((one) => {
      const row = element("tr");
      const name = element("th", one.id);
      name.scope = "row";
      row.append(name, element("td", String(one.pairable), "number"));
      row.append(element("td", percent(one.percent?.[0] ?? null), "number"));
      row.append(element("td", decimal(one.alpha?.[0] ?? null), "number"));
      return row;
    }),
  );
}

async function refresh() {
  try {
    const data = await getJson("/api/dashboard");
    figures(data);
    measures(data.agreement);
    annotators(data.annotators);
    choices(data.choices);
    principles(data.principles);
    byId("fresh").textContent = `as of ${new Date().toLocaleTimeString()}`;
  } catch (error) {
    byId("fresh").textContent = error.status ? error.message : "the server cannot be reached";
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();

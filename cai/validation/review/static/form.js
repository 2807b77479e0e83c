// What the annotator has chosen for the item on the screen.

const byId = (id) => document.getElementById(id);

export class Form {
  constructor(changed) {
    this.changed = changed;
    this.asksRefusals = document.body.dataset.refusals === "yes";
    this.clear();
  }

  clear() {
    this.choice = null;
    this.confidence = null;
    this.flagged = false;
    this.refuses = { a: false, b: false };
    byId("principle").value = "";
    byId("note").value = "";
    this.draw();
  }

  // Show an answer that was given before.
  fill(said) {
    this.choice = said.choice;
    this.confidence = said.confidence;
    this.flagged = said.flagged;
    this.refuses = { a: Boolean(said.a_refuses), b: Boolean(said.b_refuses) };
    byId("principle").value = said.principle_id;
    byId("note").value = said.note;
    this.draw();
  }

  // The answer in the form in which the server takes it.
  read() {
    const asked = this.asksRefusals && this.choice !== "skip";
    const note = byId("note").value;
    return {
      choice: this.choice,
      confidence: this.confidence,
      principle_id: byId("principle").value,
      note: note.toWellFormed ? note.toWellFormed() : note,
      flagged: this.flagged,
      a_refuses: asked ? this.refuses.a : null,
      b_refuses: asked ? this.refuses.b : null,
    };
  }

  choose(choice) {
    this.choice = choice;
    this.draw();
  }

  setConfidence(value) {
    this.confidence = this.confidence === value ? null : value;
    this.draw();
  }

  toggleFlag() {
    this.flagged = !this.flagged;
    this.draw();
  }

  toggleRefuses(side) {
    if (this.asksRefusals) {
      this.refuses[side] = !this.refuses[side];
      this.draw();
    }
  }

  draw() {
    press("[data-choice]", (button) => button.dataset.choice === this.choice);
    press("[data-confidence]", (button) => Number(button.dataset.confidence) === this.confidence);
    press("[data-refuses]", (button) => this.refuses[button.dataset.refuses]);
    press("#flag", () => this.flagged);
    for (const side of ["a", "b"]) {
      byId(`answer-${side}`).classList.toggle("chosen", this.choice === side);
    }
    byId("submit").disabled = this.choice === null;
  }
}

function press(selector, isPressed) {
  for (const button of document.querySelectorAll(selector)) {
    button.setAttribute("aria-pressed", String(Boolean(isPressed(button))));
  }
}

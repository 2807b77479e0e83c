"""Tables of a run store: one SQLite file per run; all exports are projections of it."""

from __future__ import annotations

__all__ = ["DDL", "SCHEMA_VERSION"]

SCHEMA_VERSION = 3
"""Kept in `PRAGMA user_version`; an older file is migrated, a newer one refused."""

DDL = """
-- Facts about the run: config, constitution, templates, hashes. JSON values.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Leading messages that many requests share, kept once.
CREATE TABLE heads (
    hash     TEXT PRIMARY KEY,
    messages BLOB NOT NULL
) WITHOUT ROWID;

-- One line per answered call. The memo: a request id that is here is never asked again.
-- `cost_usd` is NULL when the price is not known, and 0 when the call was free.
CREATE TABLE calls (
    request_id        TEXT PRIMARY KEY,
    stage             TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,
    head              TEXT NOT NULL REFERENCES heads (hash),
    request           BLOB NOT NULL,
    completion        BLOB NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    created           REAL NOT NULL,
    cost_usd          REAL
);
-- Totals and the pace of the last minute are read from here, without touching the texts.
CREATE INDEX calls_by_stage ON calls
    (stage, created, prompt_tokens, completion_tokens, cached_tokens, cost_usd);

-- Attempts that were sent, paid for perhaps, and never answered. Tokens and dollars are upper
-- estimates. One request may be lost several times, and be answered in the end.
CREATE TABLE lost (
    request_id        TEXT NOT NULL,
    stage             TEXT NOT NULL,
    fingerprint       TEXT NOT NULL,
    reason            TEXT NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd          REAL,
    created           REAL NOT NULL
);

-- Batches of requests handed to a server that answers them later. `ended` is NULL while answers
-- may still come; `requests` is a JSON list of request ids.
CREATE TABLE batches (
    batch_id    TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status      TEXT NOT NULL,
    created     REAL NOT NULL,
    ended       REAL,
    requests    BLOB NOT NULL
);

-- Prompts in the order in which they were first read. A prompt keeps its group, a group its split.
-- `epoch` counts changes of the prompt file: prompts of an earlier one are no part of exports.
-- `start` is the last start of the run that read the prompt, so a repeated prompt is noticed.
-- `signature` is the MinHash of the prompt (cai.store.signature); it stands before the long record
-- so that it can be read alone.
CREATE TABLE prompts (
    position  INTEGER PRIMARY KEY,
    prompt_id TEXT NOT NULL UNIQUE,
    epoch     INTEGER NOT NULL DEFAULT 0,
    start     INTEGER NOT NULL DEFAULT 0,
    group_id  TEXT NOT NULL REFERENCES groups (group_id),
    signature BLOB NOT NULL,
    record    BLOB NOT NULL
);
CREATE INDEX prompts_by_group ON prompts (group_id);

CREATE TABLE groups (
    group_id TEXT PRIMARY KEY,
    split    TEXT NOT NULL CHECK (split IN ('train', 'dev', 'held_out', 'quarantine'))
);

-- Locality-sensitive hashing of the signatures: prompts that share a key may be alike. A key is
-- the hash of a band's number and values; `position` is the prompt's, `founder` that of the first
-- prompt of its group, so that the rest of a group can be passed over. `level` is where the entry
-- lies for now (cai.store.bands).
CREATE TABLE bands (
    level    INTEGER NOT NULL,
    key      INTEGER NOT NULL,
    founder  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (level, key, founder, position)
) WITHOUT ROWID;

-- What the loop made of each prompt. `plan` is the hash of all that determined the row;
-- `finished` is in Unix seconds, and NULL in rows of schema version 1.
CREATE TABLE rows (
    prompt_id TEXT PRIMARY KEY REFERENCES prompts (prompt_id),
    plan      TEXT NOT NULL,
    status    TEXT NOT NULL CHECK (status IN ('done', 'failed')),
    record    BLOB NOT NULL,
    finished  REAL
);
CREATE INDEX rows_by_time ON rows (finished);

-- Samples of held-out pairs that people label, as they were drawn; the last one counts.
-- `record` is a `cai.validation.records.SamplingPlan`.
CREATE TABLE sampling_plans (
    number  INTEGER PRIMARY KEY,
    plan_id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    record  BLOB NOT NULL
);

-- What a plan has drawn, in the order of drawing. `item_id` names a pair, or its second showing,
-- and is the same in every plan, so that labels outlive the plan under which they were given.
CREATE TABLE items (
    plan_id TEXT NOT NULL REFERENCES sampling_plans (plan_id),
    place   INTEGER NOT NULL,
    item_id TEXT NOT NULL,
    record  BLOB NOT NULL,
    PRIMARY KEY (plan_id, item_id)
) WITHOUT ROWID;

-- Who labels. `kind` says whether that is a person; statements about people count `human` alone.
CREATE TABLE annotators (
    annotator_id TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL CHECK (kind IN ('human', 'model', 'simulated')),
    created      REAL NOT NULL
);

-- Every action of every annotator, in order; none is ever changed. The last one of an annotator on
-- an item counts. `action_id` is chosen by whoever acts: sent twice, it is stored once.
CREATE TABLE actions (
    number       INTEGER PRIMARY KEY,
    action_id    TEXT NOT NULL UNIQUE,
    annotator_id TEXT NOT NULL REFERENCES annotators (annotator_id),
    item_id      TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('label', 'practice', 'adjudicate')),
    record       BLOB NOT NULL,
    created      REAL NOT NULL
);
CREATE INDEX actions_by_item ON actions (role, item_id, annotator_id, number);

-- Prompt groups taken out of the held-out split for good, because people's labels on them were
-- handed to training (`promoted`), or a constitution was changed because of them (`cases`).
CREATE TABLE retired (
    group_id TEXT PRIMARY KEY REFERENCES groups (group_id),
    reason   TEXT NOT NULL CHECK (reason IN ('promoted', 'cases')),
    created  REAL NOT NULL
);
"""

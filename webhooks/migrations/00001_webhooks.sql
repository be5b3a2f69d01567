-- +goose Up

-- How far the log has been looked through for events to send: one row.
CREATE TABLE webhook_checkpoint (
    id       BIGINT NOT NULL PRIMARY KEY,
    epoch    TEXT   NOT NULL, -- of the log; empty before the first page
    position BIGINT NOT NULL
);

INSERT INTO webhook_checkpoint (id, epoch, position) VALUES (1, '', 0);

-- The webhooks at the checkpoint. Those that are deleted have no row.
CREATE TABLE webhooks (
    id              TEXT   NOT NULL PRIMARY KEY,
    account         TEXT   NOT NULL, -- whose it is; all zeros: the platform's
    url             TEXT   NOT NULL,
    types           TEXT   NOT NULL, -- a JSON list of wire names; empty: all
    description     TEXT   NOT NULL,
    status          TEXT   NOT NULL, -- active or paused
    reason          TEXT   NOT NULL, -- why it is paused, else empty
    secret_version  BIGINT NOT NULL,
    old_signs_until BIGINT NOT NULL, -- µs; 0: there is no older secret
    position        BIGINT NOT NULL  -- of its registration
);

-- One row for an event and a webhook to which it is, or was lately, to be sent.
CREATE TABLE webhook_deliveries (
    webhook    TEXT   NOT NULL,
    position   BIGINT NOT NULL, -- of the event
    stream     TEXT   NOT NULL,
    event_type TEXT   NOT NULL,
    state      TEXT   NOT NULL, -- pending, delivered or dead
    attempts   BIGINT NOT NULL, -- begun
    due        BIGINT NOT NULL, -- µs; of the next attempt, or when one that is under way is taken for lost
    status     BIGINT NOT NULL, -- the last answer's HTTP status; 0: there was none
    error      TEXT   NOT NULL, -- why the last attempt failed, else empty
    changed_at BIGINT NOT NULL, -- µs
    PRIMARY KEY (webhook, position)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_order ON webhook_deliveries (webhook, stream, position) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook, state, changed_at);

-- +goose Down

DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
DROP TABLE webhook_checkpoint;

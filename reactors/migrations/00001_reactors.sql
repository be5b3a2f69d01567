-- +goose Up

-- How far each reactor has come, and how the clock is, as the engine that is active last told.
CREATE TABLE reactor_checkpoints (
    name     TEXT   NOT NULL PRIMARY KEY,
    epoch    TEXT   NOT NULL, -- of the log that it follows
    position BIGINT NOT NULL, -- of the last event that it has done with; 0 for the clock, which follows no log
    state    TEXT   NOT NULL, -- live, retrying or stopped
    error    TEXT   NOT NULL  -- why it is not live, else empty
);

-- Which engine is active: one row.
CREATE TABLE reactor_lease (
    id     BIGINT NOT NULL PRIMARY KEY,
    holder TEXT   NOT NULL, -- empty: nobody
    beat   BIGINT NOT NULL  -- moves on for as long as the holder is alive
);

INSERT INTO reactor_lease (id, holder, beat) VALUES (1, '', 0);

-- +goose Down

DROP TABLE reactor_lease;
DROP TABLE reactor_checkpoints;

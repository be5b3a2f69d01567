-- +goose Up

-- The one row that fences: whoever moves position by compare-and-set owns the positions in between.
CREATE TABLE log (
    singleton   INTEGER PRIMARY KEY CHECK (singleton = 1),
    epoch       BLOB    NOT NULL, -- UUID
    position    INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL  -- microseconds since 1970, UTC, of the last event
);

-- A stream's short key is the position of its first event: a few bytes in the index of events instead of 30.
CREATE TABLE streams (
    id             BLOB    NOT NULL, -- UUID
    kind           TEXT    NOT NULL,
    first_position INTEGER NOT NULL,
    PRIMARY KEY (id, kind)
) WITHOUT ROWID;

-- What an event says stands in its record alone; beside it is only what keeps order.
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream   INTEGER NOT NULL, -- streams.first_position
    version  INTEGER NOT NULL,
    record   BLOB    NOT NULL, -- CloudEvents 1.0 structured JSON, as committed
    UNIQUE (stream, version)
);

CREATE TABLE commands (
    command_id     BLOB    PRIMARY KEY, -- UUID
    body_hash      BLOB    NOT NULL,    -- 32 bytes
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL -- first_position - 1 when the command raised no event
) WITHOUT ROWID;

-- +goose Down
DROP TABLE commands;
DROP TABLE events;
DROP TABLE streams;
DROP TABLE log;

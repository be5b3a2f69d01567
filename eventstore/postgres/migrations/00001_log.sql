-- +goose Up

-- The one row that fences: whoever moves position by compare-and-set owns the positions in between.
CREATE TABLE log (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch       uuid   NOT NULL,
    position    bigint NOT NULL,
    recorded_at bigint NOT NULL -- microseconds since 1970, UTC, of the last event
) WITH (fillfactor = 10); -- leaves room, so that each new version of the row stays on its page

-- A stream's short key is the position of its first event: 8 bytes in the index of events instead of 30.
CREATE TABLE streams (
    id             uuid   NOT NULL,
    kind           text   COLLATE "C" NOT NULL,
    first_position bigint NOT NULL,
    PRIMARY KEY (id, kind)
);

-- What an event says stands in its record alone; beside it is only what keeps order.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    stream   bigint NOT NULL, -- streams.first_position
    version  bigint NOT NULL,
    record   bytea  NOT NULL, -- CloudEvents 1.0 structured JSON, as committed
    CONSTRAINT events_stream_version UNIQUE (stream, version)
);

CREATE TABLE commands (
    command_id     uuid   PRIMARY KEY,
    body_hash      bytea  NOT NULL, -- 32 bytes
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL -- first_position - 1 when the command raised no event
);

-- +goose Down
DROP TABLE commands, events, streams, log;

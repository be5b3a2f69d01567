-- +goose Up

-- The one row that fences: whoever moves position by compare-and-set owns the positions in between. Each move leaves a dead
-- version of the row behind, which no vacuum can remove while, say, a backup's long transaction runs. So the row is looked up by
-- the one thing that tells its versions apart; otherwise each commit would have to wade through all of them.
CREATE TABLE log (
    position    bigint PRIMARY KEY,
    epoch       uuid   NOT NULL,
    recorded_at bigint NOT NULL -- microseconds since 1970, UTC, of the last event
);
INSERT INTO log (position, epoch, recorded_at) VALUES (0, gen_random_uuid(), 0);

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

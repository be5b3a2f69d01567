-- +goose Up

-- How far each generation of each read model has come. A model has one generation that is live or stopped, and while it is
-- rebuilt another one beside it. A retired generation waits for its tables to be dropped.
CREATE TABLE read_model_checkpoints (
    name       TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    version    BIGINT NOT NULL, -- of the fold that filled the tables
    epoch      TEXT   NOT NULL, -- of the log that they were filled from
    position   BIGINT NOT NULL, -- of the last event that they hold
    state      TEXT   NOT NULL, -- live, stopped, rebuilding or retired
    error      TEXT   NOT NULL, -- why it is stopped, else empty
    tables     TEXT   NOT NULL, -- physical names of the tables, separated by spaces
    PRIMARY KEY (name, generation)
);

-- +goose Down

DROP TABLE read_model_checkpoints;

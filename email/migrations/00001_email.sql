-- +goose Up

-- How far the log has been looked through for notifications to send, and what has come of those: one row while e-mail is switched on,
-- none while it is not.
CREATE TABLE email_checkpoint (
    id       BIGINT NOT NULL PRIMARY KEY, -- 1
    epoch    TEXT   NOT NULL, -- of the log
    position BIGINT NOT NULL,
    sent     BIGINT NOT NULL, -- mails that the server has taken
    given_up BIGINT NOT NULL  -- mails that it has not, and that are tried no more
);

-- The mails that wait to be sent: one row for each notification. What they say, and to which address, is looked up when they are sent.
CREATE TABLE email_waiting (
    position BIGINT NOT NULL, -- of the event that the notification tells of
    account  TEXT   NOT NULL,
    member   TEXT   NOT NULL, -- the person's id
    noted_at BIGINT NOT NULL, -- µs
    attempts BIGINT NOT NULL, -- begun
    due      BIGINT NOT NULL, -- µs; of the next attempt, or when one that is under way is taken for lost
    PRIMARY KEY (position, account, member)
);

CREATE INDEX email_waiting_due ON email_waiting (due);
CREATE INDEX email_waiting_age ON email_waiting (noted_at);

-- +goose Down

DROP TABLE email_waiting;
DROP TABLE email_checkpoint;

package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/collabledger/collabledger/eventstore"
)

// Limits of one attempt.
const (
	sendTimeout      = 10 * time.Second // from the connection to the end of the answer
	maxAnswerBytes   = 16 << 10         // of an answer's body that are read; what it says does not matter
	maxAnswerHeaders = 16 << 10         // bytes
	idleTimeout      = 90 * time.Second // of a connection that is kept for the next attempt
	maxErrorLength   = 300              // bytes of an error that are kept
)

// contentType is that of the body, which is the event's record (CloudEvents 1.0, structured JSON).
const contentType = "application/cloudevents+json"

// errInternal says that a webhook leads to where the ledger sends nothing.
var errInternal = errors.New("the address is not on the public internet")

// newClient makes the client that sends. It follows no redirects and asks no proxy: either could lead elsewhere.
func newClient(allowInternal bool) *http.Client {
	dialer := &net.Dialer{Timeout: sendTimeout}
	if !allowInternal {
		dialer.Control = checkAddress
	}
	return &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: sendTimeout, ResponseHeaderTimeout: sendTimeout,
			MaxResponseHeaderBytes: maxAnswerHeaders, MaxIdleConns: maxSending, MaxIdleConnsPerHost: maxSendingToOne,
			IdleConnTimeout: idleTimeout, ForceAttemptHTTP2: true,
		},
	}
}

// outcome is what came of an attempt.
type outcome struct {
	status     int           // of the answer; 0: there was none
	retryAfter time.Duration // which the receiver asked for
	problem    string        // why the event is not delivered; empty: it is
}

// send makes one attempt. Whatever comes of it is an outcome.
func (s *Sender) send(ctx context.Context, a attempt, record eventstore.Record) outcome {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(record.Bytes))
	if err != nil {
		return outcome{problem: problemOf(err)}
	}
	now := s.now()
	signature, err := s.sign(a, record, now)
	if err != nil {
		return outcome{problem: problemOf(err)}
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("User-Agent", "collabledger-webhooks/1")
	request.Header.Set(standardwebhooks.HeaderWebhookID, record.Attribute("id"))
	request.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	request.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := s.client.Do(request)
	if err != nil {
		return outcome{problem: problemOf(err)}
	}
	defer response.Body.Close()
	o := outcome{status: response.StatusCode, retryAfter: retryAfter(response.Header.Get("Retry-After"), now)}
	if o.status < 200 || o.status > 299 {
		o.problem = "the receiver answered " + strconv.Itoa(o.status)
	}
	// Read to its end, so that the connection can be used again. That fails only for who has answered already.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswerBytes))
	return o
}

// sign makes the header of signatures: one with the secret, and for a day after a rotation one with the secret before.
func (s *Sender) sign(a attempt, record eventstore.Record, now time.Time) (string, error) {
	versions := []int{a.secretVersion}
	if now.Before(a.oldSignsUntil) {
		versions = append(versions, a.secretVersion-1)
	}
	header := ""
	for _, version := range versions {
		signer, err := standardwebhooks.NewWebhook(s.Executor.Tokens.WebhookSecret(a.webhook, version))
		if err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
		signature, err := signer.Sign(record.Attribute("id"), now, record.Bytes)
		if err != nil {
			return "", fmt.Errorf("sign: %w", err)
		}
		if header != "" {
			header += " "
		}
		header += signature
	}
	return header, nil
}

// problemOf is what people are told of a failure. Of the URL they know.
func problemOf(err error) string {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	text := err.Error()
	switch {
	case errors.Is(err, errInternal):
		text = errInternal.Error()
	case isUnresolved(err): // the error itself names the resolver
		text = "the host's name cannot be resolved"
	case isTimeout(err):
		text = "no answer within " + sendTimeout.String()
	}
	return text[:min(len(text), maxErrorLength)]
}

func isUnresolved(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

func isTimeout(err error) bool {
	failed, ok := errors.AsType[net.Error](err)
	return ok && failed.Timeout()
}

// retryAfter reads the header of that name: seconds, or a moment. Zero: none that can be read.
func retryAfter(header string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(header); err == nil {
		wait = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if moment, err := http.ParseTime(header); err == nil {
		wait = moment.Sub(now)
	}
	return max(0, min(wait, maxRetryAfter))
}

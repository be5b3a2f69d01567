package api

import (
	"encoding/hex"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// MaxContextBytes bounds a correlation or causation id.
const MaxContextBytes = 200

// parseIdempotencyKey reads the id under which a command is accepted once.
func parseIdempotencyKey(header string) (uuid.UUID, error) {
	if header == "" {
		return uuid.Nil, &domain.Error{Kind: domain.Malformed, Code: "idempotency_key_required", Detail: "a command needs an Idempotency-Key: a fresh UUID, and the same one when it is sent again"}
	}
	id, err := uuid.Parse(header)
	if err != nil || len(header) != len(id.String()) {
		return uuid.Nil, domain.Invalid("Idempotency-Key", "must be a UUID with hyphens")
	}
	return id, nil
}

// parseIfMatch reads the version of which a command was thought out: an ETag that a state's query answered. Without the header
// there is none. Lists, weak ETags and * are refused: a command is about one version.
func parseIfMatch(headers http.Header) (*int64, error) {
	values, given := headers["If-Match"]
	if !given {
		return nil, nil
	}
	version, err := parsePosition(strings.Trim(values[0], `"`))
	if err != nil || etag(version) != values[0] {
		return nil, domain.Invalid("If-Match", `must be one ETag as the ledger writes it: a version in quotes, for example "7"`)
	}
	return &version, nil
}

// parsePosition reads a place in the log or in a stream: a whole number from 0, as the ledger writes it.
func parsePosition(text string) (int64, error) {
	position, err := strconv.ParseInt(text, 10, 64)
	if err != nil || position < 0 || strconv.FormatInt(position, 10) != text {
		return 0, domain.Invalid("position", "must be a whole number from 0")
	}
	return position, nil
}

// parseContext reads an id that the caller's own systems gave, to be told in every event that the command raises.
func parseContext(headers http.Header, name string) (string, error) {
	text := headers.Get(name)
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return "", domain.Invalid(name, "must be printable ASCII")
		}
	}
	if len(text) > MaxContextBytes {
		return "", domain.Invalid(name, "must have at most "+strconv.Itoa(MaxContextBytes)+" bytes")
	}
	return text, nil
}

// traceParent takes over a W3C trace context, and leaves alone what is none: tracing must not get in the way of a command.
func traceParent(header string) string {
	const form = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if len(header) != len(form) || header != strings.ToLower(header) || header[2] != '-' || header[35] != '-' || header[52] != '-' {
		return ""
	}
	for _, part := range []string{header[:2], header[3:35], header[36:52], header[53:]} {
		if _, err := hex.DecodeString(part); err != nil {
			return ""
		}
	}
	if header[:2] == "ff" || strings.Trim(header[3:35], "0") == "" || strings.Trim(header[36:52], "0") == "" {
		return ""
	}
	return header
}

// checkJSON refuses a body that does not claim to be JSON: so no web page can send one without the browser asking first.
func checkJSON(contentType string) error {
	if contentType == "application/json" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return httpProblem(http.StatusUnsupportedMediaType, "json_required", "a command's body is sent as Content-Type: application/json")
	}
	return nil
}

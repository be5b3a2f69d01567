package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
)

// securityScheme is the name of the one way to say who asks.
const securityScheme = "key"

// The tags of operations beside the guide's steps.
const (
	tagQueries    = "Queries"
	tagEvents     = "Events"
	tagOperations = "Operations"
)

// guideSteps are the tags of the commands: the steps of the Partner Programme guide, and webhooks, which it does not know.
func guideSteps() []*huma.Tag {
	return []*huma.Tag{
		{Name: "S1", Description: "Create an account"},
		{Name: "S2", Description: "Apply for access to the Partner Programme"},
		{Name: "S3", Description: "Complete the profile, which is reviewed before it is published"},
		{Name: "S4", Description: "Assign a role to the managers"},
		{Name: "S5", Description: "Manage requests and accept a collaboration"},
		{Name: "S6", Description: "Ask the client for access to its account"},
		{Name: "S7", Description: "Configure the KPI notifications"},
		{Name: "S8", Description: "Assign account managers"},
		{Name: "S9", Description: "Access the client's account"},
		{Name: "S10", Description: "Complete a pending task"},
		{Name: "S11", Description: "End a collaboration"},
		{Name: commands.WebhookStep, Description: "Send events to downstream services"},
	}
}

// UUID is how the document describes ids.
type UUID string

// Schema says that an id is a UUID, which huma cannot see.
func (UUID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

// newDocument begins the OpenAPI document with what its operations refer to.
func newDocument(version string) *huma.OpenAPI {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[uuid.UUID](), reflect.TypeFor[UUID]())
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "The collaboration ledger",
			Description: "Who asked whom, who let whom in, with which role and until when, who then did what, and when it ended. " +
				"Commands are accepted once per Idempotency-Key; their answer's Ledger-Position, given to a query as minPosition, makes the query show their outcome. " +
				"Refusals are problems (RFC 9457) with a stable code.",
			License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
			Version: version,
		},
		Servers: []*huma.Server{{URL: "/", Description: "The ledger that serves this document"}},
		Tags: append(guideSteps(),
			&huma.Tag{Name: tagQueries, Description: "What is so: answered from the read models, or folded from the log"},
			&huma.Tag{Name: tagEvents, Description: "What happened: the log itself"},
			&huma.Tag{Name: tagOperations, Description: "For those who run the ledger, and public keys"}),
		Components: &huma.Components{
			Schemas:    schemas,
			Responses:  problemResponses(schemas),
			Parameters: commonParameters(),
			SecuritySchemes: map[string]*huma.SecurityScheme{securityScheme: {
				Type: "http", Scheme: "bearer", Description: "The operator's key. The first start writes it to operator.key in the data folder.",
			}},
		},
	}
}

// problemStatuses are the statuses by which an operation can refuse or fail, with when it does.
func problemStatuses() map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "Malformed: a field, parameter or header cannot be read or breaks a limit (invalid, malformed_json, malformed_query, malformed_act_as, idempotency_key_required).",
		http.StatusUnauthorized:          "The key is missing or unknown (key_required, unknown_key).",
		http.StatusForbidden:             "Not the caller's to do (not_a_member, role_not_sufficient, not_assigned, not_your_account, …).",
		http.StatusNotFound:              "There is no such thing, or it is not the caller's to know of (unknown_command, account_not_found, collaboration_not_found, …).",
		http.StatusRequestTimeout:        "The body did not arrive in time (body_too_slow).",
		http.StatusConflict:              "Others kept changing the same thing (conflict); try again.",
		http.StatusPreconditionFailed:    "If-Match names another version than the stream has (stale_version).",
		http.StatusRequestEntityTooLarge: "The body is larger than a limit (body_too_large, too_large).",
		http.StatusUnsupportedMediaType:  "The body is not sent as application/json (json_required).",
		http.StatusUnprocessableEntity:   "A rule says no; code and state tell which and why (not_pending, no_live_grant, collaboration_not_active, idempotency_key_reused, …).",
		http.StatusInternalServerError:   "The ledger has failed; its log tells why, under the id in the detail (internal).",
		http.StatusServiceUnavailable:    "The ledger cannot do this now; try again after Retry-After, with the same Idempotency-Key (unavailable, overloaded, storage_full, timeout, not_yet, …).",
	}
}

// Statuses of the problems that operations have in common.
func queryProblems() []int {
	return []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError, http.StatusServiceUnavailable}
}

func commandProblems() []int { return slices.Sorted(maps.Keys(problemStatuses())) }

// problemResponses are the documented problems, one for each status.
func problemResponses(schemas huma.Registry) map[string]*huma.Response {
	schema := schemas.Schema(reflect.TypeFor[Problem](), true, "")
	responses := map[string]*huma.Response{}
	for status, description := range problemStatuses() {
		response := &huma.Response{Description: description, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
		for name := range (&Problem{Status: status}).GetHeaders() {
			if response.Headers == nil {
				response.Headers = map[string]*huma.Param{}
			}
			response.Headers[name] = &huma.Param{Description: "As HTTP has it for this status", Schema: &huma.Schema{Type: huma.TypeString}}
		}
		responses["Problem"+strconv.Itoa(status)] = response
	}
	return responses
}

// refersTo lists problems as the responses of an operation.
func refersTo(problems []int) map[string]*huma.Response {
	responses := map[string]*huma.Response{}
	for _, status := range problems {
		responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/Problem" + strconv.Itoa(status)}
	}
	return responses
}

// commonParameters are the headers that operations have in common.
func commonParameters() map[string]*huma.Param {
	text := func(limit int) *huma.Schema { return &huma.Schema{Type: huma.TypeString, MaxLength: &limit} }
	header := func(name, description string, schema *huma.Schema) *huma.Param {
		return &huma.Param{Name: name, In: "header", Description: description, Schema: schema}
	}
	key := header("Idempotency-Key", "A fresh UUID for each command. The same key with the same body gives the first answer again, for as long as the ledger lives; with another body it is refused.", UUID("").Schema(nil))
	key.Required = true
	return map[string]*huma.Param{
		"IdempotencyKey": key,
		"IfMatch":        header("If-Match", "Refuse the command unless the stream that it extends is at this version: the ETag of its query, for example \"7\".", text(22)),
		"ActAs":          header("Ledger-Act-As", "The person for whom the key's holder vouches: <accountId>/<userId>. Without it the holder acts as a service.", text(73)),
		"CorrelationID":  header("Ledger-Correlation-Id", "An id of the caller's own, told in every event that the command raises.", text(MaxContextBytes)),
		"CausationID":    header("Ledger-Causation-Id", "What caused the command, told in every event that it raises.", text(MaxContextBytes)),
		"TraceParent":    header("traceparent", "W3C trace context, told in every event that the command raises.", text(55)),
		"LastEventID":    header("Last-Event-ID", "Position after which the stream goes on; a browser sends it by itself when it comes back.", text(19)),
	}
}

func parameter(name string) *huma.Param { return &huma.Param{Ref: "#/components/parameters/" + name} }

// commandOperation documents a command.
func (e *edge) commandOperation(spec commands.Spec) huma.Operation {
	schemas := e.huma.OpenAPI().Components.Schemas
	op := huma.Operation{
		OperationID: spec.Name, Method: http.MethodPost, Path: "/v1/commands/" + spec.Name, Tags: []string{spec.Step}, Summary: spec.Summary,
		Parameters: []*huma.Param{
			parameter("IdempotencyKey"), parameter("IfMatch"), parameter("ActAs"), parameter("CorrelationID"), parameter("CausationID"), parameter("TraceParent"),
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemas.Schema(spec.Request, true, spec.Name), Example: spec.Example},
		}},
		Responses: refersTo(commandProblems()),
	}
	answer := &huma.Schema{AllOf: []*huma.Schema{
		schemas.Schema(reflect.TypeFor[commands.Answer](), true, ""),
		{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"result": schemas.Schema(spec.Result, true, "")}},
	}}
	op.Responses["200"] = &huma.Response{
		Description: "Accepted: the events are durable",
		Headers: map[string]*huma.Param{
			"Ledger-Position":      {Description: "What a query's minPosition must be to show the outcome", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64"}},
			"Idempotency-Replayed": {Description: "true when this is the first answer again", Schema: &huma.Schema{Type: huma.TypeString}},
		},
		Content: map[string]*huma.MediaType{"application/json": {Schema: answer}},
	}
	return op
}

// query documents a query; huma adds the parameters and the schema of the answer.
func query(id, path, summary, description string, example any) huma.Operation {
	op := huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tagQueries}, Summary: summary, Description: description,
		Parameters: []*huma.Param{parameter("ActAs")}, Responses: refersTo(queryProblems()),
	}
	op.Responses["200"] = &huma.Response{Description: "The answer", Content: map[string]*huma.MediaType{"application/json": {Example: example}}}
	return op
}

// eventsOperation documents the pages of the log.
func (e *edge) eventsOperation() huma.Operation {
	op := query("listEvents", "/v1/events", "The log, page by page",
		"Events in the order of the log, each in the very bytes in which it was committed. A person gets the events to which their account is a party, and a page may be empty although there is a next. At the log's end next is empty; go on later after the answer's Ledger-Position.", nil)
	op.Tags = []string{tagEvents}
	op.Responses["200"].Content["application/json"] = &huma.MediaType{
		Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"items", "next"}, Properties: map[string]*huma.Schema{
			"items": {Type: huma.TypeArray, Items: eventSchema()},
			"next":  {Type: huma.TypeString, Description: "What after must be for the next page; empty at the log's end"},
		}},
		Example: map[string]any{"items": []any{exampleEvent()}, "next": "1"},
	}
	return op
}

// streamOperation documents the live stream.
func (e *edge) streamOperation() huma.Operation {
	op := query("streamEvents", "/v1/events/stream", "The log as it grows, as server-sent events",
		"id is the position, event the type, data the event in the very bytes in which it was committed. A comment comes every 15 seconds. A person gets the events to which their account is a party. Whoever reads too slowly is dropped and comes back with Last-Event-ID.", nil)
	op.Tags = []string{tagEvents}
	zero := 0.0
	op.Parameters = append(op.Parameters, parameter("LastEventID"),
		&huma.Param{Name: "after", In: "query", Description: "Position after which the stream begins; 0 is the log's beginning", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &zero}})
	for _, name := range []string{"stream", "type", "party"} {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Description: "Only such events, as in listEvents", Schema: &huma.Schema{Type: huma.TypeString}})
	}
	op.Responses["200"].Content = map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleStream}}
	return op
}

// eventSchema describes an event: CloudEvents 1.0, structured.
func eventSchema() *huma.Schema {
	text := func(description string) *huma.Schema {
		return &huma.Schema{Type: huma.TypeString, Description: description}
	}
	return &huma.Schema{
		Type: huma.TypeObject,
		Properties: map[string]*huma.Schema{
			"specversion": text("1.0"), "id": text("Unique in the log"), "source": text("The ledger"), "type": text("Wire name with its version"),
			"subject": text("The stream"), "time": text("When it was committed"), "datacontenttype": text("application/json"), "dataschema": text("Schema of the data"),
			"sequence": text("Position in the log"), "streamversion": text("Place in the stream"), "actor": text("Who acted"), "onbehalfof": text("For whom"),
			"commandid": text("The command that raised it"), "correlationid": text("The command's Ledger-Correlation-Id"), "causationid": text("The command's Ledger-Causation-Id"),
			"traceparent": text("The command's trace context"), "data": {Type: huma.TypeObject, AdditionalProperties: true, Description: "What happened"},
		},
		Required: []string{"specversion", "id", "source", "type", "subject", "time", "sequence", "streamversion", "commandid", "data"},
	}
}

// openOperation documents an operation that is open to everybody.
func openOperation(id, path, summary, media string, schema *huma.Schema, example any) huma.Operation {
	if schema == nil {
		schema = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
		if media != "application/json" {
			schema = &huma.Schema{Type: huma.TypeString}
		}
	}
	op := huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Tags: []string{tagOperations}, Summary: summary,
		Responses: refersTo([]int{http.StatusBadRequest, http.StatusInternalServerError})}
	op.Responses["200"] = &huma.Response{Description: "The answer", Content: map[string]*huma.MediaType{media: {Schema: schema, Example: example}}}
	return op
}

// readinessOperation documents the look at all parts, which answers the same body when the ledger is not ready.
func (e *edge) readinessOperation() huma.Operation {
	op := openOperation("getReadiness", "/readyz", "Whether the ledger is ready, and how far what follows the log is", "application/json", schemaOf[Readiness](e), exampleReadiness())
	op.Responses["503"] = &huma.Response{Description: "Not ready; problems tells why", Content: map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Readiness](e)}}}
	return op
}

// schemaOf is the schema of a type, by reference.
func schemaOf[T any](e *edge) *huma.Schema {
	return e.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// tidy says that lists are never null, which huma cannot know (it has a variable for that, but one for the whole process), and
// takes out patternDescription, which is huma's own and no part of JSON Schema.
func tidy(schema *huma.Schema) {
	if schema == nil {
		return
	}
	schema.PatternDescription = ""
	if schema.Type == huma.TypeArray {
		schema.Nullable = false
	}
	for _, property := range schema.Properties {
		tidy(property)
	}
	tidy(schema.Items)
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		tidy(values)
	}
}

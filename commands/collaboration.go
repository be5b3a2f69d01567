package commands

import (
	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// PairFields name the two accounts of a collaboration in a command's body.
type PairFields struct {
	ConsultancyID uuid.UUID `json:"consultancyId" format:"uuid" doc:"Account of the consultancy"`
	ClientID      uuid.UUID `json:"clientId" format:"uuid" doc:"Account of the client"`
}

func (p PairFields) pair() domain.Pair { return domain.Pair(p) }

// Check keeps an account from collaborating with itself.
func (p PairFields) Check() []domain.FieldError {
	if p.ConsultancyID == p.ClientID {
		return []domain.FieldError{{Field: "clientId", Rule: "must differ from consultancyId"}}
	}
	return nil
}

// SendMessage writes into the pair's conversation (S5). A client may write before it asks to collaborate.
type SendMessage struct {
	PairFields
	Body string `json:"body" minLength:"1" maxLength:"4000" doc:"What to say"`
}

// Decide asks the pair.
func (c SendMessage) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) {
		return g.Send(d.Actor, domain.MessageSent{MessageID: d.NewID(), Body: c.Body})
	})
}

// MarkConversationRead notes that the actor's side has read the conversation (S5).
type MarkConversationRead struct{ PairFields }

// Decide asks the pair.
func (c MarkConversationRead) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.MarkRead(d.Actor) })
}

// RequestCollaboration asks a consultancy to collaborate (S5).
type RequestCollaboration struct {
	PairFields
	Message string `json:"message" minLength:"1" maxLength:"4000" doc:"What the client needs"`
}

// RequestResult names what RequestCollaboration created.
type RequestResult struct {
	CollaborationID uuid.UUID `json:"collaborationId"`
	Engagement      int       `json:"engagement"`
}

// Decide asks the pair.
func (c RequestCollaboration) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Request(d.Actor, d.Now, c.Message) })
}

func requested(_ *Executor, _ RequestCollaboration, events []domain.Event) (RequestResult, error) {
	e, err := only[domain.CollaborationRequested](events)
	return RequestResult{CollaborationID: e.CollaborationID, Engagement: e.Engagement}, err
}

// AcceptCollaboration accepts a client's request (S5).
type AcceptCollaboration struct{ PairFields }

// Decide asks the pair.
func (c AcceptCollaboration) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Accept(d.Actor, d.Now) })
}

// DeclineCollaboration declines a client's request (H).
type DeclineCollaboration struct {
	PairFields
	ReasonCode domain.DeclineReason `json:"reasonCode" enum:"no_capacity,not_our_field,conflict_of_interest,left_for_good,other" doc:"Why; left_for_good is the ledger's own"`
}

// Decide asks the pair.
func (c DeclineCollaboration) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Decline(d.Actor, d.Now, c.ReasonCode) })
}

// WithdrawRequest takes a client's request back (B).
type WithdrawRequest struct{ PairFields }

// Decide asks the pair.
func (c WithdrawRequest) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Withdraw(d.Actor, d.Now) })
}

// ExpireRequest records that a request lapsed unanswered (B). Only the clock asks for it.
type ExpireRequest struct{ PairFields }

// Decide asks the pair.
func (c ExpireRequest) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.ExpireRequest(d.Actor, d.Now) })
}

// BlockClient keeps a client from writing and asking (H).
type BlockClient struct{ PairFields }

// Decide asks the pair.
func (c BlockClient) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Block(d.Actor, d.Now) })
}

// UnblockClient lets a client write and ask again (H).
type UnblockClient struct{ PairFields }

// Decide asks the pair.
func (c UnblockClient) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Unblock(d.Actor) })
}

// ConfigureKPINotifications is the actor's choice of the KPIs to be told of (S7).
type ConfigureKPINotifications struct {
	PairFields
	Sections []domain.Section `json:"sections" nullable:"false" maxItems:"6" enum:"sales,expenses,banking,inbox,contacts,journal" doc:"The chosen sections, each once; none means no notifications"`
}

// Decide asks the pair.
func (c ConfigureKPINotifications) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) {
		return g.ConfigureKPIs(d.Actor, d.Now, c.Sections)
	})
}

// AssignAccountManagers puts people of the consultancy in charge of the client (S8).
type AssignAccountManagers struct {
	PairFields
	UserIDs []uuid.UUID `json:"userIds" nullable:"false" minItems:"1" maxItems:"50" format:"uuid" doc:"The people, each once"`
}

// Decide asks the pair.
func (c AssignAccountManagers) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Assign(d.Actor, d.Now, c.UserIDs) })
}

// UnassignAccountManager ends a person's charge of the client (S8).
type UnassignAccountManager struct {
	PairFields
	UserID uuid.UUID `json:"userId" format:"uuid" doc:"The person"`
}

// Decide asks the pair.
func (c UnassignAccountManager) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.Unassign(d.Actor, d.Now, c.UserID) })
}

// EndCollaboration ends a collaboration, and with it all access (S11).
type EndCollaboration struct {
	PairFields
	Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"Why"`
}

// Decide asks the pair.
func (c EndCollaboration) Decide(d *Decision) error {
	return d.onPair(c.pair(), func(g domain.Engagement) ([]domain.Event, error) { return g.End(d.Actor, d.Now, c.Reason) })
}

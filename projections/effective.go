package projections

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// EffectiveAccess says what one person of a consultancy may do in one client's account at the moment of the query, and why.
type EffectiveAccess struct {
	CollaborationID uuid.UUID          `json:"collaborationId"`
	ConsultancyID   uuid.UUID          `json:"consultancyId"`
	ClientID        uuid.UUID          `json:"clientId"`
	ConsultancyName string             `json:"consultancyName"`
	ClientName      string             `json:"clientName"`
	UserID          uuid.UUID          `json:"userId"`
	UserName        string             `json:"userName,omitempty"` // of who is or was a member of the consultancy
	UserRole        domain.Role        `json:"userRole,omitempty"` // in the consultancy; left out for who is no member
	Plan            domain.Plan        `json:"plan"`               // of the client
	Access          *AccessTerms       `json:"access,omitempty"`   // the pair's latest grant
	RoleVersion     int                `json:"roleVersion"`        // of the grant's role; 0: there is no grant
	Obstacles       []Reason           `json:"obstacles"`          // why the person may use nothing, in the order in which a log-in is refused for them
	Sections        []EffectiveSection `json:"sections"`           // every section there is
}

// EffectiveSection says how much of one section the person may use.
type EffectiveSection struct {
	Section domain.Section `json:"section"`
	Level   domain.Level   `json:"level"`   // none, read or edit
	Granted domain.Level   `json:"granted"` // by the grant, whether or not it can be used
	Reasons []Reason       `json:"reasons"` // of the level: what permits it, or all that stands in its way
}

// Reason is why something is permitted or not.
type Reason struct {
	Code  string `json:"code"`            // granted, not_in_role, not_in_plan, or the code with which a log-in is refused
	State string `json:"state,omitempty"` // of what stands in the way, for example suspended
	Words string `json:"words"`           // one sentence
}

// EffectiveQuery names the person and the two accounts; all three must be given.
type EffectiveQuery struct {
	Consultancy, Client, User uuid.UUID
}

// standing is what the answer is made from, beside the rights.
type standing struct {
	rights
	answer            EffectiveAccess
	role              domain.Role // of the grant
	consultancyClosed time.Time   // zero: it is open
	clientClosed      time.Time
	status            RequestStatus
	lapsesAt          time.Time // of a pending request
	inCharge          bool      // of the client
}

// EffectiveAccess answers what one person may do in a client's account, section by section, and why. The parties see it.
func (e *Engine) EffectiveAccess(ctx context.Context, viewer Viewer, q EffectiveQuery) (answer EffectiveAccess, err error) {
	err = e.read(ctx, func(v view) error {
		answer, err = queryEffective(ctx, v, viewer, q)
		return err
	})
	return answer, err
}

func queryEffective(ctx context.Context, v view, viewer Viewer, q EffectiveQuery) (EffectiveAccess, error) {
	if err := viewer.mustBeSignedIn(); err != nil {
		return EffectiveAccess{}, err
	}
	for _, named := range []struct {
		field string
		id    uuid.UUID
	}{{"client", q.Client}, {"consultancy", q.Consultancy}, {"user", q.User}} {
		if named.id == uuid.Nil {
			return EffectiveAccess{}, domain.Invalid(named.field, "must be given: it takes a client, a consultancy and a person of the consultancy")
		}
	}
	var args arguments
	now, user := args.add(v.now.UnixMicro()), args.add(q.User)
	found, err := collect(ctx, v, `SELECT `+rightsColumns+`, g.grant_id, COALESCE(g.role_id, ''), COALESCE(g.role_version, 0),
			c.collaboration_id, c.consultancy_id, c.client_id, a.name, b.name, COALESCE(m.role, ''), COALESCE(u.name, ''),
			f.closed_at, p.closed_at, `+requestStatus(now)+`, r.expires_at, COALESCE(`+inCharge+`, FALSE)
		FROM {access_pairs} c `+rightsJoins+` JOIN {requests} r ON r.collaboration_id = c.collaboration_id
		JOIN {account_names} a ON a.account_id = c.consultancy_id JOIN {account_names} b ON b.account_id = c.client_id
		LEFT JOIN {access_grants} g ON g.grant_id = c.grant_id AND g.position > c.since
		LEFT JOIN {access_members} m ON m.account_id = c.consultancy_id AND m.user_id = `+user+`
		LEFT JOIN {access_managers} w ON w.collaboration_id = c.collaboration_id AND w.user_id = m.user_id
		LEFT JOIN {user_names} u ON u.user_id = m.user_id
		WHERE c.consultancy_id = `+args.add(q.Consultancy)+` AND c.client_id = `+args.add(q.Client)+` AND `+viewer.restrict(&args, "c.consultancy_id", "c.client_id"), args,
		func(scan func(...any) error) (standing, error) { return scanStanding(scan, v.now) })
	if err != nil {
		return EffectiveAccess{}, fmt.Errorf("query effective access: %w", err)
	}
	if len(found) == 0 { // who may not see it must not learn that it exists
		return EffectiveAccess{}, &domain.Error{
			Kind: domain.NotFound, Code: "collaboration_not_found",
			Detail: fmt.Sprintf("there is no collaboration of consultancy %s and client %s", q.Consultancy, q.Client),
		}
	}
	s := found[0]
	s.answer.UserID = q.User
	return s.explain(v.now), nil
}

func scanStanding(scan func(...any) error, now time.Time) (standing, error) {
	var s standing
	var grantID uuid.UUID
	answer := &s.answer
	err := scan(append(s.fields(), &grantID, &s.role, &answer.RoleVersion,
		&answer.CollaborationID, &answer.ConsultancyID, &answer.ClientID, &answer.ConsultancyName, &answer.ClientName, &answer.UserRole, &answer.UserName,
		until(&s.consultancyClosed), until(&s.clientClosed), &s.status, at(&s.lapsesAt), &s.inCharge)...)
	if err != nil {
		return s, err
	}
	answer.Plan = s.plan
	answer.Access = s.terms(grantID, s.role, now)
	return s, nil
}

// engagement is the pair as far as the domain looks at it to decide what the person may do.
func (s standing) engagement() domain.Engagement {
	account := func(id uuid.UUID, closedAt time.Time) *domain.Account {
		if closedAt.IsZero() {
			return &domain.Account{ID: id, Status: domain.AccountOpen}
		}
		return &domain.Account{ID: id, Status: domain.AccountOver}
	}
	g := domain.Engagement{
		Pair:        domain.Pair{ConsultancyID: s.answer.ConsultancyID, ClientID: s.answer.ClientID},
		Consultancy: account(s.answer.ConsultancyID, s.consultancyClosed), Client: account(s.answer.ClientID, s.clientClosed),
		Partnership:   &domain.Partnership{},
		Collaboration: &domain.Collaboration{Status: domain.CollaborationStatus(s.status), ExpiresAt: s.lapsesAt}, // in the users' words, unless it is active
	}
	if s.answer.UserRole != "" {
		g.Consultancy.Members = map[uuid.UUID]domain.Member{s.answer.UserID: {Role: s.answer.UserRole}}
	}
	if s.inCharge {
		g.Collaboration.Managers = map[uuid.UUID]bool{s.answer.UserID: true}
	}
	if s.inStanding {
		g.Partnership.Status = domain.PartnershipInStanding
	}
	if s.active {
		g.Collaboration.Status = domain.CollaborationActive
	}
	if s.granted > 0 {
		g.Collaboration.Grant = &s.grant
	}
	return g
}

// explain gives every section its level and the reasons of it. The domain says what stands in the way, as it would of a log-in.
func (s standing) explain(now time.Time) EffectiveAccess {
	answer := s.answer
	answer.Obstacles = []Reason{}
	for _, refusal := range s.engagement().Obstacles(domain.User(answer.ConsultancyID, answer.UserID), now) {
		answer.Obstacles = append(answer.Obstacles, s.reason(refusal))
	}
	effective := domain.Permissions{}
	if len(answer.Obstacles) == 0 {
		effective = s.grant.Permissions.Within(s.plan.Sections())
	}
	for _, section := range domain.Sections() {
		answer.Sections = append(answer.Sections, EffectiveSection{
			Section: section, Level: levelOf(effective, section), Granted: levelOf(s.grant.Permissions, section),
			Reasons: s.reasons(section, answer.Obstacles),
		})
	}
	return answer
}

func levelOf(p domain.Permissions, section domain.Section) domain.Level {
	if p.Includes(section, domain.Read) {
		return p[section]
	}
	return domain.None
}

// reason tells a refusal in a sentence that names what it is about.
func (s standing) reason(refusal *domain.Error) Reason {
	words := refusal.Detail
	if refusal.Code == "no_live_grant" && s.granted == 0 {
		words = "the client has granted no access"
	}
	return Reason{Code: refusal.Code, State: refusal.State, Words: strings.ToUpper(words[:1]) + words[1:] + "."}
}

// reasons is why a section has its level.
func (s standing) reasons(section domain.Section, obstacles []Reason) []Reason {
	reasons := slices.Clone(obstacles)
	if s.granted == 0 {
		return reasons
	}
	role := fmt.Sprintf("role %s, version %d, in grant %s", s.role, s.answer.RoleVersion, s.answer.Access.GrantID)
	switch granted := levelOf(s.grant.Permissions, section); {
	case granted == domain.None:
		return append(reasons, Reason{Code: "not_in_role", Words: "Nothing of it is permitted by " + role + "."})
	case !slices.Contains(s.plan.Sections(), section):
		return append(reasons, Reason{Code: "not_in_plan", State: string(s.plan), Words: fmt.Sprintf("The client's plan %s does not include it.", s.plan)})
	case len(obstacles) == 0:
		return []Reason{{Code: "granted", State: string(granted), Words: "Permitted by " + role + "."}}
	}
	return reasons
}

package projections

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// cast is who acts in a run, and what they have made.
type cast struct {
	*ledger
	consultancies, clients []firm
	managers               []domain.Actor // one of each consultancy
	invitations            []commands.AcceptInvitation
	invited                []domain.Actor
	sessions               []uuid.UUID
	tasks                  []uuid.UUID
}

// newCast begins with two consultancies and two clients; of these, the first two work together. Each client has a task.
func newCast(l *ledger) *cast {
	c := &cast{ledger: l}
	for _, name := range []string{"Vidal", "Ábaco"} {
		f := l.partner(name)
		invitation := l.do(f.owner, commands.InviteMember{
			AccountID: f.id, NewPerson: commands.NewPerson{Name: "Manager of " + name, Email: "manager@firm.example"}, Role: domain.RoleAccountManager,
		}).Result.(commands.InvitationResult)
		manager := domain.User(f.id, invitation.UserID)
		l.do(manager, commands.AcceptInvitation{AccountID: f.id, InvitationID: invitation.InvitationID})
		c.consultancies, c.managers = append(c.consultancies, f), append(c.managers, manager)
		c.clients = append(c.clients, l.business("Client of "+name))
	}
	first := pair(c.consultancies[0], c.clients[0])
	l.do(c.clients[0].owner, commands.RequestCollaboration{PairFields: first, Message: "Please"})
	l.do(c.consultancies[0].owner, commands.AcceptCollaboration{PairFields: first})
	end := l.now.Add(time.Hour)
	l.do(c.clients[0].owner, commands.GrantAccess{PairFields: first, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance, ExpiresAt: &end}})
	l.do(c.consultancies[0].owner, commands.AssignAccountManagers{PairFields: first, UserIDs: []uuid.UUID{c.managers[0].UserID}})
	for i, client := range c.clients {
		task := l.do(operator, commands.RaiseTask{
			ClientID: client.id, Section: domain.Sales, Title: "Categorise", ExternalRef: fmt.Sprint("first ", i), GoTo: "https://app.example/1",
		}).Result.(commands.TaskResult)
		c.tasks = append(c.tasks, task.TaskID)
	}
	return c
}

// scene is who and what a step is about.
type scene struct {
	step
	consultancy, client firm
	manager             domain.Actor
	pair                commands.PairFields
}

// take tries a step. Refusals are part of the play.
func (c *cast) take(s step) {
	sc := scene{step: s, consultancy: c.consultancies[s.consultancy], client: c.clients[s.client], manager: c.managers[s.consultancy]}
	sc.pair = pair(sc.consultancy, sc.client)
	c.now = c.now.Add(time.Second)
	actor, command := attempts()[s.action](c, sc)
	if command == nil {
		return
	}
	if s.stranger == 0 {
		actor = c.managers[s.choice%2]
	}
	answer, err := c.try(actor, command)
	if err != nil {
		require.NotEqual(c.t, domain.Internal, domain.AsError(err).Kind, "%T: %v", command, err)
		return
	}
	switch result := answer.Result.(type) {
	case commands.InvitationResult:
		account := command.(commands.InviteMember).AccountID
		c.invitations = append(c.invitations, commands.AcceptInvitation{AccountID: account, InvitationID: result.InvitationID})
		c.invited = append(c.invited, domain.User(account, result.UserID))
	case commands.SessionResult:
		c.sessions = append(c.sessions, result.SessionID)
	case commands.TaskResult:
		c.tasks = append(c.tasks, result.TaskID)
	}
}

// clockActor records what the clock has ended.
var clockActor = domain.Actor{Kind: domain.ActorSystem, Name: "clock"}

// roles are what grants are given with, and what members are.
var (
	grantRoles  = []domain.Role{domain.RoleSales, domain.RoleFinance, domain.RoleHR, domain.RoleAdministrator, domain.RoleCRM}
	memberRoles = []domain.Role{domain.RoleAccountManager, domain.RoleAdministrator}
)

// oneOf picks by a step's choice; it is the zero value when there is nothing to pick.
func oneOf[T any](choice int, of []T) T {
	var none T
	if len(of) == 0 {
		return none
	}
	return of[choice%len(of)]
}

// attempts is what a step can try: who is likely to be allowed to, and what. Without a command it lets time pass.
func attempts() []func(*cast, scene) (domain.Actor, commands.Command) {
	return slices.Concat(conversations(), accesses(), dailyWork(), firms(), partnerships())
}

func conversations() []func(*cast, scene) (domain.Actor, commands.Command) {
	return []func(*cast, scene) (domain.Actor, commands.Command){
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.SendMessage{PairFields: s.pair, Body: fmt.Sprint("Question ", s.choice)}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.SendMessage{PairFields: s.pair, Body: fmt.Sprint("Answer ", s.choice)}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.MarkConversationRead{PairFields: s.pair}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.MarkConversationRead{PairFields: s.pair}
		},
		ask, ask, accept, accept,
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.DeclineCollaboration{PairFields: s.pair, ReasonCode: domain.DeclinedOther}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.WithdrawRequest{PairFields: s.pair}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.BlockClient{PairFields: s.pair}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.UnblockClient{PairFields: s.pair}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.EndCollaboration{PairFields: s.pair, Reason: "Done"}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			c.now = c.now.Add(oneOf(s.choice, []time.Duration{time.Minute, time.Hour, 30 * 24 * time.Hour, domain.RequestLasts}))
			return domain.Actor{}, nil
		},
	}
}

func ask(_ *cast, s scene) (domain.Actor, commands.Command) {
	return s.client.owner, commands.RequestCollaboration{PairFields: s.pair, Message: fmt.Sprint("Request ", s.choice)}
}

func accept(_ *cast, s scene) (domain.Actor, commands.Command) {
	return s.consultancy.owner, commands.AcceptCollaboration{PairFields: s.pair}
}

func accesses() []func(*cast, scene) (domain.Actor, commands.Command) {
	return []func(*cast, scene) (domain.Actor, commands.Command){
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.RequestAccess{PairFields: s.pair, SuggestedRole: oneOf(s.choice, grantRoles), Purpose: "Closing"}
		},
		grant, grant,
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.ChangeAccess{PairFields: s.pair, GrantTerms: commands.GrantTerms{RoleID: oneOf(s.choice, grantRoles)}}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.RevokeAccess{PairFields: s.pair}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.SuspendAccess{PairFields: s.pair}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.ResumeAccess{PairFields: s.pair}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.ExtendAccess{PairFields: s.pair, ExpiresAt: c.now.Add(time.Duration(s.choice) * time.Hour)}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.AttestAccess{PairFields: s.pair}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return clockActor, oneOf(s.choice, []commands.Command{
				commands.ExpireAccess{PairFields: s.pair}, commands.ExpireRequest{PairFields: s.pair}, commands.RemindGrantEnds{PairFields: s.pair},
				commands.ExpireSession{SessionID: oneOf(s.choice, c.sessions)},
			})
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.ConfigureKPINotifications{PairFields: s.pair, Sections: domain.TaskSections()[:s.choice%4]}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.AssignAccountManagers{PairFields: s.pair, UserIDs: []uuid.UUID{s.manager.UserID}}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.UnassignAccountManager{PairFields: s.pair, UserID: s.manager.UserID}
		},
	}
}

// grant gives access for good, or for a while.
func grant(c *cast, s scene) (domain.Actor, commands.Command) {
	terms := commands.GrantTerms{RoleID: oneOf(s.choice, grantRoles)}
	if s.choice%2 == 0 {
		end := c.now.Add(time.Hour)
		terms.ExpiresAt = &end
	}
	return s.client.owner, commands.GrantAccess{PairFields: s.pair, GrantTerms: terms}
}

func dailyWork() []func(*cast, scene) (domain.Actor, commands.Command) {
	return []func(*cast, scene) (domain.Actor, commands.Command){
		logIn, logIn,
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.manager, commands.OpenClientAccount{PairFields: s.pair}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.CloseClientAccount{SessionID: oneOf(s.choice, c.sessions)}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			due := c.now.Add(time.Duration(s.choice-50) * time.Hour)
			return operator, commands.RaiseTask{
				ClientID: s.client.id, Section: oneOf(s.choice, domain.TaskSections()), Title: "Categorise", ExternalRef: fmt.Sprint(s.choice),
				GoTo: "https://app.example/1", DueAt: &due,
			}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return oneOf(s.choice, []domain.Actor{s.consultancy.owner, s.client.owner, s.manager}), commands.CompleteTask{TaskID: oneOf(s.choice, c.tasks)}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return oneOf(s.choice, []domain.Actor{s.consultancy.owner, s.client.owner, s.manager}), commands.MarkNotificationsRead{UpTo: int64(s.choice + 1)}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.ReopenTask{TaskID: oneOf(s.choice, c.tasks)}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.CancelTask{TaskID: oneOf(s.choice, c.tasks)}
		},
	}
}

func logIn(_ *cast, s scene) (domain.Actor, commands.Command) {
	return s.consultancy.owner, commands.OpenClientAccount{PairFields: s.pair, Purpose: "Closing"}
}

func firms() []func(*cast, scene) (domain.Actor, commands.Command) {
	return []func(*cast, scene) (domain.Actor, commands.Command){
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.UpdateAccountDetails{AccountID: s.client.id, AccountDetails: details(fmt.Sprint("Renamed ", s.choice))}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			plan := oneOf(s.choice, []domain.Plan{domain.PlanFree, domain.PlanBasic, domain.PlanAdvanced, domain.PlanPremium})
			return operator, commands.RecordSubscription{AccountID: s.client.id, Plan: plan, Status: domain.Current}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.InviteMember{
				AccountID: s.consultancy.id, Role: oneOf(s.choice, memberRoles),
				NewPerson: commands.NewPerson{Name: fmt.Sprint("Person ", s.choice), Email: fmt.Sprintf("person%d@firm.example", s.choice)},
			}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return oneOf(s.choice, c.invited), oneOf(s.choice, c.invitations)
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.ChangeMemberRole{AccountID: s.consultancy.id, UserID: s.manager.UserID, Role: oneOf(s.choice, memberRoles)}
		},
		func(c *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.RemoveMember{AccountID: s.consultancy.id, UserID: oneOf(s.choice, append(c.invited, s.manager)).UserID}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.TransferOwnership{AccountID: s.consultancy.id, UserID: s.manager.UserID}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.client.owner, commands.CreateRole{AccountID: s.client.id, RoleTerms: commands.RoleTerms{
				Name: fmt.Sprint("Role ", s.choice), Permissions: domain.Permissions{domain.Journal: domain.Read},
			}}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.SubmitProfile{ConsultancyID: s.consultancy.id, Profile: profile(fmt.Sprint("Firm ", s.choice))}
		},
		review, review,
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return operator, commands.RejectProfile{ConsultancyID: s.consultancy.id, Revision: 2 + s.choice%3, ReasonCode: "incomplete"}
		},
	}
}

// partnerships is how a consultancy stands with the programme.
func partnerships() []func(*cast, scene) (domain.Actor, commands.Command) {
	return []func(*cast, scene) (domain.Actor, commands.Command){
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return operator, commands.SuspendPartnership{ConsultancyID: s.consultancy.id, Reason: domain.SuspendedForBreach}
		},
		reinstate, reinstate,
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			if s.choice%4 != 0 {
				return reinstate(nil, s)
			}
			return operator, commands.TerminatePartnership{ConsultancyID: s.consultancy.id, Reason: "terms_breached"}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.ApplyForPartnership{ConsultancyID: s.consultancy.id}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.WithdrawApplication{ConsultancyID: s.consultancy.id}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return operator, commands.AcceptPartnership{ConsultancyID: s.consultancy.id}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.UnlistProfile{ConsultancyID: s.consultancy.id}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			return s.consultancy.owner, commands.RelistProfile{ConsultancyID: s.consultancy.id}
		},
		func(_ *cast, s scene) (domain.Actor, commands.Command) {
			if s.choice%20 != 0 {
				return domain.Actor{}, nil // it is for good, so let it be rare
			}
			closed := oneOf(s.choice/20, []firm{s.consultancy, s.client})
			return closed.owner, commands.CloseAccount{AccountID: closed.id}
		},
	}
}

func reinstate(_ *cast, s scene) (domain.Actor, commands.Command) {
	return operator, commands.ReinstatePartnership{ConsultancyID: s.consultancy.id}
}

func review(_ *cast, s scene) (domain.Actor, commands.Command) {
	return operator, commands.ApproveProfile{ConsultancyID: s.consultancy.id, Revision: 2 + s.choice%3}
}

// compareInbox holds every line of every inbox to what the domain makes of the pair's stream.
func (c *cast) compareInbox(engine *Engine) {
	for _, consultancy := range c.consultancies {
		for _, item := range inboxOf(c.t, engine, consultancy, RequestsQuery{}) {
			state := stateOf[domain.Collaboration](c.ledger, domain.CollaborationStream, item.CollaborationID)
			require.Equal(c.t, state.Messages-state.ReadUpTo[domain.ConsultancySide], item.Unread)
			require.Equal(c.t, state.Engagement, item.Engagement)
			require.Equal(c.t, inboxStatus(state, c.now), item.Status)
		}
	}
}

// inboxStatus is a pair's status in the words of the inbox.
func inboxStatus(state *domain.Collaboration, now time.Time) RequestStatus {
	if state.Blocked {
		return RequestBlocked
	}
	return map[domain.CollaborationStatus]RequestStatus{
		domain.CollaborationEnquiry: RequestEnquiry, domain.CollaborationPending: RequestPending, domain.CollaborationActive: RequestApproved,
		domain.CollaborationRefused: RequestDeclined, domain.CollaborationWithdrawn: RequestCancelled, domain.CollaborationExpired: RequestCancelled,
		domain.CollaborationOver: RequestEnded,
	}[state.StatusAt(now)]
}

// compareDirectory holds the directory to what the domain lists.
func (c *cast) compareDirectory(engine *Engine) {
	page, err := engine.Directory(c.t.Context(), Viewer{}, DirectoryQuery{})
	require.NoError(c.t, err)
	listed := map[uuid.UUID]domain.Profile{}
	for _, item := range page.Items {
		listed[item.ConsultancyID] = item.Profile
	}
	want := map[uuid.UUID]domain.Profile{}
	for _, f := range c.consultancies {
		partnership := stateOf[domain.Partnership](c.ledger, domain.PartnershipStream, f.id)
		account := stateOf[domain.Account](c.ledger, domain.AccountStream, f.id)
		if partnership.Listed() && account.Status != domain.AccountOver {
			want[f.id] = partnership.Revisions[partnership.Published-1].Profile
		}
	}
	require.Equal(c.t, want, listed)
}

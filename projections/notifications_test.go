package projections

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
	"github.com/collabledger/collabledger/eventstore"
)

// told asks for a person's notifications; the query must succeed.
func (w *world) told(person domain.Actor, q NotificationsQuery) NotificationsPage {
	w.t.Helper()
	page, err := w.engine.Notifications(w.settled(), ViewerFor(person), q)
	require.NoError(w.t, err)
	return page
}

// office is a consultancy and a client with everybody who can be told of anything, and some who cannot.
type office struct {
	*world
	vidal, soler             firm
	admin, manager, spare    domain.Actor // of the consultancy; the spare account manager is in charge of nobody
	clientAdmin, clientSales domain.Actor
	pair                     commands.PairFields
	looked                   int64 // position
}

func newOffice(w *world) *office {
	w.t.Helper()
	o := &office{world: w, vidal: w.partner("Vidal"), soler: w.client("Soler", domain.PlanBasic)}
	o.admin, o.manager = w.join(o.vidal, "Admin", domain.RoleAdministrator), w.join(o.vidal, "Manager", domain.RoleAccountManager)
	o.spare = w.join(o.vidal, "Spare", domain.RoleAccountManager)
	o.clientAdmin, o.clientSales = w.join(o.soler, "Client admin", domain.RoleAdministrator), w.join(o.soler, "Client sales", domain.RoleSales)
	o.pair = pair(o.vidal, o.soler)
	return o
}

// everybody maps all people of an office to what a test calls them.
func (o *office) everybody() map[string]domain.Actor {
	return map[string]domain.Actor{
		"owner": o.vidal.owner, "admin": o.admin, "manager": o.manager, "spare": o.spare,
		"client": o.soler.owner, "client admin": o.clientAdmin, "client sales": o.clientSales,
	}
}

// news tells by name what each person has been told of since everybody looked last.
func (o *office) news() map[string][]string {
	o.t.Helper()
	all := map[string][]string{}
	for name, person := range o.everybody() {
		for _, item := range o.told(person, NotificationsQuery{}).Items {
			if item.Position > o.looked {
				all[name] = append(all[name], item.Title)
			}
		}
	}
	return all
}

// look has everybody look at what there is.
func (o *office) look() {
	o.t.Helper()
	head, err := o.store.Head(o.t.Context())
	require.NoError(o.t, err)
	o.looked = head.Position
}

// all is the same title for each of some people.
func all(title string, names ...string) map[string][]string {
	told := map[string][]string{}
	for _, name := range names {
		told[name] = []string{title}
	}
	return told
}

// TestWhoIsToldOfWhat goes through what can happen between two firms, step by step: who is told, and that nobody else is.
func TestWhoIsToldOfWhat(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		o.look()
		end := w.now.Add(31 * 24 * time.Hour)
		later := end.Add(24 * time.Hour)
		steps := []struct {
			name string
			do   func()
			told map[string][]string
		}{
			{"an enquiry", func() { w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: "Hello?"}) }, all("Message from Soler", "owner", "admin")},
			{"its answer", func() { w.do(o.admin, commands.SendMessage{PairFields: o.pair, Body: "Hello!"}) }, all("Message from Vidal", "client", "client admin")},
			{"a request", func() { w.do(o.clientAdmin, commands.RequestCollaboration{PairFields: o.pair, Message: "Please"}) }, all("Request from Soler", "owner", "admin")},
			{"its refusal", func() {
				w.do(o.vidal.owner, commands.DeclineCollaboration{PairFields: o.pair, ReasonCode: domain.DeclinedNoCapacity})
			}, all("Vidal declined your request", "client", "client admin")},
			{"another request", func() { w.do(o.soler.owner, commands.RequestCollaboration{PairFields: o.pair, Message: "Please"}) }, all("New request from Soler", "owner", "admin")},
			{"its lapse", func() {
				w.pass(domain.RequestLasts)
				w.do(clockActor, commands.ExpireRequest{PairFields: o.pair})
				end, later = w.now.Add(31*24*time.Hour), w.now.Add(32*24*time.Hour)
			}, all("Your request to Vidal lapsed", "client", "client admin")},
			{"one more request", func() { w.do(o.soler.owner, commands.RequestCollaboration{PairFields: o.pair, Message: "Please"}) }, all("New request from Soler", "owner", "admin")},
			{"acceptance", func() { w.do(o.vidal.owner, commands.AcceptCollaboration{PairFields: o.pair}) }, all("Vidal accepted your request", "client", "client admin")},
			{"assignment", func() { w.assign(o.vidal, o.pair, o.manager) }, all("You are in charge of Soler", "manager")},
			{"assignment of oneself", func() {
				w.do(o.admin, commands.AssignAccountManagers{PairFields: o.pair, UserIDs: []uuid.UUID{o.admin.UserID}})
			}, all("")},
			{"access asked for", func() {
				w.do(o.manager, commands.RequestAccess{PairFields: o.pair, SuggestedRole: domain.RoleSales, Purpose: "Closing"})
			}, all("Vidal asks for access", "client", "client admin")},
			{"access granted", func() { w.grant(o.soler, o.pair, domain.RoleSales, end) }, all("Access to Soler granted", "owner", "admin", "manager")},
			{"access changed", func() {
				w.do(o.soler.owner, commands.ChangeAccess{PairFields: o.pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance, ExpiresAt: &end}})
			}, all("Access to Soler changed", "owner", "admin", "manager")},
			{"access extended", func() { w.do(o.soler.owner, commands.ExtendAccess{PairFields: o.pair, ExpiresAt: later}) }, all("Access to Soler extended", "owner", "admin", "manager")},
			{"access suspended by the client", func() { w.do(o.clientAdmin, commands.SuspendAccess{PairFields: o.pair}) }, all("Access to Soler suspended", "owner", "admin", "manager")},
			{"access resumed", func() { w.do(o.clientAdmin, commands.ResumeAccess{PairFields: o.pair}) }, all("Access to Soler resumed", "owner", "admin", "manager")},
			{"access suspended by the consultancy", func() { w.do(o.vidal.owner, commands.SuspendAccess{PairFields: o.pair}) }, all("Access to Soler suspended", "admin", "manager")},
			{"access resumed once more", func() { w.do(o.soler.owner, commands.ResumeAccess{PairFields: o.pair}) }, all("Access to Soler resumed", "owner", "admin", "manager")},
			{"a reminder", func() {
				w.pass(25 * 24 * time.Hour)
				w.do(clockActor, commands.RemindGrantEnds{PairFields: o.pair})
			}, all("Access of Vidal to Soler ends soon", "owner", "admin", "client", "client admin")},
			{"access expired", func() {
				w.pass(7 * 24 * time.Hour)
				w.do(clockActor, commands.ExpireAccess{PairFields: o.pair})
			}, all("Access to Soler expired", "owner", "admin", "manager")},
			{"access granted again", func() { w.grant(o.soler, o.pair, domain.RoleSales) }, all("Access to Soler granted", "owner", "admin", "manager")},
			{"access revoked", func() { w.do(o.soler.owner, commands.RevokeAccess{PairFields: o.pair}) }, all("Access to Soler revoked", "owner", "admin", "manager")},
			{"unassignment", func() {
				w.do(o.vidal.owner, commands.UnassignAccountManager{PairFields: o.pair, UserID: o.manager.UserID})
			}, all("You are no longer in charge of Soler", "manager")},
			{"assignment again", func() { w.assign(o.vidal, o.pair, o.manager) }, all("You are in charge of Soler", "manager")},
			{"what concerns nobody", func() {
				w.do(o.vidal.owner, commands.MarkConversationRead{PairFields: o.pair})
				w.do(o.vidal.owner, commands.ConfigureKPINotifications{PairFields: o.pair, Sections: domain.TaskSections()})
				w.do(o.vidal.owner, commands.InviteMember{AccountID: o.vidal.id, NewPerson: commands.NewPerson{Name: "New", Email: "new@firm.example"}, Role: domain.RoleAdministrator})
			}, all("")},
			{"the end, by the client", func() { w.do(o.soler.owner, commands.EndCollaboration{PairFields: o.pair, Reason: "Done"}) }, map[string][]string{
				"owner":   {"Collaboration of Vidal and Soler ended"},
				"admin":   {"Collaboration of Vidal and Soler ended", "You are no longer in charge of Soler"},
				"manager": {"Collaboration of Vidal and Soler ended", "You are no longer in charge of Soler"},
			}},
			{"a request after the end", func() { w.do(o.soler.owner, commands.RequestCollaboration{PairFields: o.pair, Message: "Please"}) }, all("New request from Soler", "owner", "admin")},
			{"its acceptance", func() { w.do(o.admin, commands.AcceptCollaboration{PairFields: o.pair}) }, all("Vidal accepted your request", "client", "client admin")},
			{"access in the next engagement", func() { w.grant(o.soler, o.pair, domain.RoleSales) }, all("Access to Soler granted", "owner", "admin")},
			{"the end, by the consultancy", func() {
				w.assign(o.vidal, o.pair, o.manager)
				o.look()
				w.do(o.admin, commands.EndCollaboration{PairFields: o.pair, Reason: "Done"})
			}, map[string][]string{
				"owner":   {"Access to Soler revoked"},
				"manager": {"Collaboration of Vidal and Soler ended", "You are no longer in charge of Soler", "Access to Soler revoked"},
				"client":  {"Collaboration of Vidal and Soler ended"}, "client admin": {"Collaboration of Vidal and Soler ended"},
			}},
			{"a revision of the profile, published", func() {
				w.do(o.vidal.owner, commands.SubmitProfile{ConsultancyID: o.vidal.id, Profile: profile("Vidal & Co")})
				w.do(operator, commands.ApproveProfile{ConsultancyID: o.vidal.id, Revision: 2})
			}, all("Profile published", "owner", "admin")},
			{"a revision of the profile, sent back", func() {
				w.do(o.vidal.owner, commands.SubmitProfile{ConsultancyID: o.vidal.id, Profile: profile("Vidal")})
				w.do(operator, commands.RejectProfile{ConsultancyID: o.vidal.id, Revision: 3, ReasonCode: "misleading"})
			}, all("Profile sent back", "owner", "admin")},
			{"suspension", func() {
				w.do(operator, commands.SuspendPartnership{ConsultancyID: o.vidal.id, Reason: domain.SuspendedForBreach})
			}, all("Partnership suspended", "owner", "admin")},
			{"reinstatement", func() { w.do(operator, commands.ReinstatePartnership{ConsultancyID: o.vidal.id}) }, all("Partnership reinstated", "owner", "admin")},
			{"termination", func() {
				w.do(operator, commands.TerminatePartnership{ConsultancyID: o.vidal.id, Reason: "terms_breached"})
			}, all("Partnership terminated", "owner", "admin")},
			{"an application, refused", func() {
				w.do(o.vidal.owner, commands.ApplyForPartnership{ConsultancyID: o.vidal.id})
				w.do(operator, commands.RejectPartnership{ConsultancyID: o.vidal.id, ReasonCode: "incomplete"})
			}, all("Application refused", "owner", "admin")},
			{"an application, accepted", func() {
				w.do(o.vidal.owner, commands.ApplyForPartnership{ConsultancyID: o.vidal.id})
				w.do(operator, commands.AcceptPartnership{ConsultancyID: o.vidal.id})
			}, all("Application accepted", "owner", "admin")},
		}
		for _, step := range steps {
			step.do()
			require.Equal(t, step.told, o.news(), step.name)
			o.look()
		}
	})
}

// TestATaskIsToldToThoseWhoChoseItsSection: as far as the live grant shows it, in the active collaboration (S7, invariants 1, 2, 5).
func TestATaskIsToldToThoseWhoChoseItsSection(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		w.collaborate(o.vidal, o.soler)
		w.grant(o.soler, o.pair, domain.RoleFinance)
		w.assign(o.vidal, o.pair, o.manager)
		w.assign(o.vidal, o.pair, o.spare)
		choose := func(who domain.Actor, sections ...domain.Section) {
			w.do(who, commands.ConfigureKPINotifications{PairFields: o.pair, Sections: append([]domain.Section{}, sections...)})
		}
		told := func(section domain.Section, want map[string][]string, why string) {
			t.Helper()
			o.look()
			w.task(o.soler, section, "Categorise")
			require.Equal(t, want, o.news(), why)
		}
		nobody, task := all(""), "Task of Soler"
		told(domain.Sales, nobody, "nobody has chosen anything")

		choose(o.vidal.owner, domain.Sales, domain.Journal)
		choose(o.manager, domain.Sales)
		choose(o.spare, domain.Sales)
		choose(o.admin)
		told(domain.Sales, all(task, "owner", "manager", "spare"), "those who chose sales")
		told(domain.Journal, all(task, "owner"), "the one who chose the journal")
		told(domain.Banking, nobody, "nobody chose banking")
		w.do(o.vidal.owner, commands.UnassignAccountManager{PairFields: o.pair, UserID: o.spare.UserID})
		told(domain.Sales, all(task, "owner", "manager"), "who is not in charge any more is not told")
		choose(o.manager, domain.Banking)
		told(domain.Sales, all(task, "owner"), "a choice replaces the one before")

		raised := w.task(o.soler, domain.Sales, "Reconcile")
		w.do(o.soler.owner, commands.CompleteTask{TaskID: raised})
		o.look()
		w.do(o.soler.owner, commands.ReopenTask{TaskID: raised})
		item := o.told(o.vidal.owner, NotificationsQuery{}).Items[0]
		require.Equal(t, "Task of Soler pending again", item.Title)
		require.Equal(t, "Owner of Soler (Soler) made the task “Reconcile” in sales of Soler pending again.", item.Body)
		require.Equal(t, raised, item.TaskID)
		require.Equal(t, "https://app.example/1", item.GoTo)

		w.do(o.soler.owner, commands.ChangeAccess{PairFields: o.pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleSales}})
		told(domain.Journal, nobody, "the grant does not show the journal any more")
		w.do(operator, commands.SuspendPartnership{ConsultancyID: o.vidal.id, Reason: domain.SuspendedForBreach})
		told(domain.Sales, nobody, "the partnership is suspended")
		w.do(operator, commands.ReinstatePartnership{ConsultancyID: o.vidal.id})
		w.do(o.soler.owner, commands.SuspendAccess{PairFields: o.pair})
		told(domain.Sales, nobody, "the grant is suspended")
		w.do(o.soler.owner, commands.ResumeAccess{PairFields: o.pair})
		told(domain.Sales, all(task, "owner"), "the grant is live again")
		until := w.now.Add(time.Hour)
		w.do(o.soler.owner, commands.ChangeAccess{PairFields: o.pair, GrantTerms: commands.GrantTerms{RoleID: domain.RoleFinance, ExpiresAt: &until}})
		w.do(operator, commands.RecordSubscription{AccountID: o.soler.id, Plan: domain.PlanFree, Status: domain.Current})
		told(domain.Journal, nobody, "the client's plan has no journal")
		w.pass(time.Hour)
		told(domain.Sales, nobody, "the grant has reached its end, recorded or not")

		w.do(o.soler.owner, commands.EndCollaboration{PairFields: o.pair, Reason: "Done"})
		told(domain.Sales, nobody, "the collaboration has ended")
		w.collaborate(o.vidal, o.soler)
		w.grant(o.soler, o.pair, domain.RoleSales)
		told(domain.Sales, nobody, "a new engagement revives no choice")
		choose(o.admin, domain.Sales)
		told(domain.Sales, all(task, "admin"), "it takes a new one")
	})
}

func TestANotificationSaysWhatHappenedAndWhereItLeads(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		asked := w.do(o.soler.owner, commands.RequestCollaboration{PairFields: o.pair, Message: "Please keep our books."})
		page := o.told(o.admin, NotificationsQuery{Unread: true})
		require.Equal(t, NotificationsPage{Unread: 1, Page: Page[NotificationItem]{Items: []NotificationItem{{
			Position: asked.Position, At: w.now, Kind: "collaboration.CollaborationRequested.v1",
			Title: "Request from Soler", Body: "Owner of Soler (Soler) asked Vidal to collaborate: “Please keep our books.”",
			ConsultancyID: o.vidal.id, ConsultancyName: "Vidal", ClientID: o.soler.id, ClientName: "Soler",
			CollaborationID: domain.Pair(o.pair).CollaborationID(),
		}}}}, page)

		newest := o.told(o.vidal.owner, NotificationsQuery{}).Items
		require.Equal(t, "Profile published", newest[1].Title)
		require.Equal(t, "The service operator published the profile of Vidal.", newest[1].Body)
		require.Zero(t, newest[1].ClientID)
		require.Zero(t, newest[1].CollaborationID, "it is about the consultancy alone")
	})
}

func TestAListIsReadUpToAPosition(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		var positions []int64
		for i := range 3 {
			positions = append(positions, w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: fmt.Sprint(i)}).Position)
		}
		require.Equal(t, 3, o.told(o.admin, NotificationsQuery{}).Unread)
		w.do(o.admin, commands.MarkNotificationsRead{UpTo: positions[1]})
		page := o.told(o.admin, NotificationsQuery{})
		require.Equal(t, 1, page.Unread)
		require.Equal(t, []bool{false, true, true}, []bool{page.Items[0].Read, page.Items[1].Read, page.Items[2].Read})
		unread := o.told(o.admin, NotificationsQuery{Unread: true})
		require.Equal(t, page.Items[:1], unread.Items)
		require.Equal(t, 1, unread.Unread)

		w.do(o.admin, commands.MarkNotificationsRead{UpTo: positions[0]})
		require.Equal(t, 1, o.told(o.admin, NotificationsQuery{}).Unread, "nothing becomes unread again")
		require.Equal(t, 5, o.told(o.vidal.owner, NotificationsQuery{}).Unread, "the owner has read nothing, and was told of the reviews before")
	})
}

func TestAListHasPagesTheNewestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		for i := range 5 {
			w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: fmt.Sprint(i)})
		}
		whole := o.told(o.admin, NotificationsQuery{})
		require.Len(t, whole.Items, 5)
		var pieces []NotificationItem
		q := NotificationsQuery{Unread: true, Paging: Paging{Limit: 2}}
		for {
			page := o.told(o.admin, q)
			require.Equal(t, 5, page.Unread, "all that is unread, on every page")
			pieces = append(pieces, page.Items...)
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		require.Equal(t, whole.Items, pieces)
		require.Greater(t, pieces[0].Position, pieces[4].Position)
	})
}

func TestAListBelongsToOnePersonOfOneFirm(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: "Hello?"})
		require.NotEmpty(t, o.told(o.admin, NotificationsQuery{}).Items)
		for who, person := range map[string]domain.Actor{
			"a member whom it does not concern": o.spare, "the other side": o.clientAdmin,
			"the same person for another firm": domain.User(o.soler.id, o.admin.UserID), "a stranger": domain.User(o.vidal.id, uuid.New()),
		} {
			page := o.told(person, NotificationsQuery{})
			require.Empty(t, page.Items, who)
			require.Zero(t, page.Unread, who)
		}
		_, err := w.engine.Notifications(w.settled(), staff, NotificationsQuery{})
		require.True(t, domain.HasCode(err, "member_required"), err)
		_, err = w.engine.Notifications(w.settled(), Viewer{}, NotificationsQuery{})
		require.True(t, domain.HasCode(err, "unauthenticated"), err)
		for field, q := range map[string]NotificationsQuery{
			"limit": {Paging: Paging{Limit: MaxPageItems + 1}}, "cursor": {Paging: Paging{Cursor: "?"}},
		} {
			_, err := w.engine.Notifications(w.settled(), ViewerFor(o.admin), q)
			require.Error(t, err, field)
			require.Equal(t, field, domain.AsError(err).Fields[0].Field)
		}
	})
}

// TestWhoComesLateOrLeaves: what was told before is neither given to those who come nor left to those who go.
func TestWhoComesLateOrLeaves(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		say := func(body string) { w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: body}) }
		say("before")
		late := w.join(o.vidal, "Late", domain.RoleAdministrator)
		w.do(o.vidal.owner, commands.ChangeMemberRole{AccountID: o.vidal.id, UserID: o.spare.UserID, Role: domain.RoleAdministrator})
		require.Empty(t, o.told(late, NotificationsQuery{}).Items)
		say("after")
		require.Len(t, o.told(late, NotificationsQuery{}).Items, 1)
		require.Len(t, o.told(o.spare, NotificationsQuery{}).Items, 1, "by their new role")
		require.Len(t, o.told(o.admin, NotificationsQuery{}).Items, 2)

		w.do(o.vidal.owner, commands.ChangeMemberRole{AccountID: o.vidal.id, UserID: o.admin.UserID, Role: domain.RoleAccountManager})
		say("to the others")
		require.Len(t, o.told(o.admin, NotificationsQuery{}).Items, 2, "what they were told stays theirs, and nothing comes")
		w.do(o.vidal.owner, commands.RemoveMember{AccountID: o.vidal.id, UserID: late.UserID})
		say("to who is left")
		require.Empty(t, o.told(late, NotificationsQuery{}).Items)
		require.Len(t, o.told(o.spare, NotificationsQuery{}).Items, 3)
		w.do(o.vidal.owner, commands.TransferOwnership{AccountID: o.vidal.id, UserID: o.spare.UserID})
		say("to the new owner")
		require.Len(t, o.told(o.spare, NotificationsQuery{}).Items, 4)
	})
}

// TestAListHoldsTheNewest: however much comes, in one page of the log or in several.
func TestAListHoldsTheNewest(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		for _, messages := range []int{MaxNotifications - 1, 1, 1, MaxNotifications + 7} {
			last := w.sayOften(o.pair, messages)
			page := o.told(o.admin, NotificationsQuery{Unread: true, Paging: Paging{Limit: 1}})
			require.Equal(t, last, page.Items[0].Position)
		}
		page := o.told(o.admin, NotificationsQuery{Paging: Paging{Limit: MaxPageItems}})
		require.Equal(t, MaxNotifications, page.Unread)
		head, err := w.store.Head(t.Context())
		require.NoError(t, err)
		var got []int64
		for {
			for _, item := range page.Items {
				got = append(got, item.Position)
			}
			if page.Next == "" {
				break
			}
			page = o.told(o.admin, NotificationsQuery{Paging: Paging{Limit: MaxPageItems, Cursor: page.Next}})
		}
		var want []int64
		for i := range int64(MaxNotifications) {
			want = append(want, head.Position-i)
		}
		require.Equal(t, want, got)

		incremental := allRows(t, w.engine)
		require.NoError(t, w.engine.Rebuild(t.Context(), "notifications", nil))
		require.Equal(t, incremental, allRows(t, w.engine))

		w.do(o.vidal.owner, commands.RemoveMember{AccountID: o.vidal.id, UserID: o.admin.UserID})
		require.Empty(t, o.told(o.admin, NotificationsQuery{}).Items, "nothing is left of a list")
	})
}

// sayOften appends messages of the client, all at once, and tells the position of the last.
func (w *world) sayOften(pair commands.PairFields, messages int) int64 {
	w.t.Helper()
	stream := eventstore.StreamID{Kind: domain.CollaborationStream, ID: domain.Pair(pair).CollaborationID()}
	versions, err := w.store.Versions(w.t.Context(), []eventstore.StreamID{stream})
	require.NoError(w.t, err)
	a := eventstore.Append{CommandID: uuid.New(), Actor: operator.String(), Expect: []eventstore.StreamVersion{{Stream: stream, Version: versions[0]}}}
	for range messages {
		event := domain.MessageSent{Pair: domain.Pair(pair), MessageID: uuid.New(), From: domain.ClientSide, Body: "Hello?"}
		data, err := json.Marshal(event)
		require.NoError(w.t, err)
		a.Events = append(a.Events, eventstore.NewEvent{ID: uuid.New(), Stream: stream, Type: event.EventType(), Data: data})
	}
	appended, err := w.store.Append(w.t.Context(), a)
	require.NoError(w.t, err)
	return appended.Last
}

// TestWhoeverIsToldIsToldInWords: each event type that concerns anybody has a title and a sentence, and no other has a title.
func TestWhoeverIsToldIsToldInWords(t *testing.T) {
	titles := map[string]bool{}
	for _, described := range domain.Events() {
		concerns := audienceOf(described.Example) != (audience{})
		switch described.Example.(type) {
		case domain.TaskRaised, domain.TaskReopened:
			concerns = true
		}
		title, body := annas().headline(described.Example), annas().notice(described.Example)
		require.Equal(t, concerns, title != "", "%s: %s", described.Name, title)
		if concerns {
			require.Regexp(t, `^\p{Lu}.*(\.|[.!?…]”)$`, body, described.Name)
			require.False(t, titles[title], "%s has a title of its own: %s", described.Name, title)
			titles[title] = true
		}
	}
}

// TestWhatSendsNotificationsOnFindsThem: by the events, and then each as the person's own list shows it.
func TestWhatSendsNotificationsOnFindsThem(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		o := newOffice(w)
		before := w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: "first"}).Position
		position := w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: "second"}).Position
		w.do(o.soler.owner, commands.SendMessage{PairFields: o.pair, Body: "third"})
		settled := w.settled()
		told, err := w.engine.ToldBetween(settled, before, position)
		require.NoError(t, err)
		admins := Told{o.vidal.id, o.admin.UserID, position}
		require.ElementsMatch(t, []Told{{o.vidal.id, o.vidal.owner.UserID, position}, admins}, told)

		item, found, err := w.engine.Notification(settled, admins)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, o.told(o.admin, NotificationsQuery{}).Items[1], item)
		w.do(o.vidal.owner, commands.RemoveMember{AccountID: o.vidal.id, UserID: o.admin.UserID})
		_, found, err = w.engine.Notification(w.settled(), admins)
		require.NoError(t, err)
		require.False(t, found)
	})
}

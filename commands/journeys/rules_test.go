package journeys

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// expects is the model's ruling on a command, asked for by somebody now.
func (w *world) expects(actor domain.Actor, command commands.Command) ruling {
	switch c := command.(type) {
	case commands.RegisterAccount:
		return w.registers(actor, c)
	case commands.UpdateAccountDetails:
		return w.updates(actor, c)
	case commands.CloseAccount:
		return w.closes(actor, c)
	case commands.RecordSubscription:
		return w.bills(actor, c)
	case commands.ApplyForPartnership:
		return w.applies(actor, c)
	case commands.AcceptPartnership:
		return w.admits(actor, c)
	case commands.RejectPartnership:
		return w.turnsAway(actor, c)
	case commands.WithdrawApplication:
		return w.withdrawsApplication(actor, c)
	case commands.SuspendPartnership:
		return w.suspendsPartner(actor, c)
	case commands.ReinstatePartnership:
		return w.reinstates(actor, c)
	case commands.TerminatePartnership:
		return w.terminates(actor, c)
	case commands.SubmitProfile:
		return w.submits(actor, c)
	case commands.ApproveProfile:
		return w.approves(actor, c)
	case commands.RejectProfile:
		return w.sendsBack(actor, c)
	case commands.UnlistProfile:
		return w.unlists(actor, c)
	case commands.RelistProfile:
		return w.relists(actor, c)
	case commands.InviteMember:
		return w.invites(actor, c)
	case commands.ResendInvitation:
		return w.resends(actor, c)
	case commands.RevokeInvitation:
		return w.takesBack(actor, c)
	case commands.AcceptInvitation:
		return w.joins(actor, c)
	case commands.ExpireInvitation:
		return w.lapsesInvitation(actor, c)
	case commands.ChangeMemberRole:
		return w.changesRole(actor, c)
	case commands.RemoveMember:
		return w.removes(actor, c)
	case commands.TransferOwnership:
		return w.handsOver(actor, c)
	case commands.CreateRole:
		return w.definesRole(actor, c)
	case commands.UpdateRole:
		return w.redefinesRole(actor, c)
	case commands.DeleteRole:
		return w.dropsRole(actor, c)
	case commands.MarkNotificationsRead:
		return w.marksRead(actor, c)
	}
	return w.expectsOfPair(actor, command)
}

// expectsOfPair is expects for what is about a consultancy and a client.
func (w *world) expectsOfPair(actor domain.Actor, command commands.Command) ruling {
	switch c := command.(type) {
	case commands.SendMessage:
		return w.writes(actor, c)
	case commands.MarkConversationRead:
		return w.reads(actor, c)
	case commands.RequestCollaboration:
		return w.asks(actor, c)
	case commands.AcceptCollaboration:
		return w.accepts(actor, c)
	case commands.DeclineCollaboration:
		return w.declines(actor, c)
	case commands.WithdrawRequest:
		return w.withdraws(actor, c)
	case commands.ExpireRequest:
		return w.lapsesRequest(actor, c)
	case commands.BlockClient:
		return w.blocks(actor, c)
	case commands.UnblockClient:
		return w.unblocks(actor, c)
	case commands.RequestAccess:
		return w.wishes(actor, c)
	case commands.GrantAccess:
		return w.grantsAccess(actor, c)
	case commands.ChangeAccess:
		return w.changesAccess(actor, c)
	case commands.ExtendAccess:
		return w.extends(actor, c)
	case commands.AttestAccess:
		return w.attests(actor, c)
	case commands.SuspendAccess:
		return w.suspendsAccess(actor, c)
	case commands.ResumeAccess:
		return w.resumes(actor, c)
	case commands.RevokeAccess:
		return w.revokes(actor, c)
	case commands.ExpireAccess:
		return w.lapsesAccess(actor, c)
	case commands.RemindGrantEnds:
		return w.reminds(actor, c)
	case commands.ConfigureKPINotifications:
		return w.watches(actor, c)
	case commands.AssignAccountManagers:
		return w.assigns(actor, c)
	case commands.UnassignAccountManager:
		return w.unassigns(actor, c)
	case commands.OpenClientAccount:
		return w.logsIn(actor, c)
	case commands.CloseClientAccount:
		return w.logsOut(actor, c)
	case commands.ExpireSession:
		return w.lapsesSession(actor, c)
	case commands.RaiseTask:
		return w.raises(actor, c)
	case commands.CompleteTask:
		return w.completes(actor, c)
	case commands.CancelTask:
		return w.cancels(actor, c)
	case commands.ReopenTask:
		return w.reopens(actor, c)
	case commands.EndCollaboration:
		return w.ends(actor, c)
	}
	return w.expectsOfWebhook(actor, command)
}

// TestEveryCommandTakesPartInJourneys: each command of the list has a rule in the model, and journeys draw it.
func TestEveryCommandTakesPartInJourneys(t *testing.T) {
	j := newJourney(nil, newLedger(t))
	j.firms, j.shops = append(j.firms, nowhere), append(j.shops, nowhere)
	j.people[nowhere] = append(j.people[nowhere], j.dana)
	for _, spec := range commands.List() {
		require.NotPanics(t, func() { j.expects(clock, spec.Example) }, "the model has no rule for %s", spec.Name)
		drawn := rapid.Custom(func(t *rapid.T) commands.Command { return drawer{j, t}.command(spec.Name) })
		require.NotPanics(t, func() { require.IsType(t, spec.Example, drawn.Example()) }, "journeys cannot draw a %s", spec.Name)
		require.Contains(t, steps, spec.Step)
	}
}

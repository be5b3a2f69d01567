package journeys

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/commands"
	"github.com/collabledger/collabledger/domain"
)

// command draws one of the commands with its fields.
func (d drawer) command(name string) commands.Command {
	switch name {
	case "RegisterAccount":
		c := commands.RegisterAccount{Type: pick(d, domain.Business, domain.Consultancy), AccountDetails: details, Plan: d.plan(), Owner: d.newPerson()}
		if (c.Type == domain.Consultancy) == d.mostly(rightField) {
			c.FirmKind = pick(d, domain.Agency, domain.OtherFirm)
		}
		return c
	case "UpdateAccountDetails":
		changed := details
		changed.TradeName = pick(d, "Example", "Sample")
		return commands.UpdateAccountDetails{AccountID: d.account(), AccountDetails: changed}
	case "CloseAccount":
		return commands.CloseAccount{AccountID: d.account()}
	case "RecordSubscription":
		return commands.RecordSubscription{AccountID: d.account(), Plan: d.plan(), Status: pick(d, domain.Current, domain.Current, domain.PastDue, domain.Cancelled)}
	case "ApplyForPartnership":
		return commands.ApplyForPartnership{ConsultancyID: d.firm()}
	case "AcceptPartnership":
		return commands.AcceptPartnership{ConsultancyID: d.firm()}
	case "RejectPartnership":
		return commands.RejectPartnership{ConsultancyID: d.firm(), ReasonCode: "other"}
	case "WithdrawApplication":
		return commands.WithdrawApplication{ConsultancyID: d.firm()}
	case "SuspendPartnership":
		return commands.SuspendPartnership{ConsultancyID: d.firm(), Reason: pick(d, domain.SuspendedForBreach, domain.SuspendedForSubscription)}
	case "ReinstatePartnership":
		return commands.ReinstatePartnership{ConsultancyID: d.firm()}
	case "TerminatePartnership":
		return commands.TerminatePartnership{ConsultancyID: d.firm(), Reason: "other"}
	case "SubmitProfile":
		return commands.SubmitProfile{ConsultancyID: d.firm(), Profile: profile}
	case "ApproveProfile":
		firm := d.firm()
		return commands.ApproveProfile{ConsultancyID: firm, Revision: d.revision(firm)}
	case "RejectProfile":
		firm := d.firm()
		return commands.RejectProfile{ConsultancyID: firm, Revision: d.revision(firm), ReasonCode: "other"}
	case "UnlistProfile":
		return commands.UnlistProfile{ConsultancyID: d.firm()}
	case "RelistProfile":
		return commands.RelistProfile{ConsultancyID: d.firm()}
	}
	return d.memberCommand(name)
}

// revision draws a revision of a consultancy's profile, mostly the latest.
func (d drawer) revision(firm uuid.UUID) int {
	return max(1, len(d.partner(firm).revisions)+pick(d, 0, 0, 0, -1, 1))
}

func (d drawer) memberCommand(name string) commands.Command {
	account := d.account()
	switch name {
	case "InviteMember":
		return commands.InviteMember{AccountID: account, NewPerson: d.newPerson(), Role: d.role(account)}
	case "ResendInvitation":
		account, invitation := d.invitation()
		return commands.ResendInvitation{AccountID: account, InvitationID: invitation}
	case "RevokeInvitation":
		account, invitation := d.invitation()
		return commands.RevokeInvitation{AccountID: account, InvitationID: invitation}
	case "AcceptInvitation":
		account, invitation := d.invitation()
		return commands.AcceptInvitation{AccountID: account, InvitationID: invitation}
	case "ExpireInvitation":
		account, invitation := d.invitation()
		return commands.ExpireInvitation{AccountID: account, InvitationID: invitation}
	case "ChangeMemberRole":
		return commands.ChangeMemberRole{AccountID: account, UserID: d.user(account), Role: d.role(account)}
	case "RemoveMember":
		return commands.RemoveMember{AccountID: account, UserID: d.user(account)}
	case "TransferOwnership":
		return commands.TransferOwnership{AccountID: account, UserID: d.user(account)}
	case "CreateRole":
		return commands.CreateRole{AccountID: d.shop(), RoleTerms: d.roleTerms()}
	case "UpdateRole":
		shop := d.shop()
		return commands.UpdateRole{AccountID: shop, RoleID: d.ownRole(shop), RoleTerms: d.roleTerms()}
	case "DeleteRole":
		shop := d.shop()
		return commands.DeleteRole{AccountID: shop, RoleID: d.ownRole(shop)}
	}
	return d.requestCommand(name)
}

func (d drawer) requestCommand(name string) commands.Command {
	pair := d.pair()
	switch name {
	case "SendMessage":
		return commands.SendMessage{PairFields: pair, Body: "Hello."}
	case "MarkConversationRead":
		return commands.MarkConversationRead{PairFields: pair}
	case "RequestCollaboration":
		return commands.RequestCollaboration{PairFields: pair, Message: "Please keep our books."}
	case "AcceptCollaboration":
		return commands.AcceptCollaboration{PairFields: pair}
	case "DeclineCollaboration":
		return commands.DeclineCollaboration{PairFields: pair, ReasonCode: pick(d, domain.DeclinedOther, domain.DeclinedForGood)}
	case "WithdrawRequest":
		return commands.WithdrawRequest{PairFields: pair}
	case "ExpireRequest":
		return commands.ExpireRequest{PairFields: pair}
	case "BlockClient":
		return commands.BlockClient{PairFields: pair}
	case "UnblockClient":
		return commands.UnblockClient{PairFields: pair}
	case "ConfigureKPINotifications":
		return commands.ConfigureKPINotifications{PairFields: pair, Sections: pick(d, []domain.Section{}, []domain.Section{"sales"}, []domain.Section{"journal", "sales"})}
	case "AssignAccountManagers":
		users := []uuid.UUID{d.user(pair.ConsultancyID), d.user(pair.ConsultancyID)}
		return commands.AssignAccountManagers{PairFields: pair, UserIDs: slices.Compact(users)}
	case "UnassignAccountManager":
		return commands.UnassignAccountManager{PairFields: pair, UserID: d.user(pair.ConsultancyID)}
	case "EndCollaboration":
		return commands.EndCollaboration{PairFields: pair, Reason: "done"}
	}
	return d.accessCommand(name, pair)
}

func (d drawer) accessCommand(name string, pair commands.PairFields) commands.Command {
	switch name {
	case "RequestAccess":
		return commands.RequestAccess{PairFields: pair, SuggestedRole: d.role(pair.ClientID), Purpose: "Monthly closing"}
	case "GrantAccess":
		return commands.GrantAccess{PairFields: pair, GrantTerms: d.terms(pair.ClientID)}
	case "ChangeAccess":
		return commands.ChangeAccess{PairFields: pair, GrantTerms: d.terms(pair.ClientID)}
	case "ExtendAccess":
		return commands.ExtendAccess{PairFields: pair, ExpiresAt: d.until()}
	case "AttestAccess":
		return commands.AttestAccess{PairFields: pair}
	case "SuspendAccess":
		return commands.SuspendAccess{PairFields: pair}
	case "ResumeAccess":
		return commands.ResumeAccess{PairFields: pair}
	case "RevokeAccess":
		return commands.RevokeAccess{PairFields: pair}
	case "ExpireAccess":
		return commands.ExpireAccess{PairFields: pair}
	case "RemindGrantEnds":
		return commands.RemindGrantEnds{PairFields: pair}
	case "OpenClientAccount":
		return commands.OpenClientAccount{PairFields: pair}
	case "CloseClientAccount":
		return commands.CloseClientAccount{SessionID: d.session()}
	case "ExpireSession":
		return commands.ExpireSession{SessionID: d.session()}
	case "RaiseTask":
		return d.raise()
	case "CompleteTask":
		return commands.CompleteTask{TaskID: d.task()}
	case "CancelTask":
		return commands.CancelTask{TaskID: d.task()}
	case "ReopenTask":
		return commands.ReopenTask{TaskID: d.task()}
	case "MarkNotificationsRead":
		return commands.MarkNotificationsRead{UpTo: max(1, d.end()-pick(d, int64(0), 1, 5, -1))}
	}
	return d.webhookCommand(name)
}

// encode is a command's body.
func encode(command commands.Command) []byte {
	body, err := json.Marshal(command)
	if err != nil {
		panic(err)
	}
	return body
}

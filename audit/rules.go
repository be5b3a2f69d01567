package audit

// Code names a rule. It never changes: programs compare it.
type Code string

// The rules of the log itself.
const (
	PositionGap      Code = "position_gap"
	StreamVersionGap Code = "stream_version_gap"
	EventIDRepeated  Code = "event_id_repeated"
	TimeBackwards    Code = "time_backwards"
	SourceForeign    Code = "source_foreign"
	RecordMalformed  Code = "record_malformed"
	EventMalformed   Code = "event_malformed"
	StreamWrong      Code = "stream_wrong"
	CommandReused    Code = "command_reused"
	CommandMixed     Code = "command_mixed"
)

// The rules of access.
const (
	AccessNotActive     Code = "access_not_active"
	AccessNoGrant       Code = "access_no_grant"
	AccessNoStanding    Code = "access_no_standing"
	AccessNotEntitled   Code = "access_not_entitled"
	AccessAccountClosed Code = "access_account_closed"
	SectionNotGranted   Code = "section_not_granted"
	PermissionsWrong    Code = "permissions_wrong"
	ActedAfterEnd       Code = "acted_after_end"
	ClockEarly          Code = "clock_early"
	EpochNotRaised      Code = "epoch_not_raised"
	EpochStale          Code = "epoch_stale"
	EngagementRevived   Code = "engagement_revived"
	WidenedByOther      Code = "widened_by_other"
	ActorNotAParty      Code = "actor_not_a_party"
	ActorNotAMember     Code = "actor_not_a_member"
)

// The rules of who may do what, and when.
const (
	ActorKindWrong     Code = "actor_kind_wrong"
	RoleNotSufficient  Code = "role_not_sufficient"
	AccountClosed      Code = "account_closed"
	AccountState       Code = "account_state"
	OwnerNotUnique     Code = "owner_not_unique"
	RoleWrong          Code = "role_wrong"
	PartnershipState   Code = "partnership_state"
	NotEligible        Code = "not_eligible"
	ReviewWrong        Code = "review_wrong"
	CollaborationState Code = "collaboration_state"
	NotApproachable    Code = "not_approachable"
	GrantState         Code = "grant_state"
	GrantRole          Code = "grant_role"
	ManagerWrong       Code = "manager_wrong"
	EndIncomplete      Code = "end_incomplete"
	SessionState       Code = "session_state"
	SessionTooLong     Code = "session_too_long"
	TermTooLong        Code = "term_too_long"
	TaskState          Code = "task_state"
	NotificationsState Code = "notifications_state"
	WebhookState       Code = "webhook_state"
)

// Rule is one thing that a check looks for.
type Rule struct {
	Code   Code
	Holds  string // what must hold, in one sentence
	Source string // an invariant of the domain, a step of the guide (S6), the log's own
}

// Rules lists every rule.
func Rules() []Rule {
	return []Rule{
		{PositionGap, "Positions are 1, 2, 3, … without a gap, up to the log's head", "the log"},
		{StreamVersionGap, "Versions in each stream are 1, 2, 3, … without a gap", "the log"},
		{EventIDRepeated, "No two events have one id", "the log"},
		{TimeBackwards, "Times never go backwards", "the log"},
		{SourceForeign, "Every record has the one source of this log", "the log"},
		{RecordMalformed, "A record's bytes are a CloudEvent that says of itself what is true: position, stream, version, time, type, command", "the log"},
		{EventMalformed, "An event's type is known, and its data is what the ledger writes for it, to the byte", "the log"},
		{StreamWrong, "An event is in the stream that its own fields name; a pair's collaboration and a client's reference have one stream each", "the streams"},
		{CommandReused, "A command id appends once", "invariant 7"},
		{CommandMixed, "The events of a command are one append: neighbours, of one moment and one actor", "invariant 7"},

		{AccessNotActive, "Work in a client's account needs an active collaboration", "invariant 1"},
		{AccessNoGrant, "Work in a client's account needs the live grant that it names", "invariant 1"},
		{AccessNoStanding, "Work in a client's account needs a partnership in standing", "invariant 1"},
		{AccessNotEntitled, "Work in a client's account is for the consultancy's owner, administrators and the account managers assigned to the client", "invariant 1"},
		{AccessAccountClosed, "Work in a client's account needs both accounts to be open", "invariant 1"},
		{SectionNotGranted, "A consultancy completes tasks only where its grant, within the client's plan, gives edit", "S10"},
		{PermissionsWrong, "A grant pins what its role permits then; a log-in has what the grant pins within the client's plan", "invariant 2"},
		{ActedAfterEnd, "What ends holds until its end, and nothing that needs it is recorded at or after that", "invariant 3"},
		{ClockEarly, "What the clock records of an end comes at or after that end, and names it", "invariant 3"},
		{EpochNotRaised, "Each grant, change, suspension, revocation, expiry and end of access raises the access epoch by one; a resumption keeps it", "invariant 4"},
		{EpochStale, "A log-in has the grant's current access epoch, and is of the partnership's current standing", "invariant 4"},
		{EngagementRevived, "A new engagement revives no grant and no account manager of an old one", "invariant 5"},
		{WidenedByOther, "Only the client grants, changes, extends, resumes and attests access", "invariant 6"},
		{ActorNotAParty, "Who acts does so for an account that is a party of what it did", "invariant 8"},
		{ActorNotAMember, "Who acts for an account is a member of it at that moment", "invariant 8"},

		{ActorKindWrong, "Services register, bill and raise; reviewers review; the ledger itself keeps the clock; members do the rest", "docs/domain.md"},
		{RoleNotSufficient, "The member's role allows what it did", "S4"},
		{AccountClosed, "Nobody acts for an account that is closed, or begins anything with it", "S1"},
		{AccountState, "An account is registered once, invitations and members come and go in their order", "S4"},
		{OwnerNotUnique, "An account has one owner, who is transferred, never assigned, changed or removed", "S4"},
		{RoleWrong, "Members have roles that their account has and its plan allows; a role in use is not deleted", "S4"},
		{PartnershipState, "The partnership moves only as its states allow", "S2"},
		{NotEligible, "Who applies, is accepted or reinstated is an open, eligible consultancy with a current subscription", "S2"},
		{ReviewWrong, "The latest revision alone is reviewed, once, and not by its submitter", "S3"},
		{CollaborationState, "The collaboration moves only as its states allow, in engagements counted by one", "S5"},
		{NotApproachable, "A client writes to and asks a consultancy that is listed, in standing and has not blocked it", "S5"},
		{GrantState, "The grant moves only as its states allow; a pair has one at a time", "S6"},
		{GrantRole, "A grant has exactly one role, which the client's account has and its plan permits, never the owner's", "S6"},
		{ManagerWrong, "Account managers are members of the consultancy, assigned once and unassigned once", "S8"},
		{EndIncomplete, "The end is one append: access revoked, every account manager unassigned, the collaboration ended for a side that may", "S11"},
		{SessionState, "A log-in is opened once and closed once, by the ledger for lost access only when it is lost", "S9"},
		{SessionTooLong, "A log-in lasts an hour at most, and never longer than its grant", "S9"},
		{TermTooLong, "Requests last 90 days, invitations 7 and grants with an end 730 at most", "docs/domain.md"},
		{TaskState, "A task is raised once for a client's reference, and moves only as its states allow", "S10"},
		{NotificationsState, "A person's notifications are read forward, and not past the log", "docs/domain.md"},
		{WebhookState, "A webhook moves only as its states allow, and each of its secrets is another one", "docs/domain.md"},
	}
}

// source is where a rule comes from.
func source(code Code) string {
	for _, rule := range Rules() {
		if rule.Code == code {
			return rule.Source
		}
	}
	return ""
}

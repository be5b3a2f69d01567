// Package audit checks a whole log as a stranger would: it folds every event and reports what breaks an invariant of the ledger.
//
// It states the rules a second time, over events, and on purpose shares none of the domain's own: neither its decisions nor its folds,
// nor its tables of roles and plans. A fault in those would otherwise hide itself. What it takes from package domain is what an event
// is (the structs, for decoding, and what an earlier version says in the newest one), how an actor's name is written (ParseActor), and
// the constants that name states, roles, plans, sections and reasons, which are words rather than rules.
//
// A log does not show everything. The limits of texts and lists, and that an account's addresses and roles' names differ, are for the
// edge that took them in. An event has the time of its commit, and a decision comes before that: one that was made just before an end,
// and committed after it, is told as a violation of invariant 3, for nobody who reads the log can tell it from one made too late.
//
// Rules lists what is checked, each with its stable code. After a violation the event is folded all the same, because it is in the
// log and what follows was decided on it; so one wrong event is told once, and not with everything after it.
//
// Policy rules, which are a firm's own, are back-tested over the same fold: docs/policies.md.
package audit

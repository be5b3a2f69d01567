// Package domain holds what the ledger is about: the facts (events), what follows from them (states), and the rules that say
// which new fact may come next. It is pure: no I/O, no clock, no randomness. Time, ids and the actor come in as arguments.
//
// A fact is an event struct with its wire name (EventType) and its fold (Apply) beside its fields; Apply cannot fail, because
// the rules are checked before an event is raised. Rules are methods of the states and answer with the events to append, or
// with an *Error whose Code is stable. Refusals come in one order, so that answers are stable: malformed, unknown entity, who
// is asking, then the state: an account's before the collaboration's, that before the grant's, the grant's before the task's.
//
// S1 to S11 in comments name the step of the Partner Programme guide that a rule comes from, H its sibling help pages, B what the best
// access-delegation systems do.
package domain

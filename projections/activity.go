package projections

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// activityModel keeps when something last happened, for the queries of all models to join.
func activityModel() model {
	return model{
		name: "activity", version: 2,
		streams: []string{domain.CollaborationStream, domain.TaskStream},
		tables:  []table{activityPairs.table, activitySections.table},
		fold:    foldActivity,
	}
}

// pairActivityRow says when something last happened in a collaboration, and since when it stands as recorded.
type pairActivityRow struct {
	collaboration uuid.UUID
	lastAt        time.Time
	statusAt      time.Time
}

// sectionActivityRow says when something last happened to a task of one section of a client.
type sectionActivityRow struct {
	countKey
	lastAt time.Time
}

var activityPairs = mapping[uuid.UUID, pairActivityRow]{
	table: table{
		name: "activity_pairs", key: 1,
		columns: []column{{"collaboration_id", identifier}, {"last_at", integer}, {"status_at", integer}},
	},
	key:    func(r *pairActivityRow) uuid.UUID { return r.collaboration },
	args:   func(id uuid.UUID) []any { return []any{id} },
	fields: func(r *pairActivityRow) []any { return []any{&r.collaboration, at(&r.lastAt), at(&r.statusAt)} },
}

var activitySections = mapping[countKey, sectionActivityRow]{
	table: table{
		name: "activity_sections", key: 2,
		columns: []column{{"client_id", identifier}, {"section", text}, {"last_at", integer}},
	},
	key:    func(r *sectionActivityRow) countKey { return r.countKey },
	args:   func(k countKey) []any { return []any{k.client, k.section} },
	fields: func(r *sectionActivityRow) []any { return []any{&r.client, &r.section, at(&r.lastAt)} },
}

func foldActivity(ctx context.Context, tx tx, page []*Fact) error {
	var pairIDs []uuid.UUID
	for _, fact := range tx.toLookUp(page) {
		if fact.Stream.Kind == domain.CollaborationStream {
			pairIDs = append(pairIDs, fact.Stream.ID)
		}
	}
	pairs, err := activityPairs.load(ctx, tx, pairIDs)
	if err != nil {
		return err
	}
	sections, err := activitySections.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		touch := func(client uuid.UUID, section domain.Section) {
			sections.put(sectionActivityRow{countKey{client, section}, fact.At})
		}
		switch e := fact.Event.(type) {
		case domain.TaskRaised:
			touch(e.ClientID, e.Section)
		case domain.TaskCompleted:
			touch(e.ClientID, e.Section)
		case domain.TaskReopened:
			touch(e.ClientID, e.Section)
		case domain.TaskCancelled:
			touch(e.ClientID, e.Section)
		default:
			pair := pairs.change(fact.Stream.ID)
			if pair == nil {
				pair = pairs.put(pairActivityRow{collaboration: fact.Stream.ID, statusAt: fact.At})
			}
			pair.apply(fact)
		}
	}
	return nil
}

func (r *pairActivityRow) apply(fact *Fact) {
	r.lastAt = fact.At
	switch e := fact.Event.(type) {
	case domain.CollaborationRequested, domain.CollaborationAccepted, domain.CollaborationDeclined, domain.RequestWithdrawn,
		domain.CollaborationEnded, domain.ClientBlocked, domain.ClientUnblocked:
		r.statusAt = fact.At
	case domain.RequestExpired:
		r.statusAt = e.ExpiredAt
	}
}

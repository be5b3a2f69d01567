package projections

import (
	"context"

	"github.com/google/uuid"

	"github.com/collabledger/collabledger/domain"
)

// namesModel keeps what accounts and people are called, for the queries of all models to join: {account_names} and {user_names}.
func namesModel() model {
	return model{
		name: "names", version: 2,
		streams: []string{domain.AccountStream},
		tables:  []table{accountNames.table, userNames.table},
		fold:    foldNames,
	}
}

// namedThing is a row of either table.
type namedThing struct {
	id       uuid.UUID
	name     string
	sortName string // the name as lists are sorted by it, without regard to case and accents
}

var (
	accountNames = namesTable("account_names", "account_id")
	userNames    = namesTable("user_names", "user_id")
)

func namesTable(name, id string) mapping[uuid.UUID, namedThing] {
	return mapping[uuid.UUID, namedThing]{
		table: table{
			name: name, key: 1,
			columns: []column{{id, identifier}, {"name", text}, {"sort_name", text}},
		},
		key:    func(r *namedThing) uuid.UUID { return r.id },
		args:   func(id uuid.UUID) []any { return []any{id} },
		fields: func(r *namedThing) []any { return []any{&r.id, &r.name, &r.sortName} },
	}
}

func named(id uuid.UUID, name string) namedThing { return namedThing{id, name, foldText(name)} }

// foldNames takes the latest name of each: an account's trade name, a person's name as they were last invited or registered.
// Rows are replaced whole, so that nothing need be loaded.
func foldNames(ctx context.Context, tx tx, page []*Fact) error {
	accounts, err := accountNames.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	users, err := userNames.load(ctx, tx, nil)
	if err != nil {
		return err
	}
	for _, fact := range page {
		switch e := fact.Event.(type) {
		case domain.AccountRegistered:
			accounts.put(named(e.AccountID, e.TradeName))
			users.put(named(e.Owner.UserID, e.Owner.Name))
		case domain.AccountDetailsUpdated:
			accounts.put(named(e.AccountID, e.TradeName))
		case domain.MemberJoined:
			users.put(named(e.Member.UserID, e.Member.Name))
		}
	}
	return nil
}

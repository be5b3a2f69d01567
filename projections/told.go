package projections

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// Told names a notification: whose it is, and the event that it tells of. What sends notifications on keeps no more of them than that.
type Told struct {
	Account  uuid.UUID
	User     uuid.UUID // a member of the account
	Position int64     // of the event
}

// ToldBetween lists who has been told of the events after one position and up to another, in the order of the events. Those are
// missing who have left since, and of whoever was told of more than MaxNotifications things since, all but the newest.
func (e *Engine) ToldBetween(ctx context.Context, after, upTo int64) (told []Told, err error) {
	err = e.read(ctx, func(v view) error {
		told, err = collect(ctx, v, `SELECT account_id, user_id, position FROM {notifications}
			WHERE position > $1 AND position <= $2 ORDER BY position, account_id, user_id`, []any{after, upTo},
			func(scan func(...any) error) (Told, error) {
				var t Told
				err := scan(&t.Account, &t.User, &t.Position)
				return t, err
			})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("who was told of what: %w", err)
	}
	return told, nil
}

// Notification answers one notification as the person's own list shows it; found is false when the list does not hold it any more.
func (e *Engine) Notification(ctx context.Context, of Told) (item NotificationItem, found bool, err error) {
	var lines []notificationLine
	err = e.read(ctx, func(v view) (err error) {
		lines, err = selectNotifications(ctx, v, "n.account_id = $1 AND n.user_id = $2 AND n.position = $3", arguments{of.Account, of.User, of.Position})
		return err
	})
	var items []NotificationItem
	if err == nil {
		items, err = e.notificationItems(ctx, lines)
	}
	if err != nil {
		return NotificationItem{}, false, fmt.Errorf("read a notification: %w", err)
	}
	if len(items) == 0 {
		return NotificationItem{}, false, nil
	}
	return items[0], true, nil
}
